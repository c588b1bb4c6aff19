"""What the routes of zones share: whose zone it is, whether it may be changed, and a short wait for a change's end.

Rows come first: what is wanted is committed with a change, then the zone's run is told. An answer says 200 when every
authoritative server tells it already, 202 while that goes on, and the reason when it could not be done; then the rows
stay as they were wished, and asking again repeats it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response
from temporalio.exceptions import ApplicationError

from api.deps import OPERATORS, parsed_id, requires
from api.envelope import reply, stamp
from api.errors import ApiError, not_found
from api.provider_errors import from_failure
from api.services import Principal, Services
from api.starting import start_zone_change
from db.models_dns import DnsChange
from db.models_hosting import DnsZone
from db.queries import zone_changes, zone_rows
from domain.dns_names import InvalidDns
from domain.errors import ErrorCode
from domain.sales import ServiceStatus
from domain.statuses import Role
from domain.zones import ChangeState

WAIT_SECONDS = 4.0
LOOK_SECONDS = 0.1

Changer = Annotated[Principal, Depends(requires(OPERATORS | {Role.USER}))]


async def zone_of(
    session: AsyncSession, principal: Principal, text: str, *, lock: bool = False, gone: bool = False
) -> DnsZone:
    """404 also for a zone of another organization, and, unless `gone`, for one that was taken away."""
    ref = parsed_id(text)
    zone = await zone_rows.find(session, ref, lock=lock) if ref is not None else None
    if zone is None or not _may_see(principal, zone) or (zone.status == ServiceStatus.REMOVED and not gone):
        raise not_found("zone", text)
    return zone


def _may_see(principal: Principal, zone: DnsZone) -> bool:
    if principal.role is not Role.USER:
        return True
    return principal.organization_id is not None and zone.organization_id == principal.organization_id


async def refuse_unchangeable(session: AsyncSession, zone: DnsZone) -> None:
    """409 while an order's run makes the zone, while it is suspended, and while it is being taken away."""
    if zone.status == ServiceStatus.SUSPENDED:
        raise ApiError(ErrorCode.CONFLICT, f"{zone.zone_name} is suspended; nothing is changed meanwhile.")
    if zone.status == ServiceStatus.PENDING and zone.subscription_id is not None:
        raise ApiError(ErrorCode.CONFLICT, f"{zone.zone_name} is being made by its order; try again when it is ACTIVE.")
    if await zone_changes.ending(session, zone.id):
        raise ApiError(ErrorCode.CONFLICT, f"{zone.zone_name} is being taken away.")


@contextmanager
def typed() -> Iterator[None]:
    """422 with the field for what cannot be a name or a record."""
    try:
        yield
    except InvalidDns as error:
        message = error.message[:1].upper() + error.message[1:]
        raise ApiError(ErrorCode.VALIDATION_ERROR, f"{message.rstrip('.')}.", field=error.field) from None


async def settled(held: Services, zone: DnsZone, change: DnsChange) -> DnsChange:
    """Tell the zone's run of a committed change and wait a moment for its end; the change as it stands then. Raises
    what became of it when it failed."""
    await start_zone_change(held, zone, change.number)
    change = await _waited(held, change)
    if change.state == ChangeState.FAILED:
        raise from_failure(ApplicationError(change.message, type=change.trouble), "dns")
    return change


def told(request: Request, change: DnsChange, *, status: int = 200, **body: object) -> Response:
    """`status` when the change is published, else 202."""
    code = status if change.state == ChangeState.PUBLISHED else 202
    where = {"Location": f"/api/dns/zones/{change.zone_id}/changes/{change.id}"}
    return reply(request, {**body, "change": shown_change(change)}, code, headers=where)


async def _waited(held: Services, change: DnsChange) -> DnsChange:
    for _ in range(int(WAIT_SECONDS / LOOK_SECONDS)):
        async with held.db.begin() as session:
            found = await zone_changes.find(session, change.id)
        if found is not None and found.state != ChangeState.WAITING:
            return found
        await asyncio.sleep(LOOK_SECONDS)
    return change


def shown_change(change: DnsChange) -> dict[str, Any]:
    return {
        "id": str(change.id),
        "kind": change.kind,
        "name": change.name,
        "type": change.type,
        "state": change.state,
        "trouble": change.trouble,
        "message": change.message,
        "requested_by": change.requested_by,
        "created_at": stamp(change.created_at),
        "ended_at": stamp(change.ended_at),
        "settled_by": change.settled_by,
        "settled_at": stamp(change.settled_at),
    }
