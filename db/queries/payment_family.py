"""Messages of the payment service that belong together, and the rows of ours that they are about.

A message names a payment, a subscription, a customer, or some of them; seldom all. Since 2025 an invoice does not tell
which payment paid it, and a payment not which invoice it was for: the customer is what ties the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from db.models_sales import Customer, Order, PaymentEvent, Refund, Subscription
from db.queries import orders
from db.queries.orders import REFERENCE_LOCK
from db.queries.payment_outcomes import Known
from domain.payments import Facts, PaymentNews


@dataclass
class Family:
    """Messages by their ids; payments, subscriptions and customers by the payment service's."""

    events: set[str] = field(default_factory=set)
    payments: set[str] = field(default_factory=set)
    subscriptions: set[str] = field(default_factory=set)
    customers: set[str] = field(default_factory=set)

    @property
    def size(self) -> int:
        return len(self.payments) + len(self.subscriptions) + len(self.customers)


def given(*references: str | None) -> set[str]:
    return {reference for reference in references if reference}


async def gather(session: AsyncSession, family: Family) -> list[PaymentEvent]:
    """All messages of a family, which grows by what they name. Nobody else looks at it until the transaction ends."""
    locked: set[str] = set()
    while True:
        size = family.size
        for reference in sorted((family.subscriptions | family.customers) - locked):
            await orders.lock(session, REFERENCE_LOCK, reference)
            locked.add(reference)
        # Read behind the locks: also what others committed while we waited.
        query = select(PaymentEvent).where(
            or_(PaymentEvent.id.in_(family.events),
                PaymentEvent.facts["payment_intent"].astext.in_(family.payments),
                PaymentEvent.facts["subscription"].astext.in_(family.subscriptions),
                PaymentEvent.facts["customer"].astext.in_(family.customers))
        )  # fmt: skip
        fresh = query.order_by(PaymentEvent.id).execution_options(populate_existing=True)
        rows = list((await session.execute(fresh)).scalars())
        for name, known in (("payment_intent", family.payments), ("subscription", family.subscriptions),
                            ("customer", family.customers)):  # fmt: skip
            known |= given(*(row.facts.get(name) for row in rows))
        if family.size == size:
            return rows


def news_of(row: PaymentEvent) -> PaymentNews:
    return PaymentNews(id=row.id, type=row.type, happened_at=row.happened_at, livemode=row.livemode,
                       facts=Facts.model_validate(row.facts))  # fmt: skip


async def rows_about(session: AsyncSession, news: Sequence[PaymentNews]) -> Known:
    """Orders, subscriptions, customers and refunds that a family is about; subscriptions and refunds are locked."""
    payments = given(*(one.facts.payment_intent for one in news))
    references = given(*(one.facts.subscription for one in news))
    customers = given(*(one.facts.customer for one in news))
    found = await session.execute(
        select(Order, Subscription, Customer)
        .join(Subscription, Subscription.order_id == Order.id)
        .join(Customer, Customer.id == Order.customer_id)
        .where(or_(Order.stripe_payment_intent_id.in_(payments), Subscription.stripe_subscription_id.in_(references),
                   Customer.stripe_customer_id.in_(customers)))
        .order_by(Order.created_at, Order.id)
        .with_for_update(of=Subscription)
        .execution_options(populate_existing=True)
    )  # fmt: skip
    known = Known()
    for order, subscription, customer in found:
        known.orders[order.stripe_payment_intent_id] = (order, subscription)
        known.customers[customer.id] = customer
        if subscription.stripe_subscription_id is not None:
            known.subscriptions[subscription.stripe_subscription_id] = subscription
    refs = [order.id for order, _ in known.orders.values()]
    query = select(Refund).where(Refund.order_id.in_(refs)).with_for_update()
    known.refunds = list((await session.execute(query.execution_options(populate_existing=True))).scalars())
    return known
