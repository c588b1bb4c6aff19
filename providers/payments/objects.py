"""Stripe's objects as far as we use them, read the same from every API version.

An event keeps the shape of the version that its account had when it happened, so old and new stand side by side:
since 2025-03-31 (basil) a subscription's period is told by its items, an invoice names its subscription under `parent`
and its payment under `payments`. References are ids, or whole objects where a call expanded them.

Amounts are whole numbers of the currency's smallest unit, currencies upper case, times epoch seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from providers.errors import Transient

PROVIDER = "stripe"
MARK = "slipwayRefund"  # in a refund's metadata: the key it was ordered with
OURS = "slipwaySubscription"  # in a subscription's metadata: the id of ours
Json = dict[str, Any]
M = TypeVar("M", bound=BaseModel)


class Malformed(Transient):
    """Stripe's answer or event lacks what it must have: something between us and it, or a version nobody has met."""


class PaymentIntent(BaseModel, frozen=True):
    id: str = Field(min_length=1)
    status: str  # succeeded, requires_payment_method, processing, canceled, …
    amount: int
    amount_received: int
    currency: str
    customer: str | None = None
    email: str | None = Field(None, repr=False)
    charge: str | None = None  # the latest one
    created: int = 0
    metadata: dict[str, str] = {}

    @property
    def paid(self) -> bool:
        return self.status == "succeeded"


class Refund(BaseModel, frozen=True):
    id: str = Field(min_length=1)
    status: str  # pending, requires_action, succeeded, failed, canceled
    amount: int
    currency: str
    payment_intent: str | None = None
    charge: str | None = None
    reason: str | None = None
    failure_reason: str | None = None
    created: int = 0
    metadata: dict[str, str] = {}

    @property
    def lost(self) -> bool:
        """The money stays with us, or came back. A refund may fail days after it had succeeded."""
        return self.status in {"failed", "canceled"}


class Item(BaseModel, frozen=True):
    """What a subscription charges for."""

    id: str | None = None
    price: str | None = None  # Stripe's id


class Subscription(BaseModel, frozen=True):
    id: str = Field(min_length=1)
    status: str  # incomplete, incomplete_expired, trialing, active, past_due, canceled, unpaid, paused
    customer: str | None = None
    period_start: int | None = None
    period_end: int | None = None
    cancel_at_period_end: bool = False
    cancel_at: int | None = None
    items: tuple[Item, ...] = ()
    metadata: dict[str, str] = {}

    @property
    def ended(self) -> bool:
        """By its status: `ended_at` is no proof."""
        return self.status in {"canceled", "incomplete_expired"}

    @property
    def ends_at(self) -> int | None:
        """When it will end by itself; None where it goes on. Stripe's portal may set `cancel_at` alone."""
        return self.cancel_at or (self.period_end if self.cancel_at_period_end else None)


class Invoice(BaseModel, frozen=True):
    id: str = Field(min_length=1)
    status: str | None = None  # draft, open, paid, uncollectible, void
    billing_reason: str | None = None  # subscription_create, subscription_cycle, subscription_update, manual, …
    subscription: str | None = None
    customer: str | None = None
    email: str | None = Field(None, repr=False)
    payment_intent: str | None = None  # often untold: see Stripe.payment_of_invoice
    amount_paid: int
    amount_due: int
    currency: str
    period_start: int | None = None  # of the service that is paid for; None where no line tells it
    period_end: int | None = None
    attempt_count: int = 0
    next_attempt_at: int | None = None
    metadata: dict[str, str] = {}  # the subscription's, overridden by its own


def payment_intent(read: Json) -> PaymentIntent:
    return made(PaymentIntent, "payment_intent", read, {
        **told(read, "id", "status", "amount", "created"),
        "amount_received": read.get("amount_received") or 0,
        "currency": currency(read),
        "customer": reference(read.get("customer")),
        "email": read.get("receipt_email"),
        "charge": reference(read.get("latest_charge")),
        "metadata": metadata(read),
    })  # fmt: skip


def refund(read: Json) -> Refund:
    return made(Refund, "refund", read, {
        **told(read, "id", "status", "amount", "created", "reason", "failure_reason"),
        "currency": currency(read),
        "payment_intent": reference(read.get("payment_intent")),
        "charge": reference(read.get("charge")),
        "metadata": metadata(read),
    })  # fmt: skip


