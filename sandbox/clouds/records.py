"""What every sandbox cloud remembers of a server, of its time and of what shall go wrong. Times are epoch seconds."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from sandbox.faults.effects import Effect

Phase = Literal["ordered", "created", "installing", "active", "ending", "gone"]
IN_BIRTH = frozenset({"ordered", "created", "installing"})
# What is done to a host: kill cuts the power, reset cuts it and starts again; settle only takes its time.
Switch = Literal["start", "stop", "kill", "reboot", "reset", "settle"]


class Timings(BaseModel):
    """Seconds between the states of a server; the real clouds take minutes for what takes seconds here."""

    appear: float = 0.0  # from the order until the server exists for its customer
    create: float = 1.0  # without an address
    install: float = 3.0  # at least this long; the host's own birth may take longer
    power: float = 0.5
    destroy: float = 1.0


class Server(BaseModel):
    """A server to its cloud. A cloud adds what its customers ordered and see."""

    name: str  # its host's at the driver, which the clouds of one sandbox share
    phase: Phase = "ordered"
    hostname: str
    user_data: str = Field("", repr=False)
    ssh_keys: list[str] = []
    ordered_at: float
    appears_at: float
    created_at: float | None = None
    installing_at: float | None = None
    address: str | None = None
    booted: bool = True  # whether its birth ends with a running host
    power: Switch | None = None  # asked for and not done yet
    ends_at: float | None = None  # when it ends by itself
    run: str = ""  # who ordered it, where the call named a run
    listed_at: float = 0  # a list lacks it until then
    unlocks_at: float = 0  # its installation's lock lasts at least until then

    @property
    def living(self) -> bool:
        """Whether it is or will be, and nobody has put an end to it."""
        return self.phase not in {"ending", "gone"}


class FaultMatch(BaseModel):
    """Regular expressions: `method` matches whole, `path` anywhere in the path, with or without the version."""

    method: str = ".*"
    path: str = ".*"


class Fault(Effect):
    """A rule: what goes wrong with the next `times` calls that match; `times` None means with all of them."""

    id: int = 0
    match: FaultMatch = Field(default_factory=FaultMatch)
    times: int | None = Field(1, ge=1)
