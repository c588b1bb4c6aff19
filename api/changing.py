"""Asking for a change of a subscription: one row, one audit line, one run; one change of a subscription at a time."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from pydantic_core import from_json
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response

from api import sales_view
from api.auditing import audited_change
from api.deps import bound, parsed_id
from api.envelope import reply, written
from api.errors import ApiError, not_found
from api.idempotency import REPLAYED, claimed
from api.services import Principal, Services
from api.starting import start_change
from db.models_jobs import Job
from db.queries import delivery, jobs, lifecycle, ordering
from db.queries.delivery import Delivery
from domain.errors import ErrorCode
from domain.lifecycle import senseless
from domain.sales import JobType

Check = Callable[[AsyncSession, Delivery], Awaitable[None]]
Beside = Callable[[AsyncSession, Job], Awaitable[None]]


@dataclass(frozen=True)
class Asking:
    """`check` refuses with an ApiError; `beside` writes what goes with the job, in its transaction."""

    kind: JobType
    message: str
    action: str  # in the audit log
    body: dict[str, object] = field(default_factory=dict)  # fingerprinted with the Idempotency-Key
    reason: str = ""
    details: dict[str, object] = field(default_factory=dict)  # kept in the job's payload: nothing secret
    check: Check | None = None
    beside: Beside | None = None


async def ask(
    request: Request, principal: Principal, held: Services, key: str | None, subscription: str, asking: Asking
) -> Response:
    """202 with the job. 404 also where it is another organization's, 400 where it makes no sense by now, 409 where
    another change is under way."""
    route, start = f"{request.method} {request.url.path}", None
    target = ("subscription", subscription)
    async with audited_change(held, request, principal, asking.action, target, reason=asking.reason) as session:
        found = await _found(session, principal, subscription)
        earlier = await claimed(session, held, principal, key, route=route, body=asking.body)
        if earlier is not None:
            return reply(request, earlier.response, earlier.status_code, headers=REPLAYED)
        job = await _written(session, principal, found, asking)
        answer: dict[str, object] = from_json(written({"message": asking.message, "job": sales_view.job(job)}))
        if key is not None:
            await ordering.keep_answer(session, principal.key, key, 202, answer)
        start = BackgroundTask(start_change, held, await jobs.change_of(session, job, held.policy()))
    return reply(request, answer, 202, headers={"Location": f"/api/jobs/{job.id}"}, background=start)


async def _found(session: AsyncSession, principal: Principal, text: str) -> Delivery:
    """Held until the transaction ends, so that its state stays what is judged here."""
    ref, organization = parsed_id(text), bound(principal)
    try:
        found = await delivery.load(session, ref, lock=True) if ref else None
    except delivery.SubscriptionMissing:
        found = None
    if found is None or organization not in (None, found.customer.organization_id):
        raise not_found("subscription", text)
    return found


async def _written(session: AsyncSession, principal: Principal, found: Delivery, asking: Asking) -> Job:
    await _refuse_beside_another(session, found.subscription.id)
    problem = senseless(asking.kind, lifecycle.standing_of(found))
    if problem is not None:
        raise ApiError(ErrorCode.INVALID_ACTION, problem)
    if asking.check is not None:
        await asking.check(session, found)
    job = await jobs.request(session, found.subscription.id, asking.kind, reason=asking.reason,
                             requested_by=principal.username, **asking.details)  # fmt: skip
    if job is None:
        await _refuse_beside_another(session, found.subscription.id)
        raise ApiError(ErrorCode.CONFLICT, "Another change of this subscription has just ended; try again.")
    if asking.beside is not None:
        await asking.beside(session, job)
    return job


async def _refuse_beside_another(session: AsyncSession, ref: uuid.UUID) -> None:
    other = await jobs.living(session, ref)
    if other is not None:
        raise ApiError(ErrorCode.CONFLICT, f"Another change is under way: {other.type}, job {other.id}. Wait until it "
                       "has ended, or roll it back.")  # fmt: skip
