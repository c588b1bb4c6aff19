"""What the sandbox's Stripe remembers. Amounts in the smallest unit, times in epoch seconds, currencies lower case."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

Interval = Literal["month", "year"]
DAY = 86400


class Customer(BaseModel):
    id: str
    email: str
    created: int


class Payment(BaseModel):
    """A payment intent with its one charge, and the session of the checkout that made it, if one did."""

    id: str
    charge: str
    session: str | None = None
    amount: int
    currency: str
    customer: str
    email: str
    metadata: dict[str, str] = {}
    status: Literal["processing", "succeeded", "requires_payment_method"] = "succeeded"
    refunded: int = 0  # also what is on its way
    disputed: bool = False
    created: int


class Refund(BaseModel):
    id: str
    payment: str
    amount: int
    status: Literal["pending", "succeeded", "failed", "canceled"]
    reason: str | None = None
    failure_reason: str | None = None
    metadata: dict[str, str] = {}
    created: int


class Dispute(BaseModel):
    id: str
    payment: str
    amount: int
    reason: str = "general"
    status: str = "needs_response"
    due_by: int
    created: int


class Price(BaseModel):
    """What a subscription may be moved to."""

    id: str
    amount: int
    currency: str
    interval: Interval


class Subscription(BaseModel):
    id: str
    item: str
    customer: str
    price: str
    amount: int
    currency: str
    interval: Interval
    status: Literal["active", "past_due", "canceled"] = "active"
    period_start: int
    period_end: int
    cancel_at_period_end: bool = False
    canceled_at: int | None = None
    ended_at: int | None = None
    end_reason: str | None = None
    latest_invoice: str | None = None
    unbilled: int = 0  # differences of changed prices, for the next invoice
    metadata: dict[str, str] = {}
    created: int


class Invoice(BaseModel):
    """For one period of a subscription."""

    id: str
    subscription: str
    payment: str
    amount: int | None = None  # of the period alone; None: the subscription's
    prorated: int = 0  # differences of changed prices
    billing_reason: Literal["subscription_create", "subscription_cycle", "subscription_update"]
    status: Literal["open", "paid", "void"]
    period_start: int
    period_end: int
    attempt_count: int = 1
    next_attempt: int | None = None
    created: int


class StoredEvent(BaseModel):
    """As it happened: what it tells of is never read anew."""

    id: str
    type: str
    created: int
    api_version: str
    object: dict[str, Any]
    previous: dict[str, Any] | None = None
    request: str | None = None  # the Idempotency-Key of the call that caused it


class KeptAnswer(BaseModel):
    """What a POST with an Idempotency-Key was answered, and to which request."""

    key: str
    request: str  # hash of method, path and parameters
    status: int
    body: str
    created: float


class Endpoint(BaseModel):
    """Where events go. Every secret signs. `copies` of each event are sent, in random order if `shuffle`, each up to
    `jitter` seconds late; an answer that is not 2xx, or none, is followed by another try after `retries`' seconds.

    Without `enabled` events happen and are never sent.
    """

    url: str
    secrets: list[str] = Field(min_length=1, repr=False)
    enabled: bool = True
    copies: int = Field(1, ge=1, le=20)
    shuffle: bool = False
    jitter: float = Field(0, ge=0)
    timeout: float = Field(10, gt=0)
    retries: list[float] = [0.2, 0.5, 1, 2, 5, 10, 30, 60]
    types: list[str] = ["*"]


class Delivery(BaseModel):
    """One copy of an event on its way."""

    id: int
    event: str
    due_at: float
    attempts: int = 0
    state: Literal["pending", "delivered", "failed"] = "pending"
    answers: list[int] = []  # statuses; 0 where none came


class Options(BaseModel):
    """The account's manners."""

    api_version: str = "2026-10-28.endive"  # of events
    refunds: Literal["succeeded", "pending"] = "succeeded"  # what a new refund's state is
    keep_keys: float = DAY  # seconds
    livemode: bool = False
