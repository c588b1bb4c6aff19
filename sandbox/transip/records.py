"""What the sandbox's TransIP remembers, and the numbers it runs by. Times are epoch seconds, money is cents."""

from __future__ import annotations

import uuid
from typing import Literal

from pydantic import BaseModel, Field

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


class Fault(BaseModel):
    """What goes wrong with the next `times` calls that match; `times` None means with all of them.

    lose_request  the connection is cut before the call is handled
    lose_answer   the call is handled, then the connection is cut
    delay         the call is handled `seconds` late
    status        answered with `status`, `headers` and `body` (an error sentence, HTML, or empty), not handled
    garbage       answered with 200 and something that is no JSON: `body`, else half an object
    rate_limit    answered with 429, resetting in `seconds`
    """

    id: int = 0
    match: FaultMatch = Field(default_factory=lambda: FaultMatch())
    do: Literal["lose_request", "lose_answer", "delay", "status", "garbage", "rate_limit"]
    times: int | None = Field(1, ge=1)
    seconds: float = 5.0
    status: int = 503
    headers: dict[str, str] = {}
    body: str = ""


class FaultMatch(BaseModel):
    """Regular expressions: `method` matches whole, `path` anywhere in the path, with or without /v6."""

    method: str = ".*"
    path: str = ".*"


Fault.model_rebuild()
