"""The clouds there are, by the name a request gives. A new one is a file beside this and a line here."""

from __future__ import annotations

from providers.cloud import digitalocean, linode, transip
from providers.cloud.base import CloudMaker

CLOUDS: dict[str, CloudMaker] = {
    "transip": transip.from_account,
    "digitalocean": digitalocean.from_account,
    "linode": linode.from_account,
}
