"""Messages of the payment service as rows, and what follows from them: orders, periods, refunds, or a case for people.

A message is written down with its effect in one transaction, once. Its effect is always worked out from everything that
is known of the same payment and subscription, so that repeats and any order of arrival lead to the same rows; an order
that comes after its messages takes them in (`catch_up`).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.models_jobs import Job
from db.models_sales import Customer, Order, PaymentEvent, Refund, Subscription
from db.queries import jobs, orders
from db.queries.orders import SUBSCRIPTION_LOCK, Placed, Refused
from db.queries.payment_outcomes import Known, judge
from domain.payments import Facts, PaymentNews, Standing, Told, asked_in, refunded, standing
from domain.sales import EventOutcome, JobType, OrderStatus, RefundStatus, SubscriptionStatus

PAYMENT_SERVICE = "stripe"


@dataclass
class Taken:
    """`new` is false for a message that was here before. What is to be started stands in `placed` and `changes`."""

    new: bool
    outcome: EventOutcome
    placed: Placed | None = None
    changes: list[Job] = field(default_factory=list)


async def take(session: AsyncSession, news: PaymentNews, base_domain: str) -> Taken:
    """Write a verified message down and do what it asks for, in the caller's transaction."""
    if not await _kept(session, news):
        known = await session.get_one(PaymentEvent, news.id)
        return Taken(new=False, outcome=EventOutcome(known.outcome))
    facts, placed, reason = news.facts, None, ""
    if facts.payment_intent is not None:
        await orders.lock_payment(session, facts.payment_intent)
    if _buys(facts):
        placed, reason = await _place(session, facts, base_domain)
    family = _Family({news.id}, _given(facts.payment_intent), _given(facts.subscription))
    changes = await _follow(session, family, {news.id: reason} if reason else {})
    row = await session.get_one(PaymentEvent, news.id)
    return Taken(True, EventOutcome(row.outcome), placed, changes)


async def catch_up(session: AsyncSession, placed: Placed) -> None:
    """Take in what was told of an order's payment before the order came."""
    await _follow(session, _Family(set(), {placed.order.stripe_payment_intent_id}, set()), {})
    await session.refresh(placed.subscription)  # the database's own times


async def settle(session: AsyncSession, event_id: str, who: str) -> PaymentEvent | None:
    """Somebody has dealt with a case. None where there is no such case, or it is settled."""
    done = await session.execute(
        update(PaymentEvent)
        .where(PaymentEvent.id == event_id, PaymentEvent.outcome == EventOutcome.CASE,
               PaymentEvent.settled_at.is_(None))
        .values(settled_by=who, settled_at=func.now())
        .returning(PaymentEvent)
    )  # fmt: skip
    return done.scalar_one_or_none()


async def _kept(session: AsyncSession, news: PaymentNews) -> bool:
    """False where the message is known; one that is being written at this moment is waited for."""
    kept = await session.execute(
        insert(PaymentEvent)
        .values(id=news.id, type=news.type[:100], happened_at=news.happened_at, livemode=news.livemode,
                facts=news.facts.model_dump(mode="json", exclude_defaults=True) | {"kind": news.facts.kind},
                outcome=EventOutcome.IGNORED)
        .on_conflict_do_nothing()
        .returning(PaymentEvent.id)
    )  # fmt: skip
    return kept.scalar_one_or_none() is not None


# ---- an order


def _buys(facts: Facts) -> bool:
    """Money that may be a new order's: a payment, or the first period of a subscription that says what was bought."""
    if facts.kind is Told.PAID:
        return facts.amount != 0
    return facts.kind is Told.PERIOD_PAID and facts.first and facts.says_what and facts.amount != 0


async def _place(session: AsyncSession, facts: Facts, base_domain: str) -> tuple[Placed | None, str]:
    """The order of a payment, or why none can be made of it."""
    if facts.payment_intent is not None:
        earlier = await orders.of_payment(session, facts.payment_intent)
        if earlier is not None:
            return earlier, ""
    try:
        asked = asked_in(facts, base_domain)
        price = await orders.price_of(session, asked.price_id)
        if facts.amount not in (None, price.amount_cents) or facts.currency not in (None, price.currency):
            return None, (f"{facts.amount} {facts.currency} was paid; the price is {price.amount_cents} "
                          f"{price.currency} (smallest unit).")  # fmt: skip
        return await orders.place(session, asked), ""
    except Refused as refused:
        return None, refused.message
    except ValueError as wrong:
        return None, str(wrong)


