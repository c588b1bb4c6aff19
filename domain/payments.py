"""What a payment service has told, in our words: one flat set of facts per message, kept with it as a row.

Messages come more than once and in any order, so nothing is ever counted or added up: what an order or subscription is
like follows from all facts that are known of it, whichever came last (`Standing`). Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum

from pydantic import BaseModel, Field
from pydantic.networks import validate_email

from domain.hostnames import site_domain
from domain.orders import OrderAsked
from domain.sales import OrderSource, RefundStatus


class Told(StrEnum):
    PAID = "paid"  # money has come
    FAILED = "failed"  # money that was on its way does not come
    PERIOD_PAID = "period_paid"
    PERIOD_FAILED = "period_failed"
    SUBSCRIPTION = "subscription"  # how the payment service sees it now
    REFUND = "refund"
    DISPUTE = "dispute"
    NOTHING = "nothing"  # that we act on
    UNREADABLE = "unreadable"


class Facts(BaseModel, frozen=True):
    """References are the payment service's ids, amounts whole numbers of the smallest unit, times epoch seconds."""

    kind: Told
    why: str = ""  # in words, where nothing more is told
    payment_intent: str | None = None
    subscription: str | None = None
    invoice: str | None = None
    customer: str | None = None
    amount: int | None = None
    currency: str | None = None
    # What was bought, as the shop wrote it to the payment (R044's names)
    tenant_slug: str = ""
    price_id: str = ""
    email: str = Field("", repr=False)
    domain: str = ""
    ours: str = ""  # the id of our subscription, where somebody wrote it to theirs
    first: bool = True  # of a period: the one that began the subscription
    period_start: int | None = None
    period_end: int | None = None
    ends: bool = False  # of a subscription: over, or told to end with its period
    over: bool = False  # of a subscription or a dispute
    lost: bool = False  # of a dispute
    dispute: str | None = None
    refund: str | None = None
    refund_key: str = ""  # ours
    refund_status: RefundStatus | None = None

    @property
    def says_what(self) -> bool:
        return bool(self.tenant_slug and self.price_id)


class PaymentNews(BaseModel, frozen=True):
    id: str
    type: str
    happened_at: datetime
    livemode: bool
    facts: Facts


def asked_in(facts: Facts, base_domain: str) -> OrderAsked:
    """The order that a payment's metadata describes. ValueError says in a sentence what is missing or wrong."""
    if not facts.says_what:
        raise ValueError("The payment's metadata names no tenantSlug and priceId.")
    if facts.payment_intent is None:
        raise ValueError("The message does not tell which payment it was.")
    try:
        email = validate_email(facts.email)[1]
    except ValueError:
        raise ValueError("The payment tells no usable e-mail of the customer.") from None
    try:
        domain = site_domain(facts.domain, base_domain) if facts.domain.strip() else None
    except ValueError as error:
        raise ValueError(f"The domain in the payment's metadata {error}.") from None
    return OrderAsked(tenant_slug=facts.tenant_slug, price_id=facts.price_id, customer_email=email,
                      payment_intent=facts.payment_intent, domain=domain, source=OrderSource.STRIPE)  # fmt: skip


class EventsFetched(BaseModel):
    """What a sweep asked the payment service for: messages listed, and those that the webhook had not brought."""

    listed: int = 0
    fetched: int = 0
    complete: bool = False  # up to now; otherwise the next sweep goes on


class Standing(BaseModel, frozen=True):
    """How a subscription stands by everything that was told of it."""

    period_start: datetime | None = None  # of the latest period that is paid
    period_end: datetime | None = None
    last_paid_at: datetime | None = None
    past_due_since: datetime | None = None  # the first failure that no payment has made good
    ends: bool | None = None  # None: nobody ever said that it should


def standing(news: Sequence[PaymentNews]) -> Standing:
    """The same for every order of `news`. A failure is made good by a payment of its invoice, or by any later one."""
    paid = [one for one in news if one.facts.kind is Told.PERIOD_PAID]
    periods = [(end, one.facts.period_start or end) for one in paid if (end := one.facts.period_end) is not None]
    end, start = max(periods, default=(None, None))
    return Standing(
        period_start=moment(start) if start is not None else None,
        period_end=moment(end) if end is not None else None,
        last_paid_at=_last_paid(news),
        past_due_since=min((one.happened_at for one in open_failures(news)), default=None),
        ends=_ends(news),
    )


def open_failures(news: Sequence[PaymentNews]) -> list[PaymentNews]:
    """Failures that no payment has made good; the service tells of each try of an invoice again."""
    last_paid = _last_paid(news)
    settled = {one.facts.invoice for one in news if one.facts.kind is Told.PERIOD_PAID}
    return [
        one
        for one in news
        if one.facts.kind is Told.PERIOD_FAILED
        and one.facts.invoice not in settled
        and (last_paid is None or one.happened_at > last_paid)
    ]


def _last_paid(news: Sequence[PaymentNews]) -> datetime | None:
    return max((one.happened_at for one in news if one.facts.kind is Told.PERIOD_PAID), default=None)


def _ends(news: Sequence[PaymentNews]) -> bool | None:
    told = [one for one in news if one.facts.kind is Told.SUBSCRIPTION]
    if not any(one.facts.ends for one in told):
        return None
    # Two of one second cannot be told apart by their time; an end is final.
    latest = max(told, key=lambda one: (one.facts.over, one.happened_at, one.facts.ends, one.id))
    return latest.facts.ends


def refunded(news: Sequence[PaymentNews]) -> RefundStatus | None:
    """How one refund stands: a failure is final, also after it had succeeded."""
    told = {one.facts.refund_status for one in news if one.facts.kind is Told.REFUND}
    for status in (RefundStatus.FAILED, RefundStatus.SUCCEEDED, RefundStatus.PENDING):
        if status in told:
            return status
    return None


_LAST = 253_402_300_799  # the end of the year 9999


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(min(max(seconds, 0), _LAST), UTC)
