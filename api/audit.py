"""Reading the audit log (R079, R445, R452, R513): who did what to which thing, newest first. Nobody changes it."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import AfterValidator, StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from api.deps import Held, requires
from api.envelope import reply, stamp
from api.errors import ApiError
from api.paging import pagination
from api.schemas import printable
from api.services import Principal
from db.models import AuditEntry
from db.queries.audit_view import AuditFilter, entries, name_of
from domain.errors import ErrorCode
from domain.statuses import Role

router = APIRouter(prefix="/api/audit", tags=["audit"])

Auditor = Annotated[Principal, Depends(requires(frozenset({Role.ADMINISTRATOR, Role.SUPPORT})))]
Wanted = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(printable)]


class Outcome(StrEnum):
    OK = "ok"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"


@router.get("")
async def audit_log(
    request: Request,
    principal: Auditor,
    held: Held,
    actor: Annotated[Wanted | None, Query(description="A username, or a user's id")] = None,
    user_id: Annotated[Wanted | None, Query(description="The same under its other name")] = None,
    action: Annotated[Wanted | None, Query(description="For instance user.create")] = None,
    target_type: Wanted | None = None,
    target_id: Wanted | None = None,
    outcome: Outcome | None = None,
    since: Annotated[datetime | None, Query(alias="from", description="UTC unless it says otherwise")] = None,
    until: Annotated[datetime | None, Query(alias="to", description="Inclusive")] = None,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    if actor is not None and user_id is not None:
        raise ApiError(ErrorCode.VALIDATION_ERROR, "Say either actor or user_id, not both.", field="user_id")
    first, last = _utc(since), _utc(until)
    if first is not None and last is not None and first > last:
        raise ApiError(ErrorCode.VALIDATION_ERROR, "from must not be later than to.", field="from")
    who = actor or user_id
    async with held.db.begin() as session:
        name = await name_of(session, who) if who is not None else None
        wanted = AuditFilter(name, action, target_type, target_id, outcome, first, last)
        total, found = await entries(session, wanted, offset=(page - 1) * limit, limit=limit)
    return reply(request, {"entries": [_shown(row) for row in found], "pagination": pagination(page, limit, total)})


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _shown(row: AuditEntry) -> dict[str, object]:
    return {
        "id": row.id,
        "at": stamp(row.at),
        "actor": row.actor,
        "role": row.role,
        "action": row.action,
        "target_type": row.target_type,
        "target_id": row.target_id,
        "outcome": row.outcome,
        "request_id": row.request_id,
        "ip": row.ip,
        "details": row.details,
    }
