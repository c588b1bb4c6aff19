"""What can be done to a server, and how it fares (R015–R021)."""

from __future__ import annotations

from enum import StrEnum


class PowerAction(StrEnum):
    """`boot` of the source is another word for power_on."""

    POWER_ON = "power_on"
    SHUTDOWN = "shutdown"  # asks the system to end
    POWER_OFF = "power_off"  # as if unplugged
    REBOOT = "reboot"
    POWER_CYCLE = "power_cycle"  # off and on by force; DigitalOcean only (R020)


class ActionState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class ProviderType(StrEnum):
    """Kinds of clouds a row may name (X12). Without a client, one is known and inactive."""

    TRANSIP = "transip"
    DIGITALOCEAN = "digitalocean"
    LINODE = "linode"
    AWS = "aws"
    GCP = "gcp"


# Kinds with a client of ours; a row of another one is kept, and inactive.
SERVED = (ProviderType.TRANSIP, ProviderType.DIGITALOCEAN, ProviderType.LINODE)
