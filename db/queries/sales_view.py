"""Orders, subscriptions and jobs as they are read: lists with filters, and one with everything that belongs to it.

`organization_id` bounds what is seen, whatever else is asked: a customer sees the own organization's rows alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from db.models_hosting import BackupJob, DnsZone, Domain, HostingAccount, MailAccount
from db.models_jobs import Job
from db.models_sales import Customer, Order, PaymentEvent, Refund, Subscription, Tenant
from db.queries import payments

MOST = 200  # of one kind on a page about one thing

Row = TypeVar("Row")


@dataclass(frozen=True)
class SalesFilter:
    status: str | None = None
    tenant: str | None = None  # its slug
    customer_id: uuid.UUID | None = None
    search: str | None = None  # part of an e-mail or a name, or a whole id of the payment service
    organization_id: uuid.UUID | None = None


class FoundOrder(NamedTuple):
    order: Order
    tenant: Tenant
    customer: Customer


class FoundSubscription(NamedTuple):
    subscription: Subscription
    order: Order
    tenant: Tenant
    customer: Customer


@dataclass(frozen=True)
class WholeOrder:
    found: FoundOrder
    subscription: Subscription
    zones: list[DnsZone]
    jobs: list[Job]
    refunds: list[Refund]
    events: list[PaymentEvent]


@dataclass(frozen=True)
class WholeSubscription:
    found: FoundSubscription
    domains: list[Domain]
    zones: list[DnsZone]
    accounts: list[HostingAccount]
    mailboxes: list[MailAccount]
    backups: list[BackupJob]
    jobs: list[Job]


# ---- orders


async def list_orders(
    session: AsyncSession, wanted: SalesFilter, *, offset: int, limit: int
) -> tuple[int, list[FoundOrder]]:
    """(how many match, one page of them, newest first)."""
    query = _narrowed(_ORDERS, Order, wanted, Order.stripe_payment_intent_id)
    total, rows = await _page(session, query, Order, offset, limit)
    return total, [FoundOrder(*row) for row in rows]


async def order(
    session: AsyncSession, order_id: uuid.UUID, organization_id: uuid.UUID | None = None
) -> WholeOrder | None:
    wanted = SalesFilter(organization_id=organization_id)
    found = (await session.execute(_narrowed(_ORDERS, Order, wanted).where(Order.id == order_id))).one_or_none()
    if found is None:
        return None
    subscription = (await session.execute(select(Subscription).where(Subscription.order_id == order_id))).scalar_one()
    return WholeOrder(
        found=FoundOrder(*found),
        subscription=subscription,
        zones=await _of(session, DnsZone, subscription.id),
        jobs=await _jobs(session, subscription.id),
        refunds=await _all(session, select(Refund).where(Refund.order_id == order_id).order_by(Refund.id)),
        events=await payments.of_order(session, order_id),
    )


# ---- subscriptions


async def list_subscriptions(
    session: AsyncSession, wanted: SalesFilter, *, offset: int, limit: int
) -> tuple[int, list[FoundSubscription]]:
    query = _narrowed(_SUBSCRIPTIONS, Subscription, wanted, Subscription.stripe_subscription_id)
    total, rows = await _page(session, query, Subscription, offset, limit)
    return total, [FoundSubscription(*row) for row in rows]


async def subscription(
    session: AsyncSession, subscription_id: uuid.UUID, organization_id: uuid.UUID | None = None
) -> WholeSubscription | None:
    wanted = SalesFilter(organization_id=organization_id)
    query = _narrowed(_SUBSCRIPTIONS, Subscription, wanted).where(Subscription.id == subscription_id)
    found = (await session.execute(query)).one_or_none()
    if found is None:
        return None
    return WholeSubscription(
        found=FoundSubscription(*found),
        domains=await _of(session, Domain, subscription_id),
        zones=await _of(session, DnsZone, subscription_id),
        accounts=await _of(session, HostingAccount, subscription_id),
        mailboxes=await _of(session, MailAccount, subscription_id),
        backups=await _of(session, BackupJob, subscription_id),
        jobs=await _jobs(session, subscription_id),
    )


# ---- jobs


@dataclass(frozen=True)
class JobFilter:
    type: str | None = None
    status: str | None = None
    subscription_id: uuid.UUID | None = None
    organization_id: uuid.UUID | None = None


async def list_jobs(session: AsyncSession, wanted: JobFilter, *, offset: int, limit: int) -> tuple[int, list[Job]]:
    query = _own_jobs(wanted.organization_id)
    for column, value in ((Job.type, wanted.type), (Job.status, wanted.status),
                          (Job.subscription_id, wanted.subscription_id)):  # fmt: skip
        if value is not None:
            query = query.where(column == value)
    total, rows = await _page(session, query, Job, offset, limit)
    return total, [row[0] for row in rows]


async def job(session: AsyncSession, job_id: uuid.UUID, organization_id: uuid.UUID | None = None) -> Job | None:
    return (await session.execute(_own_jobs(organization_id).where(Job.id == job_id))).scalar_one_or_none()


def _own_jobs(organization_id: uuid.UUID | None) -> Select[Job]:
    if organization_id is None:
        return select(Job)
    # A job on a server of the house is no customer's.
    own = select(Subscription.id).join(Customer, Customer.id == Subscription.customer_id)
    return select(Job).where(Job.subscription_id.in_(own.where(Customer.organization_id == organization_id)))


# ---- what they share

_ORDERS = (
    select(Order, Tenant, Customer)
    .join(Tenant, Tenant.id == Order.tenant_id)
    .join(Customer, Customer.id == Order.customer_id)
)
_SUBSCRIPTIONS = (
    select(Subscription, Order, Tenant, Customer)
    .join(Order, Order.id == Subscription.order_id)
    .join(Tenant, Tenant.id == Subscription.tenant_id)
    .join(Customer, Customer.id == Subscription.customer_id)
)


def _narrowed(query: Any, table: type[Order] | type[Subscription], wanted: SalesFilter, *references: Any) -> Any:
    if wanted.status is not None:
        query = query.where(table.status == wanted.status)
    if wanted.tenant is not None:
        query = query.where(Tenant.slug == wanted.tenant)
    if wanted.customer_id is not None:
        query = query.where(table.customer_id == wanted.customer_id)
    if wanted.organization_id is not None:
        query = query.where(Customer.organization_id == wanted.organization_id)
    if wanted.search:
        text = wanted.search
        query = query.where(
            or_(Customer.email.icontains(text, autoescape=True), Order.domain_name.icontains(text, autoescape=True),
                *(reference == text for reference in references))
        )  # fmt: skip
    return query


async def _page(session: AsyncSession, query: Any, table: Any, offset: int, limit: int) -> tuple[int, Sequence[Any]]:
    counted = query.with_only_columns(table.id).order_by(None).subquery()
    total = (await session.execute(select(func.count()).select_from(counted))).scalar_one()
    page = query.order_by(table.created_at.desc(), table.id.desc()).offset(offset).limit(limit)
    return total, (await session.execute(page)).all()


async def _of(session: AsyncSession, table: type[Row], subscription_id: uuid.UUID) -> list[Row]:
    """The newest rows of a kind, what is gone among them."""
    columns: Any = table
    query = select(table).where(columns.subscription_id == subscription_id).order_by(columns.id.desc()).limit(MOST)
    return await _all(session, query)


async def _jobs(session: AsyncSession, subscription_id: uuid.UUID) -> list[Job]:
    """The newest first, a parent before its parts."""
    rows = await _of(session, Job, subscription_id)
    asked = {row.id: row.created_at for row in rows}
    rows.sort(key=lambda row: (row.parent_id is not None, row.id))
    rows.sort(key=lambda row: asked.get(row.parent_id or row.id, row.created_at), reverse=True)
    return rows


async def _all(session: AsyncSession, query: Any) -> list[Any]:
    return list((await session.execute(query)).scalars())