# ---- what follows from everything that is known


@dataclass
class _Family:
    """What belongs together: messages by their ids, payments and subscriptions by the payment service's."""

    events: set[str]
    payments: set[str]
    subscriptions: set[str]


def _given(*references: str | None) -> set[str]:
    return {reference for reference in references if reference}


async def _follow(session: AsyncSession, family: _Family, reasons: dict[str, str]) -> list[Job]:
    """Link, renew, refund, and judge every message of a family anew."""
    rows = await _related(session, family)
    for ref in sorted(family.subscriptions):
        await orders.lock(session, SUBSCRIPTION_LOCK, ref)
    if family.subscriptions:
        rows = await _related(session, family)  # also what others committed while we waited
    news = [_news(row) for row in rows]
    known = await _known(session, news)
    await _link(session, known, news)
    changes = []
    for ref, ours in known.subscriptions.items():
        told = standing([one for one in news if one.facts.subscription == ref])
        if _renew(ours, told):
            job = await jobs.request(session, ours.id, JobType.RESUME, reason="paid", requested_by=PAYMENT_SERVICE)
            if job is None:
                known.busy.add(ref)
            else:
                ours.past_due_since = None
                changes.append(job)
    _refund(known, news)
    rows += await _open_cases(session, known, {row.id for row in rows})
    for row in rows:
        if row.settled_at is None:
            _write(row, known, [_news(one) for one in rows], reasons.get(row.id, ""))
    await session.flush()
    return changes


def _write(row: PaymentEvent, known: Known, news: Sequence[PaymentNews], reason: str) -> None:
    kept = row.message if row.outcome == EventOutcome.CASE else ""
    verdict = judge(_news(row), known, news, reason or kept)
    row.outcome, row.message = verdict.outcome, verdict.message
    row.order_id, row.subscription_id = verdict.order_id, verdict.subscription_id


async def _related(session: AsyncSession, family: _Family) -> list[PaymentEvent]:
    """All messages of a family, which grows by what they name."""
    while True:
        query = select(PaymentEvent).where(
            or_(PaymentEvent.id.in_(family.events),
                PaymentEvent.facts["payment_intent"].astext.in_(family.payments),
                PaymentEvent.facts["subscription"].astext.in_(family.subscriptions))
        )  # fmt: skip
        rows = list((await session.execute(query.order_by(PaymentEvent.id))).scalars())
        # A payment by itself names no other; one that is tied to a subscription may have messages of its own.
        payments = _given(*(row.facts.get("payment_intent") for row in rows if row.facts.get("subscription")))
        subscriptions = _given(*(row.facts.get("subscription") for row in rows))
        if payments <= family.payments and subscriptions <= family.subscriptions:
            return rows
        family.payments |= payments
        family.subscriptions |= subscriptions


async def _open_cases(session: AsyncSession, known: Known, seen: Iterable[str]) -> list[PaymentEvent]:
    """Payments of customers whose subscription is known by now: renewals, which say nothing of what was bought."""
    if not known.renewing:
        return []
    query = select(PaymentEvent).where(
        PaymentEvent.outcome == EventOutcome.CASE, PaymentEvent.settled_at.is_(None),
        PaymentEvent.facts["customer"].astext.in_(known.renewing), PaymentEvent.id.not_in(seen),
    )  # fmt: skip
    return list((await session.execute(query)).scalars())


async def _known(session: AsyncSession, news: Sequence[PaymentNews]) -> Known:
    payments = _given(*(one.facts.payment_intent for one in news))
    references = _given(*(one.facts.subscription for one in news))
    found = await session.execute(
        select(Order, Subscription)
        .join(Subscription, Subscription.order_id == Order.id)
        .where(or_(Order.stripe_payment_intent_id.in_(payments), Subscription.stripe_subscription_id.in_(references)))
        .order_by(Order.created_at, Order.id)
        .with_for_update(of=Subscription)
        .execution_options(populate_existing=True)
    )
    known = Known()
    for order, subscription in found:
        known.orders[order.stripe_payment_intent_id] = (order, subscription)
        if subscription.stripe_subscription_id is not None:
            known.subscriptions[subscription.stripe_subscription_id] = subscription
    refs = [order.id for order, _ in known.orders.values()]
    query = select(Refund).where(Refund.order_id.in_(refs)).with_for_update()
    known.refunds = list((await session.execute(query.execution_options(populate_existing=True))).scalars())
    return known


