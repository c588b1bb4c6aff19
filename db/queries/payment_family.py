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
from domain.payments import Facts, PaymentNews, Told


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


# ---- tying what is the payment service's to what is ours


async def link(session: AsyncSession, known: Known, news: Sequence[PaymentNews]) -> None:
    """Customers by a payment that names them, subscriptions by a payment or by their customer."""
    for one in news:
        if one.facts.payment_intent in known.orders:
            _, subscription = known.orders[one.facts.payment_intent]
            await _tie_customer(session, known.customers[subscription.customer_id], one.facts.customer)
            if one.facts.subscription is not None:
                _tie(known, subscription, one.facts.subscription)
    for one in news:
        if one.facts.kind is Told.PERIOD_PAID and one.facts.first and one.facts.subscription is not None:
            candidates = _candidates(known, one.facts)
            if len(candidates) == 1:
                _tie(known, candidates[0], one.facts.subscription)
    await session.flush()
    tied = {subscription.customer_id for subscription in known.subscriptions.values()}
    known.renewing = given(*(known.customers[ref].stripe_customer_id for ref in tied))


def _tie(known: Known, subscription: Subscription, reference: str) -> None:
    if subscription.stripe_subscription_id is None and reference not in known.subscriptions:
        subscription.stripe_subscription_id = reference
        known.subscriptions[reference] = subscription


async def _tie_customer(session: AsyncSession, customer: Customer, reference: str | None) -> None:
    if reference is None or customer.stripe_customer_id is not None:
        return
    taken = await session.execute(select(Customer.id).where(Customer.stripe_customer_id == reference))
    if taken.first() is None:
        customer.stripe_customer_id = reference
        await session.flush()


def _candidates(known: Known, facts: Facts) -> list[Subscription]:
    """Subscriptions that the first invoice of one may be about: of its customer, for its money, for what it names."""
    return [
        subscription
        for order, subscription in known.orders.values()
        if subscription.stripe_subscription_id is None
        and facts.customer is not None
        and known.customers[subscription.customer_id].stripe_customer_id == facts.customer
        and (facts.amount, facts.currency) == (order.total_amount_cents, order.currency)
        and (not facts.says_what or facts.price_id == str(order.price_id))
    ]