def subscription(read: Json) -> Subscription:
    items = objects(read.get("items"))
    starts = numbers(item.get("current_period_start") for item in items)
    ends = numbers(item.get("current_period_end") for item in items)
    return made(Subscription, "subscription", read, {
        **told(read, "id", "status", "cancel_at", "cancel_at_period_end"),
        "customer": reference(read.get("customer")),
        # Items may be billed at different times: paid up to the first end.
        "period_start": max(starts, default=read.get("current_period_start")),
        "period_end": min(ends, default=read.get("current_period_end")),
        "items": tuple({"id": reference(item), "price": reference(item.get("price"))} for item in items),
        "metadata": metadata(read),
    })  # fmt: skip


def invoice(read: Json) -> Invoice:
    details = child(child(read, "parent"), "subscription_details")
    start, end = service_period(objects(read.get("lines")))
    return made(Invoice, "invoice", read, {
        **told(read, "id", "status", "billing_reason", "amount_paid", "amount_due", "attempt_count"),
        "subscription": reference(read.get("subscription")) or reference(details.get("subscription")),
        "customer": reference(read.get("customer")),
        "email": read.get("customer_email"),
        "payment_intent": reference(read.get("payment_intent")) or paying_intent(objects(read.get("payments"))),
        "currency": currency(read),
        "period_start": start,
        "period_end": end,
        "next_attempt_at": read.get("next_payment_attempt"),
        "metadata": metadata(child(read, "subscription_details")) | metadata(details) | metadata(read),
    })  # fmt: skip


def service_period(lines: list[Json]) -> tuple[int | None, int | None]:
    """(start, end) of what an invoice's lines sell. Not the invoice's own period, which is the one that is over."""
    ours = [line for line in lines if _of_subscription(line)]
    periods = [child(line, "period") for line in [line for line in ours if not _proration(line)] or ours]
    starts, ends = numbers(one.get("start") for one in periods), numbers(one.get("end") for one in periods)
    return max(starts, default=None), max(ends, default=None)


def paying_intent(payments: list[Json]) -> str | None:
    """The payment intent among an invoice's payments: the one that paid, else the default one, else the first."""
    found = [one for one in payments if reference(child(one, "payment").get("payment_intent"))]
    found.sort(key=lambda one: (one.get("status") != "paid", not one.get("is_default")))
    return reference(child(found[0], "payment").get("payment_intent")) if found else None


def _of_subscription(line: Json) -> bool:
    parent = child(line, "parent")
    if parent:
        return parent.get("type") == "subscription_item_details"
    return line.get("type") == "subscription"


def _proration(line: Json) -> bool:
    return bool(line.get("proration") or child(child(line, "parent"), "subscription_item_details").get("proration"))


# ---- members


def made(kind: type[M], name: str, read: Json, members: Json) -> M:
    """Malformed where `read` is no such object, or lacks what we cannot do without."""
    if read.get("object") != name:
        raise Malformed(f"Stripe showed something that is no {name}", provider=PROVIDER)
    try:
        return kind(**members)
    except ValidationError as error:
        wrong = sorted({str(one["loc"][0]) for one in error.errors() if one["loc"]})
        raise Malformed(f"Stripe showed a {name} without a usable {', '.join(wrong)}", provider=PROVIDER) from None


def told(read: Json, *names: str) -> Json:
    """The members that are there and not null; the model's defaults and demands decide on the others."""
    return {name: read[name] for name in names if read.get(name) is not None}


def reference(value: object) -> str | None:
    """An id, also of an expanded object."""
    if isinstance(value, dict):
        value = value.get("id")
    return value if isinstance(value, str) and value else None


def currency(read: Json) -> str | None:
    value = read.get("currency")
    return value.upper() if isinstance(value, str) and value else None


def metadata(read: Json) -> dict[str, str]:
    """Keys and values as texts; without NUL, which no database of ours takes."""
    pairs = child(read, "metadata").items()
    return {str(key).replace("\0", ""): str(value).replace("\0", "") for key, value in pairs if value is not None}


def child(read: Json, name: str) -> Json:
    value = read.get(name)
    return value if isinstance(value, dict) else {}


def objects(listed: object) -> list[Json]:
    """The objects of a list object; none where it is not there."""
    data = listed.get("data") if isinstance(listed, dict) else None
    return [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []


def numbers(values: Iterable[object]) -> list[int]:
    return [value for value in values if isinstance(value, int) and not isinstance(value, bool)]
