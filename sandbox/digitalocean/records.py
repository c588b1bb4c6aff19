"""What the sandbox's DigitalOcean remembers, and the numbers it runs by. Times are epoch seconds, money is USD."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from sandbox.clouds import records
from sandbox.clouds.rates import Window

Timings = records.Timings


class Limits(BaseModel):
    """Of one account; the documented numbers. `droplets` is what /v2/account calls droplet_limit."""

    hour: Window = Window(count=5000, seconds=3600)
    burst: Window = Window(count=250, seconds=60)
    key_lists: Window = Window(count=10, seconds=60)
    droplets: int = 25


class Droplet(records.Server):
    id: int
    account: str
    label: str  # what DigitalOcean calls its name; the name is its host's
    size: str
    region: str
    image: str
    tags: list[str] = Field(default_factory=list)
    backups: bool = False
    ipv6: bool = False
    monitoring: bool = False
    vpc: str
    action: int | None = None  # the running one, which is the lock
    paid_by_hour: float


class Action(BaseModel):
    id: int
    account: str
    type: str
    droplet: int
    region: str
    status: Literal["in-progress", "completed", "errored"] = "in-progress"
    started_at: float
    completed_at: float | None = None


class Invoice(BaseModel):
    """A line of the ledger: what a creation made the customer owe."""

    number: str
    account: str
    server: str  # the host's name
    product: str
    label: str
    tags: list[str]
    hourly: float
    at: float


class SshKey(BaseModel):
    id: int
    account: str
    name: str
    public_key: str
    fingerprint: str


class Tag(BaseModel):
    account: str
    name: str
