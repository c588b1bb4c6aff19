"""Zones and their records as rows: what the name servers should hold (R156, R157)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, and_, delete, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import new_id
from db.models import Organization
from db.models_dns import DnsChange
from db.models_hosting import DnsRecord, DnsZone
from db.queries import zone_changes
from domain.dns_records import RecordKey, RecordSet
from domain.dns_values import RecordType
from domain.sales import ServiceStatus
from domain.zones import ChangeState

ZONE_LOCK = 7466911


class ZoneTaken(Exception):
    """A zone of that name is there."""


@dataclass(frozen=True)
class SetRow:
    """One set as it is wanted, or as it is being taken away (`values` empty). `change`: its last one."""

    key: RecordKey
    ttl: int | None
    values: tuple[str, ...]
    managed: bool
    change: DnsChange | None


def owner_of(zone: DnsZone) -> str:
    """The mark on the zone and its sets at the name server."""
    return str(zone.subscription_id or zone.id)


async def hold(session: AsyncSession, zone_name: str) -> bool:
    """Take the zone's lock, over all processes, until the transaction ends. False when somebody has it: a change of a
    zone looks, decides and writes, and two that do so at once would each miss the other's."""
    taken = await session.execute(select(func.pg_try_advisory_xact_lock(ZONE_LOCK, func.hashtext(zone_name))))
    return bool(taken.scalar_one())


# ---- zones


async def find(session: AsyncSession, zone_id: uuid.UUID, *, lock: bool = False) -> DnsZone | None:
    return await session.get(DnsZone, zone_id, with_for_update=True if lock else None)


async def page(
    session: AsyncSession, *, q: str, status: ServiceStatus | None, organization_id: uuid.UUID | None, offset: int,
    limit: int,
) -> tuple[int, list[DnsZone]]:  # fmt: skip
    """(how many match, one page by name). Without a status, those that are there."""
    query = select(DnsZone)
    query = query.where(DnsZone.status == status if status is not None else DnsZone.status != ServiceStatus.REMOVED)
    if q:
        query = query.where(DnsZone.zone_name.contains(q.lower(), autoescape=True))
    if organization_id is not None:
        query = query.where(DnsZone.organization_id == organization_id)
    total = (await session.execute(select(func.count()).select_from(query.subquery()))).scalar_one()
    ordered = query.order_by(DnsZone.zone_name, DnsZone.id).offset(offset).limit(limit)
    return total, list((await session.execute(ordered)).scalars())


async def create(session: AsyncSession, name: str, kind: str, organization_id: uuid.UUID | None) -> DnsZone:
    """ZoneTaken; the session is still good then."""
    zone = DnsZone(id=new_id(), zone_name=name, kind=kind, organization_id=organization_id)
    try:
        async with session.begin_nested():
            session.add(zone)
    except IntegrityError as error:
        if "uq_dns_zones_living" not in str(error.orig):
            raise
        raise ZoneTaken(name) from None
    await session.refresh(zone)
    return zone


async def owner_names(session: AsyncSession, zones: Iterable[DnsZone]) -> dict[uuid.UUID, str]:
    """What the organizations of zones are called, by id."""
    wanted = {zone.organization_id for zone in zones if zone.organization_id is not None}
    found = await session.execute(select(Organization.id, Organization.name).where(Organization.id.in_(wanted)))
    return {row.id: row.name for row in found}


# ---- sets


def _of(zone_id: uuid.UUID, key: RecordKey) -> ColumnElement[bool]:
    return and_(DnsRecord.zone_id == zone_id, DnsRecord.name == key.name, DnsRecord.type == key.type)


async def sets(session: AsyncSession, zone_id: uuid.UUID, key: RecordKey | None = None) -> list[RecordSet]:
    """What should be published: of one key, or everything."""
    query = select(DnsRecord.name, DnsRecord.type, func.max(DnsRecord.ttl), func.array_agg(DnsRecord.content))
    query = query.where(DnsRecord.zone_id == zone_id if key is None else _of(zone_id, key))
    found = await session.execute(query.group_by(DnsRecord.name, DnsRecord.type))
    return [
        RecordSet(name=name, type=RecordType(type_), ttl=ttl, values=tuple(sorted(values)))
        for name, type_, ttl, values in found
    ]


