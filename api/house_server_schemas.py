"""What may be sent about servers of the house (R149), and documented examples of it."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field, IPvAnyAddress, SecretStr, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from api import ssh_keys
from api.examples import described
from api.schemas import Asked
from domain.sales import ServerStatus, ServerType

MAX_KEY = 16_384  # characters
MAX_ACCOUNTS = 100_000
_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_HOSTNAME = re.compile(rf"(?:{_LABEL}\.)+(?!\d+$){_LABEL}")


def _hostname(value: str) -> str:
    name = value.strip().lower().removesuffix(".")
    if len(name) > 253 or not _HOSTNAME.fullmatch(name):
        raise PydanticCustomError("hostname", "hostname must be a full host name such as web1.example.com.")
    return name


def _address(value: IPvAnyAddress) -> IPvAnyAddress:
    if value.is_unspecified or value.is_multicast:
        raise PydanticCustomError("address", "ipAddress must be the address of one machine.")
    return value


def _host_key(value: str) -> str:
    try:
        return ssh_keys.host_key(value)
    except ssh_keys.KeyRefused as refused:
        raise PydanticCustomError("host_key", f"hostKey {refused}") from None


def _private_key(value: SecretStr) -> SecretStr:
    """As it came: OpenSSH's form of it is another text each time, and a repeat must be the same request."""
    try:
        ssh_keys.private_key(value.get_secret_value())
    except ssh_keys.KeyRefused as refused:
        raise PydanticCustomError("private_key", f"sshPrivateKey {refused}") from None
    return value


Hostname = Annotated[str, StringConstraints(max_length=300), AfterValidator(_hostname)]
Address = Annotated[IPvAnyAddress, AfterValidator(_address)]
HostKey = Annotated[str, StringConstraints(max_length=MAX_KEY), AfterValidator(_host_key)]
PrivateKey = Annotated[SecretStr, Field(max_length=MAX_KEY), AfterValidator(_private_key)]
Port = Annotated[int, Field(ge=1, le=65_535, strict=True)]
Places = Annotated[int, Field(ge=0, le=MAX_ACCOUNTS, strict=True)]
UserName = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_-]{0,31}$")]


class ServerCreate(Asked):
    """Body of POST /api/hosting/servers. `host_key` is the public line that the server will be known by, always.

    Without `ssh_private_key` a key pair is made; its public half is in the reply and goes into the server's
    authorized_keys. A name server needs neither: nothing is done there over SSH.
    """

    hostname: Hostname
    ip_address: Address
    type: ServerType
    ssh_port: Port = 22
    ssh_user: UserName = "root"
    host_key: HostKey | None = None
    ssh_private_key: PrivateKey | None = None
    max_accounts: Places = 500


class ServerChange(Asked):
    """Body of PATCH …/{id}: what is missing stays as it is. `host_key` is for a server that was installed anew."""

    status: ServerStatus | None = None
    max_accounts: Places | None = None
    ip_address: Address | None = None
    ssh_port: Port | None = None
    host_key: HostKey | None = None

    @model_validator(mode="after")
    def _something(self) -> ServerChange:
        if not self.model_dump(exclude_none=True):
            raise PydanticCustomError(
                "empty", "Say at least one of status, maxAccounts, ipAddress, sshPort and hostKey."
            )
        return self


# ---- examples

_HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIb8Iu5ZEZVKTBuRGDSfhvwOGVlnUJVmNiZjcBWpNYxZ"
_SET_UP: dict[str, Any] = {
    "id": "job-uuid", "status": "RUNNING", "attention": "none", "status_message": "Setting the server up",
    "error_code": None, "error_message": None, "parked": [], "requested_by": "ada",
    "created_at": "2025-01-19T10:30:00Z", "ended_at": None,
}  # fmt: skip
_SHOWN: dict[str, Any] = {
    "id": "server-uuid", "hostname": "web1.example.com", "ip_address": "203.0.113.10", "type": "web",
    "status": "PENDING", "ssh_port": 22, "ssh_user": "root", "host_key": _HOST_KEY, "set_up_version": None,
    "max_accounts": 500, "accounts": 0, "set_up": _SET_UP, "created_at": "2025-01-19T10:30:00Z",
    "updated_at": "2025-01-19T10:30:00Z",
}  # fmt: skip
CREATE_REQUEST: dict[str, Any] = {
    "hostname": "web1.example.com", "ipAddress": "203.0.113.10", "type": "web", "sshPort": 22, "sshUser": "root",
    "hostKey": _HOST_KEY, "maxAccounts": 500,
}  # fmt: skip
CHANGE_REQUEST: dict[str, Any] = {"status": "DRAINING", "maxAccounts": 400}
_WITH_KEY = _SHOWN | {"public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEhi… slipway"}

SERVERS = described(
    "The house's servers by name, and how the last set-up of each stands",
    {"servers": [_SHOWN],
     "pagination": {"page": 1, "limit": 20, "total": 1, "totalPages": 1, "hasNext": False, "hasPrev": False}},
)  # fmt: skip
SERVER = described("The server; `public_key` belongs into its authorized_keys", {"server": _WITH_KEY})
REGISTERED = described("Registered, and its set-up begun; `public_key` as above", {"server": _WITH_KEY})
SETTING_UP = described("The set-up that is under way", {"message": "Set-up initiated", "server": _SHOWN})
