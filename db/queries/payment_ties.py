"""Which subscription of ours one of the payment service's is. What is not certain is not tied: it becomes a case.

In the order of their word: the payment that both name; our own id in the metadata of theirs; else the payment of an
order that was made by the same customer, for the same money and at the same time as the first invoice was paid, and the
name that was bought, where both tell it. Only where one fits one is it that one.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from db.models_sales import Customer, Order, Subscription
from db.queries.payment_family import given
from db.queries.payment_outcomes import Known
from domain.hostnames import same_name
from domain.payments import PaymentNews, Told

AT_ONCE = timedelta(hours=1)  # an invoice and the payment that paid it are told of within seconds


async def link(session: AsyncSession, known: Known, news: Sequence[PaymentNews]) -> None:
    """Customers by a payment that names them, then subscriptions; `known.unsure` holds what may be several."""
    for one in news:
        if one.facts.payment_intent in known.orders:
            _, subscription = known.orders[one.facts.payment_intent]
            await _tie_customer(session, known.customers[subscription.customer_id], one.facts.customer)
            if one.facts.subscription is not None:
                _tie(known, subscription, one.facts.subscription)
    for one in news:
        named = _named(known, one, news)
        if named is not None and one.facts.subscription is not None:
            _tie(known, named, one.facts.subscription)
    known.unsure = _tie_what_is_sure(known, news)
    await session.flush()
    tied = {subscription.customer_id for subscription in known.subscriptions.values()}
    known.renewing = given(*(known.customers[ref].stripe_customer_id for ref in tied))


def _named(known: Known, one: PaymentNews, news: Sequence[PaymentNews]) -> Subscription | None:
    """The subscription whose id somebody wrote into the metadata, if it is one of the same customer's."""
    for order, subscription in known.orders.values():
        if str(subscription.id) == one.facts.ours:
            payer = {
                paid.facts.customer for paid in news if paid.facts.payment_intent == order.stripe_payment_intent_id
            }
            known_as = payer | {known.customers[order.customer_id].stripe_customer_id, None}
            return subscription if one.facts.customer in known_as else None
    return None


def _tie_what_is_sure(known: Known, news: Sequence[PaymentNews]) -> dict[str, list[uuid.UUID]]:
    """Tie where one fits one, again while that leaves others with one. Returns what is left to choose from."""
    firsts = [one for one in news if one.facts.kind is Told.PERIOD_PAID and one.facts.first]
    while True:
        fits = {
            one.facts.subscription: _candidates(known, one, news)
            for one in firsts
            if one.facts.subscription is not None and one.facts.subscription not in known.subscriptions
        }
        wanted = [row.id for found in fits.values() for row in found]
        sure = [(ref, found[0]) for ref, found in fits.items() if len(found) == 1 and wanted.count(found[0].id) == 1]
        if not sure:
            return {ref: [row.id for row in found] for ref, found in fits.items() if found}
        for ref, row in sure:
            _tie(known, row, ref)


def _candidates(known: Known, one: PaymentNews, news: Sequence[PaymentNews]) -> list[Subscription]:
    return [
        subscription
        for order, subscription in known.orders.values()
        if subscription.stripe_subscription_id is None
        and (one.facts.amount, one.facts.currency) == (order.total_amount_cents, order.currency)
        and any(_at_once(one, paid, order) for paid in news)
        and (not one.facts.says_what or one.facts.price_id == str(order.price_id))
        and (not one.facts.domain or same_name(one.facts.domain, order.domain_name or ""))
    ]


def _at_once(one: PaymentNews, paid: PaymentNews, order: Order) -> bool:
    return (
        paid.facts.kind is Told.PAID
        and paid.facts.payment_intent == order.stripe_payment_intent_id
        and paid.facts.customer is not None
        and paid.facts.customer == one.facts.customer
        and abs(paid.happened_at - one.happened_at) <= AT_ONCE
    )


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
