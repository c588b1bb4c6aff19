"""Which subscriptions the sweep of lifecycles looks at, and what it writes: job rows, states of payment, letters.

Every query here reads an index that holds only what may be due (`ix_subscriptions_due`, `_past_due`, `_cancelled`,
`_unpaid`, `_paid_again`, `ix_backup_jobs_over`): what nothing is due for costs nothing, however much of it there is.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import ColumnElement, Select, TextClause, exists, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from db.models_jobs import Job
from db.models_sales import Subscription
from db.models_shop import Price
from db.queries import backups, changes, delivery, jobs
from db.queries.changes import Letters
from db.queries.delivery import Delivery
from domain.lifecycle import JOBS, TOLERANCE, Standing, Verdict, decide
from domain.orders import period_end
from domain.sales import GRACE, KEPT_SUSPENDED, NON_PAYMENT, JobStatus, JobType

SWEEP = "lifecycle"  # who asks for a job
REASONS = {Verdict.SUSPEND: NON_PAYMENT, Verdict.RESUME: "paid"}
# Constants, not parameters: a planner uses a partial index only for what it sees to be in it.
ACTIVE, PAST_DUE = text("subscriptions.status = 'ACTIVE'"), text("subscriptions.status = 'PAST_DUE'")
UNPAID = text("subscriptions.status = 'SUSPENDED' and subscriptions.suspended_for = 'non-payment'")
CANCELLED = text("subscriptions.cancel_at_period_end and subscriptions.status in ('ACTIVE','PAST_DUE','SUSPENDED')")
PAID = text("subscriptions.past_due_since is null")


async def candidates(session: AsyncSession, now: datetime, limit: int) -> list[uuid.UUID]:
    """Ids of subscriptions that something may be due for, `limit` of each kind; none that a run is at work on."""
    found: dict[uuid.UUID, None] = {}
    for query in _queries(now, limit):
        found.update(dict.fromkeys((await session.execute(query)).scalars()))
    return list(found)


def _queries(now: datetime, limit: int) -> list[Select[uuid.UUID]]:
    end = Subscription.current_period_end
    free = select(Price.amount_cents).where(Price.id == Subscription.price_id).scalar_subquery() == 0
    return [
        _idle(limit, CANCELLED, end <= now).order_by(end),
        # What is late by less than the tolerance is read and left alone: three days' worth of periods at most.
        _idle(limit, ACTIVE, end <= now, ~Subscription.cancel_at_period_end,
              free | (end <= now - TOLERANCE)).order_by(end),
        _idle(limit, PAST_DUE, Subscription.past_due_since <= now - GRACE).order_by(Subscription.past_due_since),
        _idle(limit, UNPAID, Subscription.suspended_at <= now - KEPT_SUSPENDED).order_by(Subscription.suspended_at),
        _idle(limit, UNPAID, PAID).order_by(Subscription.suspended_at),
    ]  # fmt: skip


def _idle(limit: int, *due: ColumnElement[bool] | TextClause) -> Select[uuid.UUID]:
    at_work = exists().where(Job.subscription_id == Subscription.id, Job.parent_id.is_(None), Job.ended_at.is_(None))
    return select(Subscription.id).where(*due, ~at_work).limit(limit)


async def act(session: AsyncSession, ref: uuid.UUID, letters: Letters) -> Verdict | None:
    """Decide about one, with its row held, and write what follows. None where another change is under way."""
    held = await delivery.load(session, ref, lock=True)
    row = held.subscription
    verdict = decide(standing_of(held, await _taken_back(session, ref)), letters.now)
    match verdict:
        case Verdict.RENEW if row.current_period_end is not None:
            while row.current_period_end is not None and row.current_period_end <= letters.now:
                row.current_period_start = row.current_period_end
                row.current_period_end = period_end(held.price.interval, row.current_period_start)
        case Verdict.PAST_DUE:
            await changes.past_due(held, letters)
        case Verdict.SUSPEND | Verdict.RESUME | Verdict.TERMINATE:
            reason = REASONS.get(verdict) or ("cancelled" if row.cancel_at_period_end else NON_PAYMENT)
            if await jobs.request(session, ref, JOBS[verdict], reason=reason, requested_by=SWEEP) is None:
                return None
    return verdict


def standing_of(held: Delivery, taken_back: tuple[tuple[str, datetime], ...] = ()) -> Standing:
    row = held.subscription
    return Standing(
        status=row.status, interval=held.price.interval, amount_cents=held.price.amount_cents,
        period_end=row.current_period_end, cancel_at_period_end=row.cancel_at_period_end,
        past_due_since=row.past_due_since, suspended_at=row.suspended_at, suspended_for=row.suspended_for,
        taken_back=taken_back,
    )  # fmt: skip


async def _taken_back(session: AsyncSession, ref: uuid.UUID) -> tuple[tuple[str, datetime], ...]:
    query = (
        select(Job.type, func.max(Job.ended_at))
        .where(Job.subscription_id == ref, Job.parent_id.is_(None), Job.ended_at.is_not(None),
               Job.status.in_((JobStatus.FAILED, JobStatus.CANCELLED)))
        .group_by(Job.type)
    )  # fmt: skip
    return tuple((kind, at) for kind, at in await session.execute(query) if at is not None)


async def ask_to_discard(session: AsyncSession, now: datetime, limit: int) -> int:
    """Jobs for backups whose time is over."""
    asked = 0
    for ref in await backups.over(session, now, limit):
        made = await jobs.request(session, ref, JobType.DISCARD_BACKUPS, reason="their time is over",
                                  requested_by=SWEEP)  # fmt: skip
        asked += made is not None
    return asked
