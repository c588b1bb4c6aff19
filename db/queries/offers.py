"""What clouds were last seen to offer: one row per account and resource, shared by all replicas (R229, R334–R338).

A row that is no longer fresh is kept: it is what people get while its cloud is away. What an answer belongs to is the
account as it was when it was asked; `invalidate` and `write` settle by the account's lock who came last.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.models_clouds import ProviderCache, ServiceProvider
from db.queries.reading import Reader, Row
from domain.errors import clip
from domain.ids import offers_key
from domain.offers import LIFETIMES, Offer

_STATISTICS = """
select c.key, c.provider_id, p.name as provider_name, p.type as provider_type, c.hits, c.misses, c.stale_hits,
       c.fetched_at, c.fresh_until, c.failed_at, c.failure, jsonb_array_length(c.value) as entries
  from provider_cache c join service_providers p on p.id = c.provider_id
 order by p.type, p.name, c.key
"""

# By kind of cloud, because names and ids of accounts have no place in metrics.
_TOTALS = """
select p.type as provider, substring(c.key from '[^:]*$') as resource, sum(c.hits)::float8 as hits,
       sum(c.misses)::float8 as misses, sum(c.stale_hits)::float8 as stale_hits,
       extract(epoch from now() - min(c.fetched_at))::float8 as age
  from provider_cache c join service_providers p on p.id = c.provider_id
 group by 1, 2
"""


@dataclass(frozen=True)
class Standing:
    """What decides which answer an account gets."""

    type: str
    active: bool
    deleted: bool
    key: str | None
    configuration: Mapping[str, Any]


async def read(session: AsyncSession, provider_id: uuid.UUID, resource: Offer) -> ProviderCache | None:
    """The row, fresh or not."""
    return await session.get(ProviderCache, offers_key(str(provider_id), resource))


async def standing(session: AsyncSession, provider_id: uuid.UUID, *, hold: bool = False) -> Standing | None:
    """`hold`: nobody changes the account before this transaction ends."""
    query = select(ServiceProvider).where(ServiceProvider.id == provider_id)
    if hold:
        query = query.with_for_update(read=True)
    row = (await session.execute(query)).scalar_one_or_none()
    if row is None:
        return None
    return Standing(row.type, row.active, row.deleted_at is not None, row.api_key_encrypted, row.configuration)


async def write(
    session: AsyncSession, provider_id: uuid.UUID, resource: Offer, value: list[dict[str, Any]], *, asked_at: datetime
) -> None:
    """Keep an answer; its time runs from the moment of asking. Counts stay, an earlier failure is forgotten."""
    news = {"value": value, "fetched_at": asked_at, "fresh_until": asked_at + LIFETIMES[resource],
            "failed_at": None, "failure": ""}  # fmt: skip
    row = insert(ProviderCache).values(key=offers_key(str(provider_id), resource), provider_id=provider_id, **news)
    await session.execute(row.on_conflict_do_update(index_elements=[ProviderCache.key], set_=news))


async def note_failure(
    session: AsyncSession, provider_id: uuid.UUID, resource: Offer, failure: str, now: datetime
) -> None:
    """That a stale answer could not be renewed. The answer stays; a row that is fresh by now is left alone."""
    key = offers_key(str(provider_id), resource)
    await session.execute(
        update(ProviderCache)
        .where(ProviderCache.key == key, ProviderCache.fresh_until <= now)
        .values(failed_at=now, failure=clip(failure))
    )


async def invalidate(session: AsyncSession, provider_id: uuid.UUID) -> int:
    """Forget everything an account offered; returns how many answers that were.

    In the transaction that changes, enables, disables or deletes the account, before or after the change: an answer
    that is under way to the account as it was is refused afterwards (`standing`).
    """
    await session.execute(select(ServiceProvider.id).where(ServiceProvider.id == provider_id).with_for_update())
    gone = delete(ProviderCache).where(ProviderCache.provider_id == provider_id).returning(ProviderCache.key)
    return len((await session.execute(gone)).all())


async def add_counts(session: AsyncSession, key: str, *, hits: int, misses: int, stale_hits: int) -> None:
    """A key without a row keeps no counts."""
    await session.execute(
        update(ProviderCache)
        .where(ProviderCache.key == key)
        .values(
            hits=ProviderCache.hits + hits,
            misses=ProviderCache.misses + misses,
            stale_hits=ProviderCache.stale_hits + stale_hits,
        )
    )


async def statistics(reader: Reader) -> list[Row]:
    """One row per key, for administrators."""
    return await reader.all(_STATISTICS)


async def totals(reader: Reader) -> list[Row]:
    """Counts by kind of cloud and resource, and the age in seconds of the oldest answer among them."""
    return await reader.all(_TOTALS)
