"""What the sandbox's TransIP remembers, and the numbers it runs by. Times are epoch seconds, money is cents."""

from __future__ import annotations

import uuid
from typing import Literal

from pydantic import BaseModel, Field

from sandbox.clouds import records


class Timings(records.Timings):
    appear: float = 3.0  # from the order until the server is listed
    contract: float = 30 * 86400.0  # length of a contract period


class Limits(BaseModel):
    """1000 requests in 15 minutes, sliding, per user (the documented numbers)."""

    requests: int = 1000
    window: float = 900.0


class Vps(records.Server):
    uuid: str = Field(default_factory=lambda: str(uuid.uuid4()))
    login: str
    order: str  # uuid of the order's action
    product: str
    operating_system: str
    availability_zone: str
    description: str | None = None
    tags: list[str] = Field(default_factory=list)
    addons: list[str] = Field(default_factory=list)
    mac: str = ""
    blocked: bool = False
    customer_locked: bool = False
    action: str | None = None  # uuid of the running action, which is the lock
    cancelled: Literal["end", "immediately"] | None = None

    @property
    def living(self) -> bool:
        return super().living and self.cancelled is None


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