async def keys(session: AsyncSession, zone_id: uuid.UUID) -> dict[RecordKey, bool]:
    """Every set that is wanted, and whether a run of ours manages it."""
    query = select(DnsRecord.name, DnsRecord.type, func.bool_or(DnsRecord.managed)).where(DnsRecord.zone_id == zone_id)
    found = await session.execute(query.group_by(DnsRecord.name, DnsRecord.type))
    return {RecordKey(name=name, type=type_): managed for name, type_, managed in found}


async def put(session: AsyncSession, zone_id: uuid.UUID, wanted: RecordSet, *, managed: bool = False) -> None:
    """The set's rows become these."""
    await remove(session, zone_id, wanted.key)
    for value in wanted.values:
        session.add(DnsRecord(id=new_id(), zone_id=zone_id, name=wanted.name, type=wanted.type.value, content=value,
                              ttl=wanted.ttl, managed=managed))  # fmt: skip
    await session.flush()


async def remove(session: AsyncSession, zone_id: uuid.UUID, key: RecordKey) -> None:
    await session.execute(delete(DnsRecord).where(_of(zone_id, key)))


async def keep_managed(session: AsyncSession, zone_id: uuid.UUID, wanted: Iterable[RecordSet], serial: int) -> None:
    """The managed rows of a zone become these; other sets that its customer has added stay."""
    await session.execute(delete(DnsRecord).where(DnsRecord.zone_id == zone_id, DnsRecord.managed))
    for one in wanted:
        await put(session, zone_id, one, managed=True)
    zone = await session.get_one(DnsZone, zone_id)
    zone.serial = serial


async def set_page(
    session: AsyncSession, zone_id: uuid.UUID, *, q: str, type_: str, offset: int, limit: int
) -> tuple[int, list[SetRow]]:
    """(how many match, one page by name): what is wanted, and what is being taken away or could not be."""
    query = _set_rows(zone_id)
    name, kind = query.selected_columns["name"], query.selected_columns["type"]
    if q:
        query = query.where(name.contains(q.lower(), autoescape=True))
    if type_:
        query = query.where(kind == type_)
    total = (await session.execute(select(func.count()).select_from(query.subquery()))).scalar_one()
    found = (await session.execute(query.order_by(name, kind).offset(offset).limit(limit))).all()
    changes = await zone_changes.by_ids(session, [row.change_id for row in found if row.change_id is not None])
    whole = await zone_changes.published_whole(session, zone_id)
    rows = [
        SetRow(
            key=RecordKey(name=row.name, type=row.type), ttl=row.ttl, values=tuple(sorted(row.contents or ())),
            managed=bool(row.managed), change=_last(changes.get(row.change_id), whole, wanted=row.contents is not None),
        )
        for row in found
    ]  # fmt: skip
    return total, rows


def _last(change: DnsChange | None, whole: DnsChange | None, *, wanted: bool) -> DnsChange | None:
    """A set that failed and is wanted was brought by a later publication of the whole zone."""
    if change is None or whole is None or not wanted or change.state != ChangeState.FAILED:
        return change
    return whole if whole.number > change.number else change


def _set_rows(zone_id: uuid.UUID) -> Select[str, str, int, list[str], bool, uuid.UUID]:
    wanted = (
        select(DnsRecord.name, DnsRecord.type, func.max(DnsRecord.ttl).label("ttl"),
               func.array_agg(DnsRecord.content).label("contents"), func.bool_or(DnsRecord.managed).label("managed"))
        .where(DnsRecord.zone_id == zone_id)
        .group_by(DnsRecord.name, DnsRecord.type)
        .subquery()
    )  # fmt: skip
    newest = zone_changes.newest_of_sets([zone_id]).subquery()
    same = and_(newest.c.name == wanted.c.name, newest.c.type == wanted.c.type)
    return (
        select(func.coalesce(wanted.c.name, newest.c.name).label("name"),
               func.coalesce(wanted.c.type, newest.c.type).label("type"), wanted.c.ttl, wanted.c.contents,
               wanted.c.managed, newest.c.id.label("change_id"))
        .select_from(wanted.join(newest, same, full=True))
        .where(or_(wanted.c.name.is_not(None), newest.c.state != ChangeState.PUBLISHED))
    )  # fmt: skip
