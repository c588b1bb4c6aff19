"""What the sandbox's TransIP remembers, and the numbers it runs by. Times are epoch seconds, money is cents."""

from __future__ import annotations

import uuid
from typing import Literal

from pydantic import BaseModel, Field

from sandbox.faults.effects import Effect

Phase = Literal["ordered", "created", "installing", "active", "ending", "gone"]
PowerAction = Literal["start", "stop", "reset"]


class Timings(BaseModel):
    """Seconds between the states of a server; the real cloud takes minutes for what takes seconds here."""

    appear: float = 3.0  # from the order until the server is listed
    create: float = 1.0  # listed, without an address
    install: float = 3.0  # at least this long; the host's own birth may take longer
    power: float = 0.5
    destroy: float = 1.0
    contract: float = 30 * 86400.0  # length of a contract period


class Limits(BaseModel):
    """1000 requests in 15 minutes, sliding, per user (the documented numbers)."""

    requests: int = 1000
    window: float = 900.0


class Vps(BaseModel):
    name: str
    uuid: str = Field(default_factory=lambda: str(uuid.uuid4()))
    login: str
    order: str  # uuid of the order's action
    phase: Phase = "ordered"
    product: str
    operating_system: str
    availability_zone: str
    description: str | None = None
    tags: list[str] = []
    addons: list[str] = []
    hostname: str
    user_data: str = Field("", repr=False)
    ssh_keys: list[str] = []
    ordered_at: float
    appears_at: float
    created_at: float | None = None
    installing_at: float | None = None
    address: str | None = None
    mac: str = ""
    blocked: bool = False
    customer_locked: bool = False
    power: PowerAction | None = None  # asked for and not done yet
    action: str | None = None  # uuid of the running action, which is the lock
    cancelled: Literal["end", "immediately"] | None = None
    ends_at: float | None = None
    run: str = ""  # who ordered it, where the call named a run
    listed_at: float = 0  # a list lacks it until then
    unlocks_at: float = 0  # its installation's lock lasts at least until then


class Action(BaseModel):
    uuid: str = Field(default_factory=lambda: str(uuid.uuid4()))
    login: str
    name: str
    started_at: float
    running: bool = True
    parent: str = ""
    resource: str = ""  # the name of a VPS; an order's action names none


class Invoice(BaseModel):
    """A line of the ledger: what an order made the customer owe."""

    number: str
    login: str
    order: str
    vps: str
    product: str
    description: str | None = None
    cents: int
    at: float


class SshKey(BaseModel):
    id: int
    login: str
    key: str
    description: str = ""
    default: bool = False
    created_at: float


class Token(BaseModel):
    """A given-out token. `label` is unique among those that are still valid."""

    jti: str
    login: str
    label: str
    expires_at: float
    read_only: bool
    revoked: bool = False


class Fault(Effect):
    """A rule: what goes wrong with the next `times` calls that match; `times` None means with all of them."""

    id: int = 0
    match: FaultMatch = Field(default_factory=lambda: FaultMatch())
    times: int | None = Field(1, ge=1)


class FaultMatch(BaseModel):
    """Regular expressions: `method` matches whole, `path` anywhere in the path, with or without /v6."""

    method: str = ".*"
    path: str = ".*"


Fault.model_rebuild()
