"""What the sandbox's Linode remembers, and the numbers it runs by. Times are epoch seconds, money is USD."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from sandbox.clouds import records
from sandbox.clouds.rates import Window

Timings = records.Timings


class Limits(BaseModel):
    """Of one account, for each class of calls. `linodes` is how many it may have at a time."""

    creates: Window = Window(count=20, seconds=15)
    lists: Window = Window(count=200, seconds=60)
    others: Window = Window(count=1600, seconds=60)
    linodes: int = 25


class Linode(records.Server):
    id: int
    account: str
    label: str
    type: str
    region: str
    image: str | None = None
    tags: list[str] = Field(default_factory=list)
    group: str = ""
    backups: bool = False
    private_ip: bool = False
    watchdog: bool = True
    alerts: dict[str, Any] = Field(default_factory=dict)  # those that were changed
    has_user_data: bool = False
    stackscript: int | None = None
    stackscript_data: dict[str, Any] = Field(default_factory=dict)
    updated_at: float
    event: int | None = None  # the running one: while there is one, the Linode is busy


class Event(BaseModel):
    id: int
    account: str
    action: str
    status: Literal["scheduled", "started", "finished", "failed", "notification"] = "started"
    linode: int
    label: str
    image: str | None = None
    created_at: float
    ended_at: float | None = None


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


class StackScript(BaseModel):
    id: int
    account: str
    label: str
    description: str = ""
    images: list[str]
    script: str
    is_public: bool = False
    rev_note: str = ""
    created_at: float
    updated_at: float


class Tag(BaseModel):
    account: str
    label: str
