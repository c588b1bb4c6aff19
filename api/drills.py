"""Drills (issue 6): an operator has all certificates of a CA, or of a kind of key, replaced at a chosen pace.

Nothing is issued here and no run is started: the sweep of renewals makes them due, and the rest is as always.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from api.answers import also
from api.auditing import audited_change
from api.deps import Held, Operator, parsed_id
from api.drill_schemas import BEGUN, DRILL, DRILL_REQUEST, DRILLS, DrillRequest, drill_shown
from api.envelope import reply
from api.errors import ApiError, not_found
from api.examples import taking
from api.paging import pagination
from api.services import Principal, Services
from db.base import new_id
from db.models_certificates import CertificateDrill
from db.queries import drills as rows
from domain.ca_catalogue import limits_of
from domain.drills import UNFINISHED, DrillState, most_an_hour
from domain.errors import ErrorCode

router = APIRouter(prefix="/api/ssl/drills", tags=["certificates"])


@router.get("", responses={200: DRILLS})
async def drills(
    request: Request,
    principal: Operator,
    held: Held,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    now = datetime.now(UTC)
    async with held.db.begin() as session:
        total, found = await rows.page(session, offset=(page - 1) * limit, limit=limit)
        listed = [drill_shown(row, await rows.progress(session, row), now) for row in found]
        there = await rows.holdings(session)
    holdings = [
        {"ca": ca, "key_type": kind, "certificates": count, "most_per_hour": _most(held, {ca})}
        for ca, kind, count in there
    ]
    return reply(request, {"drills": listed, "holdings": holdings, "pagination": pagination(page, limit, total)})


@router.post("", status_code=201, responses={201: BEGUN, **also(409)}, openapi_extra=taking(DRILL_REQUEST))
async def begin(request: Request, asked: DrillRequest, principal: Operator, held: Held) -> Response:
    """Begin one, the soonest to expire first. What is issued from now on is none of it. 409 while another is under way,
    or where no certificate fits; 422 where the CA's limits do not allow the pace."""
    if not asked.ca and not asked.key_type:
        raise ApiError(ErrorCode.VALIDATION_ERROR, "A drill is about a CA or a kind of key; name one.", field="ca")
    now, drill_id = datetime.now(UTC), new_id()
    target = ("certificate_drill", str(drill_id))
    async with audited_change(
        held, request, principal, "certificate_drill.begin", target, **asked.model_dump(mode="json")
    ) as session:
        await _check_pace(session, held, asked)
        try:
            row = await rows.begin(
                session, id=drill_id, directory_url=asked.ca, key_type=asked.key_type, pace=asked.pace_per_hour,
                fresh_key=asked.fresh_key or bool(asked.key_type), reason=asked.reason, by=principal.username, now=now,
            )  # fmt: skip
        except (rows.AnotherDrill, rows.NothingToReplace) as refused:
            raise ApiError(ErrorCode.CONFLICT, str(refused)) from None
        shown = drill_shown(row, await rows.progress(session, row), now)
    return reply(request, {"drill": shown}, 201, headers={"Location": f"/api/ssl/drills/{drill_id}"})


@router.get("/{drill_id}", responses={200: DRILL})
async def single(request: Request, drill_id: str, principal: Operator, held: Held) -> Response:
    now = datetime.now(UTC)
    async with held.db.begin() as session:
        row = await _found(session, drill_id)
        shown = drill_shown(row, await rows.progress(session, row), now)
    return reply(request, {"drill": shown})


@router.post("/{drill_id}/pause", responses={200: DRILL, **also(409)})
async def pause(request: Request, drill_id: str, principal: Operator, held: Held) -> Response:
    """No further certificate is made due. What has begun is finished."""

    def act(row: CertificateDrill, now: datetime) -> None:
        row.state = DrillState.PAUSED.value

    return await _changed(request, drill_id, principal, held, "pause", act)


@router.post("/{drill_id}/resume", responses={200: DRILL, **also(409)})
async def resume(request: Request, drill_id: str, principal: Operator, held: Held) -> Response:
    """Go on at the same pace; what the pause held up is not caught up with."""

    def act(row: CertificateDrill, now: datetime) -> None:
        if row.state == DrillState.PAUSED:
            row.next_at = max(row.next_at, now)
        row.state = DrillState.RUNNING.value

    return await _changed(request, drill_id, principal, held, "resume", act)


@router.post("/{drill_id}/stop", responses={200: DRILL, **also(409)})
async def stop(request: Request, drill_id: str, principal: Operator, held: Held) -> Response:
    """End it. What has begun is finished, or tried again by the usual policy; what waits is renewed as if no drill had
    been."""
    return await _changed(request, drill_id, principal, held, "stop", None)


async def _changed(
    request: Request, ref: str, principal: Principal, held: Services, what: str,
    act: Callable[[CertificateDrill, datetime], None] | None,
) -> Response:  # fmt: skip
    now = datetime.now(UTC)
    target = ("certificate_drill", ref[:64])
    async with audited_change(held, request, principal, f"certificate_drill.{what}", target) as session:
        row = await _found(session, ref, lock=True)
        if row.state not in UNFINISHED:
            raise ApiError(ErrorCode.CONFLICT, f"The drill is {row.state}.")
        if act is not None:
            act(row, now)
        else:
            await rows.end(session, row, DrillState.STOPPED, now)
        shown = drill_shown(row, await rows.progress(session, row), now)
    return reply(request, {"drill": shown})


async def _found(session: AsyncSession, ref: str, *, lock: bool = False) -> CertificateDrill:
    drill_id = parsed_id(ref)
    row = await rows.get(session, drill_id, lock=lock) if drill_id is not None else None
    if row is None:
        raise not_found("drill", ref)
    return row


async def _check_pace(session: AsyncSession, held: Services, asked: DrillRequest) -> None:
    issuers = {asked.ca} if asked.ca else {
        ca for ca, kind, _ in await rows.holdings(session) if kind == asked.key_type
    }  # fmt: skip
    most = _most(held, issuers)
    if asked.pace_per_hour > most:
        raise ApiError(ErrorCode.VALIDATION_ERROR, f"The CA's limits allow {most} certificates an hour beside those "
                       "that customers wait for.", field="pacePerHour")  # fmt: skip


def _most(held: Services, issuers: set[str]) -> int:
    """The greatest pace for certificates of these CAs, all of which the first CA of the settings issues anew."""
    directory = held.settings.acme_directory_url
    return most_an_hour(limits_of(directory), moves=issuers != {directory})
