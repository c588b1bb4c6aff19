"""Record sets of a zone (R157): what is wanted, what the name servers really hold, and changes of one set at a time.

What runs of ours have written (`managed`) is shown and not changed here: they would write it back, or break.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from api.answers import also
from api.auditing import audited_change
from api.deps import Held, Member
from api.envelope import reply
from api.errors import ApiError
from api.examples import taking
from api.paging import pagination
from api.starting import look_at_zone
from api.zone_access import Changer, refuse_unchangeable, settled, shown_change, told, typed, zone_of
from api.zone_schemas import ACCEPTED, PUBLISHED, RECORD_REQUEST, RECORDS, RecordPut
from db.models_hosting import DnsZone
from db.queries import zone_changes, zone_rows
from db.queries.zone_rows import SetRow
from domain.dns_records import RecordInput, RecordKey, check_together, normal_key, normal_set, record_type
from domain.errors import ErrorCode
from domain.zones import CHALLENGE, ChangeKind, ZoneCall, ZoneSeen

router = APIRouter(prefix="/api/dns/zones/{zone_id}/records", tags=["dns"])


@router.get("", responses={200: RECORDS, **also(502)})
async def records(
    request: Request,
    zone_id: str,
    principal: Member,
    held: Held,
    q: Annotated[str, Query(max_length=253)] = "",
    type: Annotated[str, Query(max_length=20)] = "",
    check: bool = False,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Response:
    """The sets by name. `check=true` asks the name servers: `in_sync` says of each set whether it is there as wanted,
    `check` what else is there and whether every authoritative server has the newest serial."""
    with typed():
        kind = record_type(type).value if type else ""
    async with held.db.begin() as session:
        zone = await zone_of(session, principal, zone_id)
    seen = None
    if check:
        seen = await look_at_zone(held, ZoneCall(zone_id=str(zone.id), zone_name=zone.zone_name))
    async with held.db.begin() as session:
        total, found = await zone_rows.set_page(
            session, zone.id, q=q.replace("\0", ""), type_=kind, offset=(page - 1) * limit, limit=limit)  # fmt: skip
    body: dict[str, object] = {"records": [_shown(row, seen) for row in found]}
    if seen is not None:
        body["check"] = {"serial": seen.serial, "published": seen.published, "behind": seen.behind,
                         "unlisted": seen.unlisted}  # fmt: skip
    return reply(request, body | {"pagination": pagination(page, limit, total)})


@router.put("", responses={200: PUBLISHED, 202: ACCEPTED, **also(409, 502)}, openapi_extra=taking(RECORD_REQUEST))
async def put(request: Request, zone_id: str, asked: RecordPut, principal: Changer, held: Held) -> Response:
    """Let the zone have exactly this set under its name and type."""
    async with audited_change(
        held, request, principal, "dns_records.put", ("dns_zone", zone_id), **_named(asked.name, asked.type)
    ) as session:
        zone = await zone_of(session, principal, zone_id, lock=True)
        with typed():
            given = RecordInput.model_validate(asked.model_dump())
            wanted = normal_set(zone.zone_name, given)
            there = await zone_rows.keys(session, zone.id)
            await _refuse_kept(session, zone, wanted.key, there)
            check_together(zone.zone_name, _types([*there, wanted.key]), {wanted.name})
        await zone_rows.put(session, zone.id, wanted)
        change = await zone_changes.ask(session, zone, ChangeKind.SET, principal.username, key=wanted.key)
    row = SetRow(key=wanted.key, ttl=wanted.ttl, values=wanted.values, managed=False, change=None)
    return told(request, await settled(held, zone, change), record=_set(row))


@router.delete("", responses={200: PUBLISHED, 202: ACCEPTED, **also(409, 502)})
async def remove(
    request: Request,
    zone_id: str,
    principal: Changer,
    held: Held,
    name: Annotated[str, Query(min_length=1, max_length=1000)],
    type: Annotated[str, Query(min_length=1, max_length=20)],
) -> Response:
    """Take the set away. One whose removal failed may be asked for again."""
    async with audited_change(
        held, request, principal, "dns_records.delete", ("dns_zone", zone_id), **_named(name, type)
    ) as session:
        zone = await zone_of(session, principal, zone_id, lock=True)
        with typed():
            key = normal_key(zone.zone_name, name, type)
        there = await zone_rows.keys(session, zone.id)
        if key not in there and not await zone_changes.removal_open(session, zone.id, key):
            raise ApiError(ErrorCode.NOT_FOUND, f"{zone.zone_name} has no {key.type} records at {key.name}.")
        await _refuse_kept(session, zone, key, there)
        await zone_rows.remove(session, zone.id, key)
        change = await zone_changes.ask(session, zone, ChangeKind.SET, principal.username, key=key)
    return told(request, await settled(held, zone, change))


async def _refuse_kept(session: AsyncSession, zone: DnsZone, key: RecordKey, there: dict[RecordKey, bool]) -> None:
    """409 where a run of ours keeps the set, or the zone cannot be changed now."""
    await refuse_unchangeable(session, zone)
    if there.get(key):
        raise ApiError(ErrorCode.CONFLICT, f"{key} is kept by the subscription's own runs and cannot be changed here.",
                       field="name")  # fmt: skip
    if zone.subscription_id is not None and key.name.startswith(f"{CHALLENGE}."):
        raise ApiError(ErrorCode.CONFLICT, f"{key.name} is used by the runs that get the zone's certificates.",
                       field="name")  # fmt: skip


def _named(name: str, type_: str) -> dict[str, str]:
    """For the audit log, as typed; PostgreSQL holds no NUL."""
    return {"name": name.replace("\0", ""), "type": type_.replace("\0", "")}


def _types(keys: list[RecordKey]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for key in keys:
        found.setdefault(key.name, set()).add(key.type)
    return found


def _set(row: SetRow) -> dict[str, Any]:
    return {
        "name": row.key.name,
        "type": row.key.type,
        "ttl": row.ttl,
        "values": list(row.values),
        "managed": row.managed,
    }


def _shown(row: SetRow, seen: ZoneSeen | None) -> dict[str, Any]:
    """`values` are empty for a set that is being taken away, or could not be."""
    shown = _set(row) | {"change": shown_change(row.change) if row.change is not None else None}
    if seen is None:
        return shown | {"in_sync": None, "difference": None}
    if not row.values:
        there = str(row.key) in seen.unlisted
        return shown | {"in_sync": not there, "difference": "it is still there" if there else None}
    return shown | {"in_sync": seen.in_sync(row.key), "difference": seen.differing.get(str(row.key))}
