"""Changes of a zone (R156, R157): how one stands, and what operators do about one that failed or takes too long."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from api.answers import also
from api.auditing import audited_change
from api.deps import Held, Member, Operator, parsed_id
from api.envelope import reply
from api.errors import ApiError, not_found
from api.examples import taking
from api.sales_schemas import Settlement
from api.zone_access import refuse_unchangeable, settled, shown_change, told, zone_of
from api.zone_schemas import ACCEPTED, CHANGE, PUBLISHED, SETTLED
from db.models_dns import DnsChange
from db.models_hosting import DnsZone
from db.queries import zone_changes
from domain.dns_records import RecordKey
from domain.errors import ErrorCode
from domain.zones import ChangeKind, ChangeState

router = APIRouter(prefix="/api/dns/zones/{zone_id}/changes/{change_id}", tags=["dns"])


@router.get("", responses={200: CHANGE})
async def change(request: Request, zone_id: str, change_id: str, principal: Member, held: Held) -> Response:
    async with held.db.begin() as session:
        zone = await zone_of(session, principal, zone_id, gone=True)
        found = await _of(session, zone, change_id)
    return reply(request, {"change": shown_change(found)})


@router.post("/retry", responses={200: PUBLISHED, 202: ACCEPTED, **also(409, 502)})
async def retry(request: Request, zone_id: str, change_id: str, principal: Operator, held: Held) -> Response:
    """Ask for what failed once more, as the rows say by now; of one that still waits, tell the zone's run again. 409
    where the same was asked for since, or it was published."""
    target, about = ("dns_zone", zone_id), {"change": _typed(change_id)}
    async with audited_change(held, request, principal, "dns_change.retry", target, **about) as session:
        zone = await zone_of(session, principal, zone_id, lock=True)
        found = await _of(session, zone, change_id)
        if found.state == ChangeState.PUBLISHED:
            raise ApiError(ErrorCode.CONFLICT, "This change was published.")
        if found.state == ChangeState.FAILED:
            if await zone_changes.superseded(session, found):
                raise ApiError(ErrorCode.CONFLICT, "The same was asked for again since; look at the later change.")
            await refuse_unchangeable(session, zone)
            found = await zone_changes.ask(session, zone, ChangeKind(found.kind), principal.username, key=_key(found))
    return told(request, await settled(held, zone, found))


@router.post("/settle", responses={200: SETTLED, **also(409)}, openapi_extra=taking({"note": "Mended at PowerDNS."}))
async def settle(
    request: Request, zone_id: str, change_id: str, asked: Settlement, principal: Operator, held: Held
) -> Response:
    """Somebody has seen to a change that failed; it leaves the operators' list. How, is kept in the audit log."""
    target, about = ("dns_zone", zone_id), {"change": _typed(change_id), "note": asked.note}
    async with audited_change(held, request, principal, "dns_change.settle", target, **about) as session:
        zone = await zone_of(session, principal, zone_id, lock=True)
        found = await _of(session, zone, change_id)
        if not await zone_changes.settle(session, found, principal.username):
            raise ApiError(ErrorCode.CONFLICT, "This change did not fail, or it was settled before.")
    return reply(request, {"change": shown_change(found)})


async def _of(session: AsyncSession, zone: DnsZone, text: str) -> DnsChange:
    ref = parsed_id(text)
    found = await zone_changes.of_zone(session, zone.id, ref) if ref is not None else None
    if found is None:
        raise not_found("change", text)
    return found


def _typed(text: str) -> str:
    """For the audit log; PostgreSQL holds no NUL."""
    return text.replace("\0", "")[:40]


def _key(change: DnsChange) -> RecordKey | None:
    return RecordKey(name=change.name, type=change.type) if change.kind == ChangeKind.SET else None
