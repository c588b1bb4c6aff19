"""Jobs (R162, X22): the runs that deliver orders, change subscriptions and set servers up, as their rows tell of them.

Operators retry and roll back with the same bodies, checks and answers as for instances (api/commands.py).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from api import sales_view
from api.answers import also
from api.auditing import audited
from api.decisions import Handle, checked_changes, conflict, retry_run, roll_back_run
from api.deps import Held, IdempotencyKey, Member, Operator, bound, parsed_id
from api.envelope import reply
from api.errors import not_found
from api.job_story import job_steps
from api.paging import pagination
from api.schemas import Retry, Rollback
from api.services import Principal, Services
from api.statusview import workflow_url
from api.story import line, step_event
from api.temporal_link import answered
from db.models_jobs import Job
from db.queries import sales_view as rows
from db.queries.job_story import events_after, step_events
from db.queries.sales_view import JobFilter
from domain.fulfilment import FulfilmentInputs
from domain.sales import JobStatus, JobType
from domain.statuses import Phase, Role

router = APIRouter(prefix="/api/jobs", tags=["jobs"])

MAX_EVENTS = 1_000


@router.get("")
async def jobs(
    request: Request,
    principal: Member,
    held: Held,
    type: JobType | None = None,
    status: JobStatus | None = None,
    subscription: uuid.UUID | None = None,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    wanted = JobFilter(type, status, subscription, bound(principal))
    async with held.db.begin() as session:
        total, found = await rows.list_jobs(session, wanted, offset=(page - 1) * limit, limit=limit)
    shown = [sales_view.job(row) for row in found]
    return reply(request, {"jobs": shown, "pagination": pagination(page, limit, total)})


@router.get("/{job_id}")
async def job(request: Request, job_id: str, principal: Member, held: Held) -> Response:
    """With its steps, as those of an instance are shown."""
    row = await _visible(held, principal, job_id)
    [shown] = await with_steps(held, principal, [row])
    return reply(request, {"job": shown})


@router.get("/{job_id}/events")
async def events(
    request: Request,
    job_id: str,
    principal: Member,
    held: Held,
    after: Annotated[int, Query(ge=0, description="Only events behind this position")] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_EVENTS)] = 200,
) -> Response:
    """Its story in order: steps and lines of the log. Go on from `position` while `has_more`, or until `done`."""
    row = await _visible(held, principal, job_id)
    # The row first: when it is over, all of its story is surely among the events read behind it.
    found = await events_after(held.reader, row.id, after, limit=limit + 1)
    shown = [line(event) | step_event(event) for event in found[:limit]]
    body: dict[str, object] = {
        "job_id": row.id,
        "events": shown,
        "position": shown[-1]["position"] if shown else after,
        "has_more": len(found) > limit,
        "done": row.ended_at is not None,
    }
    return reply(request, body)


@router.post("/{job_id}/retry", status_code=202, responses=also(409, 502))
async def retry(
    request: Request, job_id: str, principal: Operator, held: Held, key: IdempotencyKey, asked: Retry | None = None
) -> Response:
    """Retry one parked step, or all of them, with corrected inputs where the step offers them."""
    asked = asked or Retry()
    row = await _visible(held, principal, job_id)
    changes = checked_changes(asked, FulfilmentInputs)
    about = {"step": asked.step, "changed": sorted(changes)}
    async with audited(held, request, principal, "job.retry", ("job", str(row.id)), **about):
        _check_under_way(row)
        async with answered():
            steps = await retry_run(request, principal, await _handle(held, row), asked, changes, key)
    return _accepted(request, row, "Retry initiated", steps=steps)


@router.post("/{job_id}/rollback", status_code=202, responses=also(409, 502))
async def roll_back(
    request: Request, job_id: str, principal: Operator, held: Held, key: IdempotencyKey, asked: Rollback | None = None
) -> Response:
    """Undo what a parked run has done, in reverse, and prove that nothing is left. 409 when nothing is parked.

    A part of an order takes the whole order back with it.
    """
    asked = asked or Rollback()
    row = await _visible(held, principal, job_id)
    async with audited(held, request, principal, "job.rollback", ("job", str(row.id)), reason=asked.reason):
        _check_under_way(row)
        async with answered():
            await roll_back_run(request, principal, await _handle(held, row), asked, key)
    return _accepted(request, row, "Rollback initiated")


async def with_steps(held: Services, principal: Principal, jobs: Sequence[Job]) -> list[sales_view.Shown]:
    """Jobs with the state of each step; staff is told where the run is seen."""
    told = await step_events(held.reader, [row.id for row in jobs])
    shown = [sales_view.job(row) | {"steps": job_steps(row, told.get(row.id, ()))} for row in jobs]
    if principal.role is not Role.USER:
        for one in shown:
            one["temporal_url"] = workflow_url(held.settings, one["workflow_id"])
    return shown


async def _visible(held: Services, principal: Principal, text: str) -> Job:
    """404 also where it belongs to somebody else's organization."""
    ref = parsed_id(text)
    async with held.db.begin() as session:
        row = await rows.job(session, ref, bound(principal)) if ref else None
    if row is None:
        raise not_found("job", text)
    return row


def _check_under_way(row: Job) -> None:
    if row.ended_at is not None:
        raise conflict(f"The job is over: {Phase(row.phase).replace('_', ' ')}.")


async def _handle(held: Services, row: Job) -> Handle:
    return (await held.temporal.client()).get_workflow_handle(row.workflow_id)


def _accepted(request: Request, row: Job, message: str, **more: object) -> Response:
    headers = {"Location": f"/api/jobs/{row.id}"}
    return reply(request, {"message": message, "job_id": row.id, **more}, 202, headers=headers)
