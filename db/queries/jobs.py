"""Jobs that change a subscription: asked for as a row, started by whoever comes first, told of by their run (R162)."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import new_id
from db.models_jobs import Job
from db.models_sales import Order, Subscription, Tenant
from db.queries.orders import label_of
from domain import ids
from domain.fulfilment import ChangeOrder, FulfilmentInputs
from domain.provisioning import RunPolicy
from domain.sales import CHANGES, JobType


async def request(
    session: AsyncSession,
    subscription_id: uuid.UUID,
    kind: JobType,
    *,
    reason: str,
    requested_by: str,
    **details: object,
) -> Job | None:
    """The row of a change, in the caller's transaction. None while another run is at work on the subscription.

    `details` are kept in its payload: nothing secret.
    """
    ref = new_id()
    made = await session.execute(
        insert(Job)
        .values(id=ref, type=kind, subscription_id=subscription_id, workflow_id=ids.change_workflow_id(str(ref)),
                payload={"reason": reason, **details}, requested_by=requested_by)
        .on_conflict_do_nothing(
            index_elements=["subscription_id"],
            index_where=text("parent_id is null and ended_at is null and subscription_id is not null"))
        .returning(Job)
    )  # fmt: skip
    return made.scalar_one_or_none()


async def living(session: AsyncSession, subscription_id: uuid.UUID) -> Job | None:
    """The run that is at work on a subscription, if any; the parts of an order are their parent's."""
    query = select(Job).where(Job.subscription_id == subscription_id, Job.parent_id.is_(None), Job.ended_at.is_(None))
    return (await session.execute(query)).scalar_one_or_none()


async def change_of(session: AsyncSession, job: Job, policy: RunPolicy) -> ChangeOrder:
    """The workflow's input, from the rows alone: whoever starts the run starts the same one."""
    found = await session.execute(_SUBJECT.where(Subscription.id == job.subscription_id))
    tenant, order, subscription = found.one()
    return _change(job, tenant, order, subscription, policy)


async def unstarted_changes(
    session: AsyncSession, before: datetime, limit: int, policy: RunPolicy
) -> list[ChangeOrder]:
    """Runs of the lifecycle whose row is committed and not known to be started; orders and servers have their own."""
    query = (
        select(Job, Tenant, Order, Subscription)
        .join(Subscription, Subscription.id == Job.subscription_id)
        .join(Order, Order.id == Subscription.order_id)
        .join(Tenant, Tenant.id == Subscription.tenant_id)
        .where(Job.started_at.is_(None), Job.parent_id.is_(None), Job.type.in_(CHANGES), Job.created_at < before)
        .order_by(Job.created_at)
        .limit(limit)
    )
    rows = await session.execute(query)
    return [_change(job, tenant, order, subscription, policy) for job, tenant, order, subscription in rows]


async def started(session: AsyncSession, job_id: uuid.UUID) -> None:
    await session.execute(
        update(Job)
        .where(Job.id == job_id, Job.started_at.is_(None))
        .values(started_at=func.now())
        .execution_options(synchronize_session=False)
    )


async def remember(session: AsyncSession, job_id: str, name: str, value: str) -> None:
    """Keep what a run found, for its way back. The first word stays: later ones are of its own doing."""
    job = await session.get_one(Job, uuid.UUID(job_id), with_for_update=True)
    if name not in job.payload:
        job.payload = {**job.payload, name: value}
        await session.flush()


async def remembered(session: AsyncSession, job_id: str, name: str) -> str | None:
    return (await session.get_one(Job, uuid.UUID(job_id))).payload.get(name)


_SUBJECT = (
    select(Tenant, Order, Subscription)
    .join(Order, Order.id == Subscription.order_id)
    .join(Tenant, Tenant.id == Subscription.tenant_id)
)


def _change(job: Job, tenant: Tenant, order: Order, subscription: Subscription, policy: RunPolicy) -> ChangeOrder:
    return ChangeOrder(
        job_id=str(job.id),
        job_type=job.type,
        subscription_id=str(subscription.id),
        label=label_of(tenant, order, subscription.id),
        reason=str(job.payload.get("reason", "")),
        requested_by=job.requested_by,
        inputs=FulfilmentInputs(price_id=str(job.payload.get("price_id", ""))),
        policy=policy,
    )
