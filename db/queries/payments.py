"""Messages of the payment service as rows, and what follows from them: orders, periods, refunds, or a case for people.

A message is written down with its effect in one transaction, once. Its effect is always worked out from everything that
is known of the same payment and subscription, so that repeats and any order of arrival lead to the same rows; an order
that comes after its messages takes them in (`catch_up`).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.models_jobs import Job
from db.models_sales import PaymentEvent, Subscription
from db.queries import audit, jobs, orders, payment_letters
from db.queries.audit import Actor
from db.queries.changes import Letters
from db.queries.orders import Placed, Refused
from db.queries.payment_family import Family, gather, given, news_of, rows_about
from db.queries.payment_outcomes import Known, judge
from db.queries.payment_ties import link
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


async def take(session: AsyncSession, news: PaymentNews, base_domain: str, letters: Letters) -> Taken:
    """Write a verified message down and do what it asks for, in the caller's transaction."""
    if not await _kept(session, news):
        known = await session.get_one(PaymentEvent, news.id)
        return Taken(new=False, outcome=EventOutcome(known.outcome))
    facts, placed, reason = news.facts, None, ""
    if facts.payment_intent is not None:
        await orders.lock_payment(session, facts.payment_intent)
    if _buys(facts):
        placed, reason = await _place(session, facts, base_domain)
    family = Family({news.id}, given(facts.payment_intent), given(facts.subscription), given(facts.customer))
    changes = await _follow(session, family, {news.id: reason} if reason else {}, letters)
    row = await session.get_one(PaymentEvent, news.id)
    return Taken(True, EventOutcome(row.outcome), placed, changes)


async def take_audited(
    session: AsyncSession, news: PaymentNews, base_domain: str, letters: Letters, who: Actor
) -> Taken:
    """`take`, with a line in the audit log for an order that comes of it."""
    taken = await take(session, news, base_domain, letters)
    if taken.placed is not None and taken.placed.created:
        await audit.record(session, who, "order.create", "order", str(taken.placed.order.id),
                           tenant=taken.placed.tenant.slug, event=news.id)  # fmt: skip
    return taken


async def catch_up(session: AsyncSession, placed: Placed, letters: Letters) -> None:
    """Take in what was told of an order's payment before the order came."""
    await _follow(session, Family(payments={placed.order.stripe_payment_intent_id}), {}, letters)
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


async def _follow(session: AsyncSession, family: Family, reasons: dict[str, str], letters: Letters) -> list[Job]:
    """Link, renew, refund, and judge every message of a family anew."""
    rows = await gather(session, family)
    news = {row.id: news_of(row) for row in rows}
    known = await rows_about(session, list(news.values()))
    await link(session, known, list(news.values()))
    changes = []
    for ref, ours in known.subscriptions.items():
        told, before = standing([one for one in news.values() if one.facts.subscription == ref]), ours.status
        resumes = _renew(ours, told)
        about = [row for row in rows if news[row.id].facts.subscription == ref]
        await payment_letters.write(session, ours, before, about, letters)
        if resumes:
            job = await jobs.request(session, ours.id, JobType.RESUME, reason="paid", requested_by=PAYMENT_SERVICE)
            if job is None:
                known.busy.add(ref)
            else:
                ours.past_due_since = None
                changes.append(job)
    _refund(known, list(news.values()))
    for row in rows:
        if row.settled_at is None:
            kept = row.message if row.outcome == EventOutcome.CASE else ""
            verdict = judge(news[row.id], known, list(news.values()), reasons.get(row.id) or kept)
            row.outcome, row.message = verdict.outcome, verdict.message
            row.order_id, row.subscription_id = verdict.order_id, verdict.subscription_id
    await session.flush()
    return changes


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


async def of_order(session: AsyncSession, order_id: uuid.UUID) -> list[PaymentEvent]:
    """What the payment service told of an order, the newest first."""
    query = select(PaymentEvent).where(PaymentEvent.order_id == order_id)
    rows = await session.execute(query.order_by(PaymentEvent.happened_at.desc(), PaymentEvent.id.desc()))
    return list(rows.scalars())
