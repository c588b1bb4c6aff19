"""What came of a message of the payment service: done, ignored, or a case that somebody must look at. Pure on rows.

Nothing is ever a case because of when it came: the same messages have the same outcomes in any order.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from db.models_sales import Customer, Order, Refund, Subscription
from domain.payments import Facts, PaymentNews, Told
from domain.sales import EventOutcome

BUSY = "It is paid again, but another run is at work on the suspended subscription; resume it by hand."
DEAD = "A period was paid for a subscription that had ended."


UNSURE = (
    "{ref} of the payment service may be any of the subscriptions {ours}. Which one, its metadata tells there as soon "
    "as slipwaySubscription holds an id of these."
)


@dataclass
class Known:
    """Rows that messages are about."""

    orders: dict[str, tuple[Order, Subscription]] = field(default_factory=dict)  # by payment
    customers: dict[uuid.UUID, Customer] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)  # by the payment service's id
    refunds: list[Refund] = field(default_factory=list)
    renewing: set[str] = field(default_factory=set)  # the payment service's customers that have a subscription there
    unsure: dict[str, list[uuid.UUID]] = field(default_factory=dict)  # theirs, and those of ours that it may be
    busy: set[str] = field(default_factory=set)  # subscriptions that could not be resumed just now

    def refund_of(self, facts: Facts) -> Refund | None:
        for row in self.refunds:
            if facts.refund is not None and (row.stripe_refund_id == facts.refund or str(row.id) == facts.refund_key):
                return row
        return None


@dataclass(frozen=True)
class Verdict:
    outcome: EventOutcome
    message: str = ""
    order_id: uuid.UUID | None = None
    subscription_id: uuid.UUID | None = None


def judge(one: PaymentNews, known: Known, news: Sequence[PaymentNews], reason: str) -> Verdict:
    """`reason`: why no order could be made of it when it came."""
    facts = one.facts
    order, subscription = known.orders.get(facts.payment_intent or "", (None, None))
    subscription = known.subscriptions.get(facts.subscription or "", subscription)
    outcome, message = _JUDGES[facts.kind](one, _About(order, subscription, known, news, reason))
    return Verdict(
        outcome,
        message,
        order.id if order else subscription.order_id if subscription else None,
        subscription.id if subscription else None,
    )


@dataclass(frozen=True)
class _About:
    order: Order | None  # whose payment the message names
    subscription: Subscription | None
    known: Known
    news: Sequence[PaymentNews]
    reason: str


_Said = tuple[EventOutcome, str]
_FOREIGN: _Said = (EventOutcome.IGNORED, "It is about nothing of ours.")
_DONE: _Said = (EventOutcome.DONE, "")


def _case(message: str) -> _Said:
    return EventOutcome.CASE, message


def _paid(one: PaymentNews, about: _About) -> _Said:
    facts, order = one.facts, about.order
    if order is not None:
        paid = (facts.amount, facts.currency)
        if facts.amount not in (None, order.total_amount_cents) or facts.currency not in (None, order.currency):
            return _case(f"{paid[0]} {paid[1]} was paid for an order of {order.total_amount_cents} {order.currency} "
                         "(smallest unit).")  # fmt: skip
        return _DONE
    if facts.amount == 0:
        return EventOutcome.IGNORED, "Nothing was paid."
    if about.subscription is not None:
        return EventOutcome.IGNORED, "It pays for a period of a subscription; the invoice tells of that."
    if not facts.says_what and (facts.customer in about.known.renewing or _has_invoice(one, about)):
        return EventOutcome.IGNORED, "It pays for a period of a subscription; the invoice tells of that."
    return _case(about.reason or "No order could be made of this payment.")


def _has_invoice(one: PaymentNews, about: _About) -> bool:
    """Whether an invoice for a subscription of ours names this payment."""
    return any(
        other.facts.kind is Told.PERIOD_PAID
        and other.facts.payment_intent == one.facts.payment_intent
        and other.facts.subscription in about.known.subscriptions
        for other in about.news
    )


def _failed(one: PaymentNews, about: _About) -> _Said:
    if about.order is None:
        return _FOREIGN
    made_good = any(
        other.facts.kind is Told.PAID and other.facts.payment_intent == one.facts.payment_intent for other in about.news
    )
    return _DONE if made_good else _case("The payment of this order has failed after it was ordered.")


def _period_paid(one: PaymentNews, about: _About) -> _Said:
    subscription = about.subscription
    if subscription is None:
        return _case(about.reason) if about.reason else _unsure(one, about) or _FOREIGN
    if one.facts.first and about.order is not None:
        return _paid(one, about)
    if subscription.ended_at is not None and one.happened_at > subscription.ended_at:
        return _case(DEAD)
    if one.facts.subscription in about.known.busy and one.happened_at == _last_paid(one, about):
        return _case(BUSY)
    return _DONE


def _last_paid(one: PaymentNews, about: _About) -> datetime:
    paid = [other for other in about.news if other.facts.kind is Told.PERIOD_PAID]
    return max(other.happened_at for other in paid if other.facts.subscription == one.facts.subscription)


def _period_failed(one: PaymentNews, about: _About) -> _Said:
    return _unsure(one, about) or _of_subscription(one, about)


def _unsure(one: PaymentNews, about: _About) -> _Said | None:
    found = about.known.unsure.get(one.facts.subscription or "")
    if not found:
        return None
    return _case(UNSURE.format(ref=one.facts.subscription, ours=" or ".join(sorted(map(str, found)))))


def _of_subscription(one: PaymentNews, about: _About) -> _Said:
    return _FOREIGN if about.subscription is None else _DONE


def _refund(one: PaymentNews, about: _About) -> _Said:
    if about.order is None:
        return _FOREIGN
    if about.known.refund_of(one.facts) is None:
        return _case("Money went back that was not sent from here; the subscription goes on.")
    return _DONE


def _dispute(one: PaymentNews, about: _About) -> _Said:
    if about.order is None:
        return _FOREIGN
    if one.facts.lost:
        return _case("The customer's bank has taken the money back.")
    closed = one.facts.over or any(
        other.facts.kind is Told.DISPUTE and other.facts.dispute == one.facts.dispute and other.facts.over
        for other in about.news
    )
    return _DONE if closed else _case("The customer's bank wants the money back; answer it at the payment service.")


def _nothing(one: PaymentNews, about: _About) -> _Said:
    return EventOutcome.IGNORED, one.facts.why


def _unreadable(one: PaymentNews, about: _About) -> _Said:
    return _case(f"The message cannot be read: {one.facts.why}.")


_JUDGES = {
    Told.PAID: _paid,
    Told.FAILED: _failed,
    Told.PERIOD_PAID: _period_paid,
    Told.PERIOD_FAILED: _period_failed,
    Told.SUBSCRIPTION: _of_subscription,
    Told.REFUND: _refund,
    Told.DISPUTE: _dispute,
    Told.NOTHING: _nothing,
    Told.UNREADABLE: _unreadable,
}
