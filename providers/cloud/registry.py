"""The clouds there are, by the name a request gives. A new one is a file beside this and a line in each table."""

from __future__ import annotations

from providers.cloud import (
    digitalocean,
    digitalocean_catalogue,
    linode,
    linode_catalogue,
    transip,
    transip_catalogue,
)
from providers.cloud.base import CallLimit, CloudMaker

CLOUDS: dict[str, CloudMaker] = {
    "transip": transip.from_account,
    "digitalocean": digitalocean.from_account,
    "linode": linode.from_account,
}

# What each documents for one account; its client may know better (`Cloud.call_limits`).
LIMITS: dict[str, tuple[CallLimit, ...]] = {
    "transip": transip_catalogue.CALL_LIMITS,
    "digitalocean": digitalocean_catalogue.CALL_LIMITS,
    "linode": linode_catalogue.CALL_LIMITS,
}
