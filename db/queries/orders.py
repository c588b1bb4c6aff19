"""Placing a paid order: customer, order, subscription, name and jobs, in one transaction (R234–R239).

A payment is ordered once, for ever. Who brings the same payment again waits for whoever was first and gets that order,
so the webhook of the payment service and the marketing site may come in any order, and both at once.
"""

from __future__ import annotations

import re
import unicodedata
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import new_id
from db.models import Organization
from db.models_hosting import Domain
from db.models_jobs import Job
from db.models_sales import Customer, Order, Subscription, Tenant
from db.models_shop import Price, Product
from domain import ids
from domain.catalogue import ProductType
from domain.fulfilment import FulfilmentInputs, FulfilmentOrder
from domain.orders import OrderAsked, period_end
from domain.provisioning import RunPolicy
from domain.sales import PARTS, JobType

# Salts of the locks on a payment, on an e-mail, and on a subscription or customer of the payment service; always in
# this order.
PAYMENT_LOCK, EMAIL_LOCK, REFERENCE_LOCK = 7466901, 7466902, 7466903


class Refused(Exception):
    """Nothing can be ordered like this. `field` in the spelling of R044."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class OtherContent(Exception):
    """This payment has an order already, and it differs in `field`."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


@dataclass(frozen=True)
class Placed:
    tenant: Tenant
    customer: Customer
    order: Order
    subscription: Subscription
    jobs: list[Job]  # the parent, then its parts
    created: bool


async def place(session: AsyncSession, asked: OrderAsked) -> Placed:
    """The order of a payment, made if new. Refused, OtherContent; nothing is to be committed then."""
    await lock_payment(session, asked.payment_intent)
    earlier = await of_payment(session, asked.payment_intent)
    if earlier is not None:
        _compare(earlier, asked)
        return earlier
    tenant = await _tenant(session, asked.tenant_slug)
    price = await price_of(session, asked.price_id)
    customer = await _customer(session, tenant, asked)
    order = Order(
        id=new_id(), tenant_id=tenant.id, customer_id=customer.id, price_id=price.id,
        total_amount_cents=price.amount_cents, currency=price.currency, source=asked.source,
        stripe_payment_intent_id=asked.payment_intent, domain_name=asked.domain,
    )  # fmt: skip
    session.add(order)
    await session.flush()
    now = datetime.now(UTC)
    subscription = Subscription(
        id=new_id(), tenant_id=tenant.id, order_id=order.id, customer_id=customer.id, price_id=price.id,
        current_period_start=now, current_period_end=period_end(price.interval, now),
    )  # fmt: skip
    session.add(subscription)
    await session.flush()
    if asked.domain is not None:
        # It claims nothing yet: a name that is taken does not refuse money that has come, the run stops for it.
        session.add(Domain(id=new_id(), organization_id=customer.organization_id, subscription_id=subscription.id,
                           name=asked.domain))  # fmt: skip
    jobs = await _jobs(session, order, subscription)
    for row in (order, subscription, *jobs):
        await session.refresh(row)  # the database's own times
    return Placed(tenant, customer, order, subscription, jobs, created=True)


async def lock_payment(session: AsyncSession, payment_intent: str) -> None:
    """Until the transaction ends nobody else orders for this payment, or reads what was told of it."""
    await lock(session, PAYMENT_LOCK, payment_intent)


async def lock(session: AsyncSession, salt: int, name: str) -> None:
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, salt))))


async def of_payment(session: AsyncSession, payment_intent: str) -> Placed | None:
    found = (
        await session.execute(
            select(Tenant, Customer, Order, Subscription)
            .join(Order, Order.tenant_id == Tenant.id)
            .join(Customer, Customer.id == Order.customer_id)
            .join(Subscription, Subscription.order_id == Order.id)
            .where(Order.stripe_payment_intent_id == payment_intent)
        )
    ).one_or_none()
    if found is None:
        return None
    tenant, customer, order, subscription = found
    return Placed(tenant, customer, order, subscription, await jobs_of(session, payment_intent), created=False)


async def jobs_of(session: AsyncSession, payment_intent: str) -> list[Job]:
    """The parent, then its parts in their documented order."""
    called = [ids.order_workflow_id(payment_intent), *(ids.part_workflow_id(payment_intent, part) for part in PARTS)]
    rows = (await session.execute(select(Job).where(Job.workflow_id.in_(called)))).scalars()
    return sorted(rows, key=lambda row: called.index(row.workflow_id))


# ---- its run


async def unstarted(session: AsyncSession, before: datetime, limit: int, policy: RunPolicy) -> list[FulfilmentOrder]:
    query = (
        select(Order.stripe_payment_intent_id)
        .where(Order.started_at.is_(None), Order.created_at < before)
        .order_by(Order.created_at)
        .limit(limit)
    )
    payments = (await session.execute(query)).scalars().all()
    placed = [await of_payment(session, payment) for payment in payments]
    return [run_of(one, policy) for one in placed if one is not None]


def run_of(placed: Placed, policy: RunPolicy) -> FulfilmentOrder:
    """The workflow's input, from the rows alone: whoever starts the run starts the same one."""
    parent, *parts = placed.jobs
    return FulfilmentOrder(
        order_id=str(placed.order.id),
        subscription_id=str(placed.subscription.id),
        job_id=str(parent.id),
        payment_intent=placed.order.stripe_payment_intent_id,
        label=label_of(placed.tenant, placed.order, placed.subscription.id),
        parts={part.type: str(part.id) for part in parts},
        inputs=FulfilmentInputs(domain=placed.order.domain_name or ""),
        policy=policy,
    )


