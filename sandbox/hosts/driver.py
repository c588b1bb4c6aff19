"""What a host driver does for a sandbox cloud: give birth to hosts, power them, take them away.

The cloud emulators know only this protocol. `machine` boots real Debian hosts, `emulated` runs a small honest model of
one; which is behind a cloud changes nothing above the SSH port.
"""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

from pydantic import BaseModel, Field

PowerState = Literal["running", "stopped"]
FaultKind = Literal["refuse_ssh", "drop", "wrong_host_key", "dpkg_lock", "cloud_init_running", "disk_full",
                    "registry_down", "registry_denied"]  # fmt: skip


class HostSpec(BaseModel):
    """A host to be born. `user_data` is a cloud-config document, or empty for a plain image."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")
    address: str
    hostname: str
    user_data: str = ""
    authorized_keys: list[str] = []
    cpus: int = 2
    memory_mb: int = 4096
    disk_gb: int = 150


class HostPorts(BaseModel):
    """Where a host's services are reached; only unprivileged emulation differs from 22, 80 and 443."""

    ssh: int = 22
    http: int = 80
    https: int = 443


class HostDriver(Protocol):
    """Every call is idempotent; an unknown name raises KeyError, except in destroy(), where it is done already."""

    kind: Literal["machine", "emulated"]
    ports: HostPorts

    async def open(self) -> None:
        """Bring the network up and boot again what ran when the driver was last closed or killed."""

    async def close(self) -> None:
        """Stop every host in an orderly way and keep its disk."""

    async def reserve_address(self) -> str:
        """An IPv4 address no host of this driver holds; held until destroy() of the host created with it."""

    async def create(self, spec: HostSpec) -> None:
        """Make the disk and the network of a host; it is not booted yet."""

    async def start(self, name: str) -> None: ...

    async def stop(self, name: str) -> None:
        """Ask the host to shut down and wait until it did (ACPI button)."""

    async def kill(self, name: str) -> None:
        """Cut the power: nothing is flushed, the disk stays."""

    async def destroy(self, name: str) -> None: ...

    async def power(self, name: str) -> PowerState: ...

    async def names(self) -> list[str]: ...

    async def unplug(self, name: str) -> None:
        """Take the network link down (fault)."""

    async def plug(self, name: str) -> None: ...


@runtime_checkable
class Modelled(Protocol):
    """A driver whose hosts can be looked into and made to fail. `next` names the host that is made next."""

    def fault(
        self, name: str, kind: FaultKind, *, times: int | None, seconds: float | None, match: str, after: bool
    ) -> None: ...

    def clear(self, name: str, kind: FaultKind | None = None) -> None: ...

    def look(self, name: str) -> dict[str, object]: ...
