"""How far the messages of a payment service are kept, and which of those that were asked for are not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.models_sales import PaymentCatchUp, PaymentEvent
from db.queries.reading import Reader, Row

STRIPE = "stripe"
KEPT_THERE = timedelta(days=30)  # how long Stripe shows an event (https://docs.stripe.com/api/events)

_PROGRESS = """
select service, extract(epoch from now() - position)::float as behind, fetched from payment_catch_ups
"""


async def position(session: AsyncSession, service: str, now: datetime) -> datetime:
    """Where to go on. At the very first time that is the oldest message that ever came, or now where none did: what an
    account had sold before it was connected to us is no business of ours."""
    kept = await session.get(PaymentCatchUp, service)
    if kept is not None:
        return max(kept.position, now - KEPT_THERE)
    first = (await session.execute(select(func.min(PaymentEvent.happened_at)))).scalar_one()
    return max(first or now, now - KEPT_THERE)


async def unknown(session: AsyncSession, ids: Sequence[str]) -> set[str]:
    known = await session.execute(select(PaymentEvent.id).where(PaymentEvent.id.in_(ids)))
    return set(ids) - set(known.scalars())


async def reached(session: AsyncSession, service: str, to: datetime, fetched: int) -> None:
    """Everything before `to` is kept. Never a step back, also where two have asked at once."""
    row = insert(PaymentCatchUp).values(service=service, position=to, fetched=fetched)
    await session.execute(
        row.on_conflict_do_update(
            index_elements=[PaymentCatchUp.service],
            set_={
                "position": func.greatest(PaymentCatchUp.position, row.excluded.position),
                "asked_at": func.now(),
                "fetched": PaymentCatchUp.fetched + row.excluded.fetched,
            },
        )
    )


async def progress(reader: Reader) -> list[Row]:
    """(service, behind, fetched): seconds behind now, and how many messages had to be asked for so far."""
    return await reader.all(_PROGRESS)