async def _link(session: AsyncSession, known: Known, news: Sequence[PaymentNews]) -> None:
    """A message that names a payment of ours and a subscription ties the two; so do customers."""
    for one in news:
        facts = one.facts
        if facts.payment_intent not in known.orders:
            continue
        _, subscription = known.orders[facts.payment_intent]
        if (
            facts.subscription
            and subscription.stripe_subscription_id is None
            and (facts.subscription not in known.subscriptions)
        ):
            subscription.stripe_subscription_id = facts.subscription
            known.subscriptions[facts.subscription] = subscription
        if facts.customer:
            taken = select(Customer.id).where(Customer.stripe_customer_id == facts.customer)
            await session.execute(
                update(Customer)
                .where(Customer.id == subscription.customer_id, Customer.stripe_customer_id.is_(None),
                       ~taken.exists())
                .values(stripe_customer_id=facts.customer)
                .execution_options(synchronize_session=False)
            )  # fmt: skip
    await session.flush()
    customers = _given(*(one.facts.customer for one in news))
    query = (
        select(Customer.stripe_customer_id)
        .join(Subscription, Subscription.customer_id == Customer.id)
        .where(Customer.stripe_customer_id.in_(customers), Subscription.stripe_subscription_id.is_not(None))
    )
    known.renewing = {ref for ref in (await session.execute(query)).scalars() if ref is not None}


def _renew(row: Subscription, told: Standing) -> bool:
    """Set period and standing; whether it is to be resumed. A period is never shortened."""
    if row.status == SubscriptionStatus.TERMINATED:
        return False
    if told.period_end is not None and row.current_period_end is not None and told.period_end > row.current_period_end:
        row.current_period_start, row.current_period_end = told.period_start or row.current_period_end, told.period_end
    if told.ends is not None:
        row.cancel_at_period_end = told.ends
    if told.past_due_since is not None:
        # One that is suspended for another reason does not become one that a payment resumes.
        if row.status != SubscriptionStatus.SUSPENDED or row.past_due_since is not None:
            row.past_due_since = told.past_due_since
        if row.status == SubscriptionStatus.ACTIVE:
            row.status = SubscriptionStatus.PAST_DUE
        return False
    if row.past_due_since is None or not _made_good(row, told):
        return False
    if row.status == SubscriptionStatus.SUSPENDED:
        return True
    if row.status == SubscriptionStatus.PAST_DUE:
        row.status = SubscriptionStatus.ACTIVE
    row.past_due_since = None
    return False


def _made_good(row: Subscription, told: Standing) -> bool:
    if told.last_paid_at is None or row.past_due_since is None:
        return False
    running = row.current_period_end is None or row.current_period_end > datetime.now(UTC)
    return told.last_paid_at >= row.past_due_since or running


def _refund(known: Known, news: Sequence[PaymentNews]) -> None:
    for row in known.refunds:
        told = [one for one in news if known.refund_of(one.facts) is row]
        status = refunded(told)
        if status is None:
            continue
        row.stripe_refund_id = row.stripe_refund_id or told[0].facts.refund
        if row.status == RefundStatus.FAILED or status in (row.status, RefundStatus.PENDING):
            continue
        row.status = status
        order = next(order for order, _ in known.orders.values() if order.id == row.order_id)
        # Money that came back is owed again.
        order.status = OrderStatus.REFUNDED if status is RefundStatus.SUCCEEDED else OrderStatus.REFUNDING
        row.ended_at = max(one.happened_at for one in told if one.facts.refund_status is status)


def _news(row: PaymentEvent) -> PaymentNews:
    return PaymentNews(id=row.id, type=row.type, happened_at=row.happened_at, livemode=row.livemode,
                       facts=Facts.model_validate(row.facts))  # fmt: skip


async def of_order(session: AsyncSession, order_id: uuid.UUID) -> list[PaymentEvent]:
    """What the payment service told of an order, the newest first."""
    query = select(PaymentEvent).where(PaymentEvent.order_id == order_id)
    rows = await session.execute(query.order_by(PaymentEvent.happened_at.desc(), PaymentEvent.id.desc()))
    return list(rows.scalars())
