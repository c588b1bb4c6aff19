"""What can be done to a server, and how it fares (R015–R021)."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, Field


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


class ServerOptions(BaseModel):
    """What is ordered with a bare server beside its size, place and image (R011, R012). Holds no secret: the password,
    the data of a StackScript and user data are rows of their own, encrypted."""

    ssh_keys: list[str] = Field(default_factory=list)
    backups: bool = False
    monitoring: bool = False
    ipv6: bool = False
    private_ip: bool = False
    vpc: str | None = None
    app: str | None = None
    stackscript: int | None = None
    tags: list[str] = Field(default_factory=list)


# Purposes of a server's secrets that its order needs.
ROOT_PASSWORD = "root-password"  # noqa: S105 - the name of a purpose
STACKSCRIPT_DATA = "stackscript-data"
USER_DATA = "user-data"


class ActionCall(BaseModel):
    """Input of the workflow ServerActions: the row says the rest."""

    action_id: str
    vps_id: str
    provider: str
    action: PowerAction
    provider_id: str = ""  # the server's account; empty for one from before accounts


class ActionEnd(BaseModel):
    """How an action failed: a public code and a sentence."""

    action_id: str
    code: str
    message: str


class LookCall(BaseModel):
    """Input of the workflow LookAtServer."""

    vps_id: str
    provider: str
    provider_id: str = ""


class Seen(BaseModel):
    """What a cloud said of one server just now. `missing`: it knows none of that name."""

    power_state: str
    missing: bool = False
