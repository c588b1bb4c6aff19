"""The clouds there are, by the name a request gives. A new one is a file beside this and a line here."""

from __future__ import annotations

from providers.cloud import transip, transip_catalogue
from providers.cloud.base import CallLimit, CloudMaker

CLOUDS: dict[str, CloudMaker] = {"transip": transip.from_account}

# What each documents for one account; its client may know better (`Cloud.call_limits`).
LIMITS: dict[str, tuple[CallLimit, ...]] = {"transip": transip_catalogue.CALL_LIMITS}
