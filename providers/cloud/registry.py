"""The clouds there are, by the name a request gives. A new one is a file beside this and a line here."""

from __future__ import annotations

from providers.cloud.transip import TransIP

CLOUDS: dict[str, type[TransIP]] = {"transip": TransIP}
