"""What workers hand to activities: the part of the settings that effects need, without credentials."""

from __future__ import annotations

from pydantic import BaseModel, Field

from domain.inventory import InventoryRules
from domain.provisioning import RunPolicy


class RunConfig(BaseModel, frozen=True):
    base_domain: str = "recruitiq.nl"
    registry: str = ""  # host[:port] of the application images; empty means: the blueprint's
    registry_insecure: bool = False
    registry_username: str | None = None
    registry_password: str | None = Field(None, repr=False)
    shared_places: int = 4
    ssh_user: str = "root"
    ssh_private_key: str | None = Field(None, repr=False)  # one key for all servers; None makes one for each
    ssh_port: int = 22
    http_port: int = 80
    https_port: int = 443
    apt_source: str = ""  # lab only: one line for sources.list of new hosts
    dns_servers: tuple[str, ...] = ()  # authoritative servers as host:port; empty means: those the zone names
    dns_ttl: int = 60
    dns_zone_kind: str = "Native"  # of a new zone, or "Primary"
    dns_nameservers: tuple[str, ...] = ()  # that a new zone names; empty means: those of the base domain's zone
    acme_email: str | None = None
    acme_profile: str = ""
    shared_keys: bool = False  # whether uploaded certificates and their keys may be brought to servers
    trust_file: str | None = None  # roots the outside probe trusts; None means the system's
    credentials_days: int = 7
    portal_url: str = ""  # where customers sign in
    policy: RunPolicy = RunPolicy()
    inventory: InventoryRules = InventoryRules()