def label_of(tenant: Tenant, order: Order, subscription_id: uuid.UUID) -> str:
    """What people call it: the tenant, and the name that was asked for or the first label of the platform's."""
    return f"{tenant.slug}/{order.domain_name or ids.site_name(str(subscription_id), '').rstrip('.')}"


async def mark_started(session: AsyncSession, order: FulfilmentOrder) -> None:
    """Of the order and of its parent job; the parts are started by their parent."""
    for table, ref in ((Order, order.order_id), (Job, order.job_id)):
        await session.execute(
            update(table)
            .where(table.id == uuid.UUID(ref), table.started_at.is_(None))
            .values(started_at=func.now())
            .execution_options(synchronize_session=False)
        )


# ---- what it is made of


def _compare(earlier: Placed, asked: OrderAsked) -> None:
    told = {
        "tenantSlug": (earlier.tenant.slug, asked.tenant_slug),
        "priceId": (str(earlier.order.price_id), asked.price_id),
        "customerEmail": (earlier.customer.email.lower(), asked.customer_email.lower()),
        "domain": (earlier.order.domain_name, asked.domain),
    }
    for field, (kept, given) in told.items():
        if kept != given:
            raise OtherContent(field)


async def _tenant(session: AsyncSession, slug: str) -> Tenant:
    row = (await session.execute(select(Tenant).where(Tenant.slug == slug))).scalar_one_or_none()
    if row is None or not row.is_active:
        raise Refused("tenantSlug", "tenantSlug names no active tenant.")
    return row


async def price_of(session: AsyncSession, ref: str) -> Price:
    """What is sold for a price's id, or Refused. Locked until the order is written: one that ends meanwhile was sold
    before."""
    try:
        price_id = uuid.UUID(ref)
    except ValueError:
        raise Refused("priceId", "priceId names no price.") from None
    found = (
        await session.execute(
            select(Price, Product)
            .join(Product, Product.id == Price.product_id)
            .where(Price.id == price_id)
            .with_for_update(read=True)
        )
    ).one_or_none()
    if found is None:
        raise Refused("priceId", "priceId names no price.")
    price, product = found
    if not price.active or not product.active:
        raise Refused("priceId", "priceId names a price that is not sold any more.")
    if product.type != ProductType.HOSTING:
        raise Refused("priceId", f"priceId names a price of type {product.type}; only hosting is ordered here.")
    return price


async def _customer(session: AsyncSession, tenant: Tenant, asked: OrderAsked) -> Customer:
    """Found by e-mail within the tenant, whatever its capitals; a new one gets an organization of its own (X07)."""
    await lock(session, EMAIL_LOCK, f"{tenant.id}/{asked.customer_email.lower()}")
    query = select(Customer).where(
        Customer.tenant_id == tenant.id, func.lower(Customer.email) == asked.customer_email.lower()
    )
    known = (await session.execute(query)).scalar_one_or_none()
    if known is not None:
        return known
    organization = await _organization(session, tenant, asked)
    made = Customer(id=new_id(), tenant_id=tenant.id, organization_id=organization, email=asked.customer_email)
    session.add(made)
    await session.flush()
    return made


async def _organization(session: AsyncSession, tenant: Tenant, asked: OrderAsked) -> uuid.UUID:
    ref = new_id()
    for slug in _slugs(asked, ref):
        values = {"id": ref, "name": asked.domain or asked.customer_email[:200], "slug": slug, "tenant_id": tenant.id}
        made = await session.execute(
            insert(Organization)
            .values(values)
            .on_conflict_do_nothing(index_elements=["slug"])
            .returning(Organization.id)
        )
        if made.scalar_one_or_none() is not None:
            return ref
    raise RuntimeError("no slug is free for an organization")


def _slugs(asked: OrderAsked, ref: uuid.UUID) -> Iterable[str]:
    """The name that was asked for, or the e-mail's; then the same with something random, which is surely free."""
    source = asked.domain.split(".")[0] if asked.domain else asked.customer_email.split("@")[0]
    plain = unicodedata.normalize("NFKD", source).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"-{2,}", "-", re.sub(r"[^a-z0-9]+", "-", plain)).strip("-")[:40].strip("-")
    if ids.is_slug(stem) and stem not in ids.RESERVED_SLUGS:
        yield stem
    yield f"{stem or 'customer'}-{ref.hex[-6:]}"
    yield f"customer-{ref.hex}"


async def _jobs(session: AsyncSession, order: Order, subscription: Subscription) -> list[Job]:
    """Four rows (R238): the whole, which is started from here, and its parts, which it starts."""
    payment = order.stripe_payment_intent_id
    payload = {"order_id": str(order.id), "domain": order.domain_name}
    parent = Job(
        id=new_id(), type=JobType.FULFIL_ORDER, subscription_id=subscription.id, requested_by=order.source,
        workflow_id=ids.order_workflow_id(payment), payload=payload,
    )  # fmt: skip
    session.add(parent)
    await session.flush()
    parts = [
        Job(id=new_id(), type=part, subscription_id=subscription.id, parent_id=parent.id, payload=payload,
            requested_by=order.source, workflow_id=ids.part_workflow_id(payment, part))
        for part in PARTS
    ]  # fmt: skip
    session.add_all(parts)
    await session.flush()
    return [parent, *parts]
