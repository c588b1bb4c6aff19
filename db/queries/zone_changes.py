"""Changes of zones as rows: asked for, told to their zone's run, ended. One zone's changes have an order."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Select, and_, exists, func, not_, select, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import new_id
from db.models_dns import DnsChange
from db.models_hosting import DnsRecord, DnsZone
from domain.dns_records import RecordKey
from domain.errors import clip
from domain.zones import ChangeKind, ChangeState, ZoneCall


async def ask(
    session: AsyncSession, zone: DnsZone, kind: ChangeKind, requested_by: str, *, key: RecordKey | None = None
) -> DnsChange:
    """A new change of the zone, behind those that wait. The caller holds the zone's row, or has just made it."""
    last = select(func.coalesce(func.max(DnsChange.number), 0)).where(DnsChange.zone_id == zone.id)
    change = DnsChange(
        id=new_id(), zone_id=zone.id, number=(await session.execute(last)).scalar_one() + 1, kind=kind,
        name=key.name if key else "", type=key.type if key else "", requested_by=requested_by[:200],
    )  # fmt: skip
    session.add(change)
    await session.flush()
    await session.refresh(change)
    return change


async def find(session: AsyncSession, change_id: uuid.UUID) -> DnsChange | None:
    return await session.get(DnsChange, change_id)


async def of_zone(session: AsyncSession, zone_id: uuid.UUID, change_id: uuid.UUID) -> DnsChange | None:
    found = await find(session, change_id)
    return found if found is not None and found.zone_id == zone_id else None


async def by_ids(session: AsyncSession, wanted: Iterable[uuid.UUID]) -> dict[uuid.UUID, DnsChange]:
    found = await session.execute(select(DnsChange).where(DnsChange.id.in_(list(wanted))))
    return {change.id: change for change in found.scalars()}


async def newest(session: AsyncSession, zone_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, DnsChange]:
    """Each zone's last change."""
    query = (
        select(DnsChange)
        .where(DnsChange.zone_id.in_(list(zone_ids)))
        .order_by(DnsChange.zone_id, DnsChange.number.desc())
        .ext(distinct_on(DnsChange.zone_id))
    )
    return {change.zone_id: change for change in (await session.execute(query)).scalars()}


def newest_of_sets(zone_ids: Iterable[uuid.UUID]) -> Select[DnsChange]:
    """Each set's last change."""
    return (
        select(DnsChange)
        .where(DnsChange.zone_id.in_(list(zone_ids)), DnsChange.kind == ChangeKind.SET)
        .order_by(DnsChange.zone_id, DnsChange.name, DnsChange.type, DnsChange.number.desc())
        .ext(distinct_on(DnsChange.zone_id, DnsChange.name, DnsChange.type))
    )


async def failing(session: AsyncSession, zone_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, int]:
    """How many sets of each zone are not as they were wished: their last change was given up, and the zone has not been
    published since, which brings every set that is wanted."""
    each = newest_of_sets(zone_ids).subquery()
    brought = exists().where(
        DnsChange.zone_id == each.c.zone_id, DnsChange.kind == ChangeKind.ZONE, DnsChange.number > each.c.number,
        DnsChange.state == ChangeState.PUBLISHED,
    )  # fmt: skip
    wanted = exists().where(
        DnsRecord.zone_id == each.c.zone_id, DnsRecord.name == each.c.name, DnsRecord.type == each.c.type
    )
    query = (
        select(each.c.zone_id, func.count().label("failed"))
        .where(each.c.state == ChangeState.FAILED, not_(and_(brought, wanted)))
        .group_by(each.c.zone_id)
    )
    return {row.zone_id: row.failed for row in await session.execute(query)}


async def superseded(session: AsyncSession, change: DnsChange) -> bool:
    """Whether the same set, or the zone as a whole, was asked for again since."""
    query = select(DnsChange.id).where(DnsChange.zone_id == change.zone_id, DnsChange.number > change.number)
    if change.kind == ChangeKind.SET:
        query = query.where(DnsChange.name == change.name, DnsChange.type == change.type)
    else:
        query = query.where(DnsChange.kind != ChangeKind.SET)
    return (await session.execute(query.limit(1))).first() is not None


