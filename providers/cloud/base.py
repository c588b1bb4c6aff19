"""What Slipway asks of a cloud. One file per cloud implements it; `registry.py` names them.

A cloud states its own numbers: how often to look, and how long after an unanswered order a server may still appear.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

import httpx
from pydantic import BaseModel, Field, SecretStr

from domain.servers import ActionState, PowerAction
from domain.statuses import Tier


class ServerOrder(BaseModel):
    """An order as the cloud gets it. `correlation` is unique to the intent and finds the server again."""

    correlation: str
    product: str
    availability_zone: str
    operating_system: str
    hostname: str
    user_data: str = Field("", repr=False)  # cloud-config; holds the host key, hence never printed
    ssh_keys: list[str] = []  # public keys; where a cloud knows keys of the account, also their ids or fingerprints
    root_password: SecretStr | None = None
    backups: bool = False
    monitoring: bool = False
    ipv6: bool = False
    private_ip: bool = False
    vpc: str | None = None
    app: str | None = None  # a 1-Click application, instead of the plain operating system
    stackscript: int | None = None
    stackscript_data: dict[str, str] = Field(default_factory=dict, repr=False)
    tags: list[str] = []  # the customer's; ours are added


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
    address: str | None = None  # public IPv4
    ipv6_address: str | None = None
    location: str = ""
    product: str = ""
    cpus: int | None = None
    memory_mb: int | None = None
    disk_gb: int | None = None
    transfer_gb: int | None = None
    tags: list[str] = []


class Price(BaseModel):
    product: str
    cents_month: int
    currency: str = "EUR"
    hourly: Decimal | None = None  # where the cloud bills by the hour


class Image(BaseModel):
    """An operating system image, as routes show it (R023)."""

    id: str
    slug: str | None = None
    label: str = ""
    description: str = ""
    distribution: str = ""
    kind: str = "distribution"  # distribution | application | custom
    public: bool = True
    min_disk_gb: int | None = None
    cloud_init: bool = True
    regions: list[str] = []  # empty means all


class Size(BaseModel):
    """What can be bought (R024). Prices in `currency` without VAT; memory in MB, disk and transfer in GB."""

    id: str
    label: str = ""
    vcpus: int
    memory_mb: int
    disk_gb: int
    transfer_gb: int | None = None
    hourly: Decimal | None = None
    monthly: Decimal
    currency: str = "USD"
    regions: list[str] = []  # empty means all
    region_prices: dict[str, tuple[Decimal | None, Decimal]] = {}  # region -> (hourly, monthly) where it differs
    available: bool = True


class Region(BaseModel):
    """Where it can be bought (R025)."""

    id: str
    label: str = ""
    available: bool = True
    capabilities: list[str] = []


class App(BaseModel):
    """A 1-Click application (R022)."""

    slug: str
    name: str
    description: str = ""
    category: str = ""
    image_slug: str = ""
    compatible_images: list[str] = []


class StackScript(BaseModel):
    """A script a cloud runs at the first start (R026)."""

    id: int
    label: str
    description: str = ""
    images: list[str] = []
    public: bool = False
    fields: list[dict[str, Any]] = []  # user_defined_fields: name, label, default, oneof …


class CallLimit(BaseModel, frozen=True):
    """So many calls of a class in so many seconds, per account; what a cloud documents (R339, R340, X37)."""

    calls: str
    count: int
    seconds: float


class CallGate(Protocol):
    """Asked before every call to a cloud, so that all processes together keep to an account's limits."""

    async def enter(self, *calls: str) -> None:
        """Take one call of each class, or of none: RateLimited(retry_after) where the account has none left for now,
        Transient where nobody knows. Every class must be one of the client's `call_limits`."""

    async def refused(self, calls: str, retry_after: float) -> None:
        """The cloud itself answered 429: nobody of this account makes a call of this class for so many seconds."""


class Account(BaseModel):
    """Access to one account at a cloud: the secret, and what an administrator has configured beside it.

    `configuration` may hold, per cloud: base_url, username (TransIP), default_region, default_image, tiers (tier ->
    size), late_accept_seconds, poll_seconds, limits (class of calls -> count, whole and from 1 on). Unknown members
    are ignored.
    """

    api_key: SecretStr
    configuration: dict[str, Any] = {}


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
    call_limits: tuple[CallLimit, ...]
    takes_root_password: bool  # in the order; elsewhere cloud-init sets it
    power_actions: frozenset[PowerAction]  # what it can do to a server; another one is InvalidInput(field='action')

    def product_for(self, tier: Tier) -> str:
        """The short public product name of a tier, e.g. bladevps-x4 (R262)."""

    async def price(self, product: str, availability_zone: str = "") -> Price:
        """Price from the cloud's own list, of that zone where zones differ. InvalidInput(field='product') where it is
        not sold."""

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

    async def power(self, provider_ref: str, action: PowerAction) -> str | None:
        """Send one power action, once, and return the cloud's name of its process, if it gives one.

        Transient where the server is busy with another; Unconfirmed where the answer was lost.
        """

    async def action_state(self, provider_ref: str, action: PowerAction, action_ref: str | None) -> ActionState:
        """How a sent action fares: by its process where the cloud names one, else by the server's own state."""

    async def images(self) -> builtins.list[Image]: ...

    async def sizes(self) -> builtins.list[Size]: ...

    async def regions(self) -> builtins.list[Region]: ...

    async def apps(self) -> builtins.list[App]:
        """1-Click applications; empty where the cloud has none."""

    async def stackscripts(self) -> builtins.list[StackScript]:
        """Scripts the account may use; empty where the cloud has none."""

    async def verify_credentials(self) -> None:
        """Unauthorized when they are not accepted."""

    async def close(self) -> None: ...


class CloudMaker(Protocol):
    """What registry.py keeps of a cloud: from an account to its client. ValueError where the account is malformed."""

    def __call__(
        self, account: Account, *, gate: CallGate | None = None, transport: httpx.AsyncBaseTransport | None = None,
    ) -> Cloud:  # fmt: skip
        """`transport` replaces the network, for tests."""


def text_of(configuration: Mapping[str, Any], name: str, default: str) -> str:
    """A configured text, or the default where there is none."""
    value = configuration.get(name)
    return value if isinstance(value, str) and value else default


def seconds_of(configuration: Mapping[str, Any], name: str, default: float) -> float:
    """A configured number of seconds, or the default where there is none."""
    value = configuration.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else default
