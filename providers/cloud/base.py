"""What Slipway asks of a cloud. One file per cloud implements it; `registry.py` names them.

A cloud states its own numbers: how often to look, and how long after an unanswered order a server may still appear.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from pydantic import BaseModel, Field

from domain.statuses import Tier


class ServerOrder(BaseModel):
    """An order as the cloud gets it. `correlation` is unique to the intent and finds the server again."""

    correlation: str
    product: str
    availability_zone: str
    operating_system: str
    hostname: str
    user_data: str = Field("", repr=False)  # cloud-config; holds the host key, hence never printed
    ssh_keys: list[str] = []


class OrderReceipt(BaseModel):
    """An accepted order. TransIP names no server here, only the process that makes it."""

    action_ref: str | None = None
    provider_ref: str | None = None


class CloudServer(BaseModel):
    """A server as the cloud shows it, in one vocabulary."""

    provider_ref: str
    correlation: str | None = None
    label: str = ""
    status: str  # the cloud's own word
    running: bool  # powered on and past installation
    locked: bool = False
    blocked: bool = False
    address: str | None = None
    location: str = ""
    product: str = ""
    cpus: int | None = None
    memory_mb: int | None = None
    disk_gb: int | None = None
    tags: list[str] = []


class Price(BaseModel):
    product: str
    cents_month: int
    currency: str = "EUR"


class Cancellation(BaseModel):
    """What a cancelled server still costs: `billed_until` is None where billing ends at once."""

    accepted: bool = True
    billed_until: datetime | None = None
    note: str = ""


class Cloud(Protocol):
    """All methods raise the tree of providers/errors.py and nothing else."""

    name: str
    poll_interval: float  # seconds between looks
    late_accept_window: float  # seconds after a sent order in which its server may still appear
    default_availability_zone: str
    default_operating_system: str

    def product_for(self, tier: Tier) -> str:
        """The short public product name of a tier, e.g. bladevps-x4 (R262)."""

    async def price(self, product: str) -> Price:
        """Monthly price from the cloud's own list. InvalidInput(field='product') where it is not sold."""

    async def check_order(self, order: ServerOrder) -> None:
        """Refuse what the cloud would refuse (product, zone, system, lengths) without ordering anything."""

    async def order(self, order: ServerOrder) -> OrderReceipt:
        """Order once; never repeated in here. Unconfirmed on any doubt; RateLimited or Rejected when surely refused."""

    async def find(self, correlation: str) -> list[CloudServer]:
        """Every server that carries the token, in its description or tags; complete over all pages."""

    async def order_in_progress(self, receipt: OrderReceipt) -> bool:
        """Whether the cloud still works on an order."""

    async def claim(self, provider_ref: str, *, label: str, correlation: str) -> None:
        """Give a found server its label and the tags that prove it ours. Safe to repeat."""

    async def get(self, provider_ref: str) -> CloudServer:
        """NotFound when the cloud says so."""

    async def list(self) -> list[CloudServer]:
        """Every server of the account, complete over all pages. Transient where any part of the answer is garbled."""

    async def cancel(self, provider_ref: str, *, immediately: bool) -> Cancellation:
        """End the contract. A server already gone or already cancelled is a success."""

    async def quarantine(self, provider_ref: str) -> None:
        """Power a server off and tag it (ids.QUARANTINE_TAG). Safe to repeat; nothing on it is lost."""

    async def restore(self, provider_ref: str) -> None:
        """Take a quarantine back: without the tag, and powered on. Safe to repeat."""

    async def verify_credentials(self) -> None:
        """Unauthorized when they are not accepted."""

    async def close(self) -> None: ...
