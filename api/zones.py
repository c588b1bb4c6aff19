"""Zones at our name servers (R156, R240): listed, made, published again, taken away.

Operators make and end zones: a name that somebody else's customer may bring one day is not to be taken by whoever asks
first. A zone that came with an order ends with its subscription.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from api.answers import also
from api.auditing import audited_change
from api.deps import Held, Member, Operator, actor
from api.envelope import reply, stamp
from api.errors import ApiError
from api.examples import taking
from api.paging import pagination
from api.services import Services
from api.zone_access import refuse_unchangeable, settled, shown_change, told, typed, zone_of
from api.zone_schemas import ACCEPTED, PUBLISHED, ZONE, ZONE_MADE, ZONE_REQUEST, ZONES, ZoneCreate
from db.models import Organization
from db.models_hosting import DnsZone
from db.queries import audit, zone_changes, zone_rows
from domain.dns_names import check_zone, inside
from domain.errors import ErrorCode
from domain.sales import ServiceStatus
from domain.statuses import Role
from domain.zones import ChangeKind

router = APIRouter(prefix="/api/dns/zones", tags=["dns"])


@router.get("", responses={200: ZONES})
async def listed(
    request: Request,
    principal: Member,
    held: Held,
    q: Annotated[str, Query(max_length=253)] = "",
    status: ServiceStatus | None = None,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """Zones that were taken away are listed where they are asked for."""
    own = principal.organization_id if principal.role is Role.USER else None
    if principal.role is Role.USER and own is None:
        return reply(request, {"zones": [], "pagination": pagination(page, limit, 0)})
    async with held.db.begin() as session:
        total, found = await zone_rows.page(
            session,
            q=q.replace("\0", ""),
            status=status,
            organization_id=own,
            offset=(page - 1) * limit,
            limit=limit,
        )
        zones = await _shown(session, found)
    return reply(request, {"zones": zones, "pagination": pagination(page, limit, total)})


@router.post(
    "", status_code=201, responses={201: ZONE_MADE, 202: ACCEPTED, **also(404, 409, 502)},
    openapi_extra=taking(ZONE_REQUEST),
)  # fmt: skip
async def create(request: Request, asked: ZoneCreate, principal: Operator, held: Held) -> Response:
    """Make a zone. 202 when it is not at every name server within a few seconds; an error says why it could not be
    made, and POST …/publish tries again."""
    with typed():
        name = check_zone(asked.name)
    _refuse_platform(held, name)
    async with held.db.begin() as session:
        if asked.organization_id is not None and await session.get(Organization, asked.organization_id) is None:
            raise ApiError(ErrorCode.VALIDATION_ERROR, "There is no such organization.", field="organizationId")
        kind = asked.kind or held.settings.dns_zone_kind
        try:
            zone = await zone_rows.create(session, name, kind, asked.organization_id)
        except zone_rows.ZoneTaken:
            raise ApiError(ErrorCode.CONFLICT, f"The zone {name} is there already.", field="name") from None
        change = await zone_changes.ask(session, zone, ChangeKind.ZONE, principal.username)
        await audit.record(session, actor(request, principal), "dns_zone.create", "dns_zone", str(zone.id),
                           name=name, kind=kind)  # fmt: skip
    change = await settled(held, zone, change)
    async with held.db.begin() as session:
        shown = (await _shown(session, [await session.get_one(DnsZone, zone.id)]))[0]
    return told(request, change, status=201, zone=shown)


@router.get("/{zone_id}", responses={200: ZONE})
async def single(request: Request, zone_id: str, principal: Member, held: Held) -> Response:
    async with held.db.begin() as session:
        zone = await zone_of(session, principal, zone_id, gone=True)
        shown = (await _shown(session, [zone]))[0] | {"last_export": zone.last_export}
    return reply(request, {"zone": shown})


@router.delete("/{zone_id}", responses={200: PUBLISHED, 202: ACCEPTED, **also(409, 502)})
async def remove(
    request: Request, zone_id: str, principal: Operator, held: Held, confirm: Annotated[str, Query(max_length=1000)]
) -> Response:
    """Take the zone away; `confirm` is its name. Its last export is kept. Refused by the name server's side, and
    nothing is changed, where the zone holds records that are not ours or is signed."""
    async with audited_change(held, request, principal, "dns_zone.delete", ("dns_zone", zone_id)) as session:
        zone = await zone_of(session, principal, zone_id, lock=True)
        if confirm.strip().lower().removesuffix(".") != zone.zone_name:
            raise ApiError(ErrorCode.VALIDATION_ERROR, "confirm must be the name of the zone.", field="confirm")
        if zone.subscription_id is not None:
            raise ApiError(ErrorCode.CONFLICT, f"{zone.zone_name} came with an order; it ends with its subscription.")
        await refuse_unchangeable(session, zone)
        change = await zone_changes.ask(session, zone, ChangeKind.END, principal.username)
    return told(request, await settled(held, zone, change))


@router.post("/{zone_id}/publish", responses={200: PUBLISHED, 202: ACCEPTED, **also(409, 502)})
async def publish(request: Request, zone_id: str, principal: Operator, held: Held) -> Response:
    """Bring the zone and everything its rows say to the name server again: after a failure, or when check=true tells of
    differences. What no row speaks of is left alone."""
    async with audited_change(held, request, principal, "dns_zone.publish", ("dns_zone", zone_id)) as session:
        zone = await zone_of(session, principal, zone_id, lock=True)
        await refuse_unchangeable(session, zone)
        change = await zone_changes.ask(session, zone, ChangeKind.ZONE, principal.username)
    return told(request, await settled(held, zone, change))


def _refuse_platform(held: Services, name: str) -> None:
    base = held.settings.base_domain.lower().rstrip(".")
    if inside(name, base) or inside(base, name):
        raise ApiError(ErrorCode.CONFLICT, f"{name} is the platform's own name, or in its way.", field="name")


async def _shown(session: AsyncSession, zones: list[DnsZone]) -> list[dict[str, Any]]:
    ids = [zone.id for zone in zones]
    changes, failed = await zone_changes.newest(session, ids), await zone_changes.failing(session, ids)
    owners = await zone_rows.owner_names(session, zones)
    return [
        {
            "id": str(zone.id),
            "name": zone.zone_name,
            "kind": zone.kind,
            "status": zone.status,
            "serial": zone.serial,
            "organization_id": str(zone.organization_id) if zone.organization_id else None,
            "organization_name": owners.get(zone.organization_id) if zone.organization_id else None,
            "subscription_id": str(zone.subscription_id) if zone.subscription_id else None,
            "failed_sets": failed.get(zone.id, 0),
            "change": shown_change(changes[zone.id]) if zone.id in changes else None,
            "created_at": stamp(zone.created_at),
            "updated_at": stamp(zone.updated_at),
        }
        for zone in zones
    ]