async def settle(session: AsyncSession, change: DnsChange, by: str) -> bool:
    """Somebody has seen to a change that failed. False: it did not fail, or was settled before."""
    settled = await session.execute(
        update(DnsChange)
        .where(DnsChange.id == change.id, DnsChange.state == ChangeState.FAILED, DnsChange.settled_at.is_(None))
        .values(settled_by=by[:200], settled_at=func.now())
        .returning(DnsChange.id)
    )
    if settled.first() is None:
        return False
    await session.refresh(change)
    return True


async def published_whole(session: AsyncSession, zone_id: uuid.UUID) -> DnsChange | None:
    """The last change that brought everything the zone's rows said."""
    query = (
        select(DnsChange)
        .where(DnsChange.zone_id == zone_id, DnsChange.kind == ChangeKind.ZONE)
        .where(DnsChange.state == ChangeState.PUBLISHED)
        .order_by(DnsChange.number.desc())
        .limit(1)
    )
    return (await session.execute(query)).scalar_one_or_none()


async def ending(session: AsyncSession, zone_id: uuid.UUID) -> bool:
    """Whether the zone is being taken away."""
    query = select(DnsChange.id).where(DnsChange.zone_id == zone_id, DnsChange.kind == ChangeKind.END)
    return (await session.execute(query.where(DnsChange.state == ChangeState.WAITING))).first() is not None


async def removal_open(session: AsyncSession, zone_id: uuid.UUID, key: RecordKey) -> bool:
    """Whether the last change of the set has not been published: for a set without rows, that it may still be there."""
    each = newest_of_sets([zone_id]).where(DnsChange.name == key.name, DnsChange.type == key.type).subquery()
    state = (await session.execute(select(each.c.state))).scalar_one_or_none()
    return state is not None and state != ChangeState.PUBLISHED


# ---- their run


async def next_of(session: AsyncSession, zone_id: uuid.UUID) -> DnsChange | None:
    """The oldest that waits."""
    query = (
        select(DnsChange)
        .where(DnsChange.zone_id == zone_id, DnsChange.state == ChangeState.WAITING)
        .order_by(DnsChange.number)
        .limit(1)
    )
    return (await session.execute(query)).scalar_one_or_none()


async def end(
    session: AsyncSession, change_id: uuid.UUID, state: ChangeState, message: str, *, trouble: str = ""
) -> None:
    """One that has ended stays as it is."""
    await session.execute(
        update(DnsChange)
        .where(DnsChange.id == change_id, DnsChange.state == ChangeState.WAITING)
        .values(state=state, message=clip(message), trouble=trouble[:40], ended_at=func.now())
    )


async def started(session: AsyncSession, zone_id: uuid.UUID, upto: int) -> None:
    """The zone's run was told after the change of that number had been written."""
    await session.execute(
        update(DnsChange)
        .where(DnsChange.zone_id == zone_id, DnsChange.number <= upto, DnsChange.started_at.is_(None))
        .values(started_at=func.now())
    )


async def unstarted(session: AsyncSession, before: datetime, limit: int) -> list[tuple[ZoneCall, int]]:
    """Zones whose run was not told of everything, each with the number of its last change that is old enough."""
    query = (
        select(DnsZone.id, DnsZone.zone_name, func.max(DnsChange.number))
        .join(DnsChange, DnsChange.zone_id == DnsZone.id)
        .where(DnsChange.state == ChangeState.WAITING, DnsChange.started_at.is_(None), DnsChange.created_at < before)
        .group_by(DnsZone.id, DnsZone.zone_name)
        .order_by(func.min(DnsChange.created_at))
        .limit(limit)
    )
    return [(ZoneCall(zone_id=str(id_), zone_name=name), upto) for id_, name, upto in await session.execute(query)]
