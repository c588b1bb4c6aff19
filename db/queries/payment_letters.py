"""What a customer is written at once, when the payment service has told that a payment failed, or came after all.

One letter for each invoice, however often Stripe tries it and tells of that. A failed payment that the sweep of
lifecycles had noticed before it was told has had its letter.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from db.models_sales import PaymentEvent, Subscription
from db.queries import changes, delivery
from db.queries.changes import Letters
from db.queries.payment_family import news_of
from domain.payments import open_failures
from domain.sales import SubscriptionStatus


async def write(
    session: AsyncSession, row: Subscription, before: str, rows: Sequence[PaymentEvent], letters: Letters
) -> None:
    """`before`: the subscription's status until now. `rows`: all that was told of it; the caller holds their lock."""
    if row.status == SubscriptionStatus.ACTIVE and before == SubscriptionStatus.PAST_DUE:
        await changes.payment_received(await delivery.load(session, row.id), letters)
    if row.status != SubscriptionStatus.PAST_DUE:
        return
    failing = {one.facts.invoice for one in open_failures([news_of(event) for event in rows])}
    written = {event.facts.get("invoice") for event in rows if event.letter_at is not None}
    fresh = failing - written
    if not fresh:
        return
    for event in rows:
        if event.facts.get("invoice") in fresh:
            event.letter_at = letters.now
    if before != SubscriptionStatus.PAST_DUE or failing & written:
        await changes.payment_due(await delivery.load(session, row.id), letters)
