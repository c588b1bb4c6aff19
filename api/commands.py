"""What operators do to a run: retry, roll back, cancel, terminate. Each is a message to the workflow, and audited.

The workflow's validators decide, not this file: a row may lag behind by a moment. What is checked here first is what
needs no run to know.
"""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from api.auditing import audited
from api.deps import Held, IdempotencyKey, Operator, parsed_id
from api.envelope import reply, request_id
from api.errors import ApiError, not_found
from api.schemas import Retry, Rollback, Termination
from api.services import Services
from api.starting import run_handle, start_termination
from api.temporal_link import answered
from db.models import Deployment
from domain.errors import ErrorCode
from domain.provisioning import RetryRequest, RollbackRequest, RunInputs, TerminationOrder
from domain.starting import RPC_TIMEOUT
from domain.statuses import DeploymentType, Phase
from domain.steps import BY_NAME

router = APIRouter(prefix="/api/portal/instances", tags=["operations"])

# Names of the workflows' updates (workflows/_decisions.py).
RETRY_UPDATE = "retry_step"
ROLLBACK_UPDATE = "roll_back"

_OVER = {
    Phase.ACTIVE: "The deployment is active; nothing of its run is left to do.",
    Phase.ROLLED_BACK: "The deployment has been rolled back already.",
    Phase.CANCELLED: "The deployment was cancelled and rolled back already.",
    Phase.TERMINATED: "The deployment has been terminated already.",
}


def _conflict(message: str) -> ApiError:
    return ApiError(ErrorCode.CONFLICT, message)


async def _deployment(held: Services, ref: str) -> Deployment:
    deployment_id = parsed_id(ref)
    async with held.db.begin() as session:
        row = await session.get(Deployment, deployment_id) if deployment_id else None
    if row is None:
        raise not_found("deployment", ref)
    return row


def _check_changes(asked: Retry) -> dict[str, object]:
    """Corrections by name and type; which of them a parked step takes is the workflow's to say."""
    if asked.step is not None and asked.step not in BY_NAME:
        raise ApiError(ErrorCode.VALIDATION_ERROR, "step names no step of a run.", field="step")
    for name in asked.changes:
        if name not in RunInputs.model_fields:
            raise ApiError(
                ErrorCode.VALIDATION_ERROR, "changes holds a name that no step offers.", field=f"changes.{name[:60]}"
            )
    try:
        RunInputs.model_validate(asked.changes)
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(["changes", *map(str, problem["loc"])])
        raise ApiError(ErrorCode.VALIDATION_ERROR, f"{field}: {problem['msg']}.", field=field) from None
    return dict(asked.changes)


def _accepted(request: Request, row: Deployment, message: str, **more: object) -> Response:
    location = f"/api/portal/instances/{row.id}/status"
    return reply(request, {"message": message, "deploymentId": row.id, **more}, 202, headers={"Location": location})


@router.post("/{deployment_id}/retry", status_code=202)
async def retry(
    request: Request,
    deployment_id: str,
    principal: Operator,
    held: Held,
    key: IdempotencyKey,
    asked: Retry | None = None,
) -> Response:
    """Retry one parked step, or all of them, with corrected inputs where the step offers them."""
    asked = asked or Retry()
    row = await _deployment(held, deployment_id)
    changes = _check_changes(asked)
    about = {"step": asked.step, "changed": sorted(changes)}
    async with audited(held, request, principal, "instance.retry", ("deployment", str(row.id)), **about):
        if row.phase in _OVER:
            raise _conflict(_OVER[Phase(row.phase)])
        message = RetryRequest(
            step=asked.step, changes=changes, operator=principal.username, request_id=request_id(request)
        )
        async with answered():
            handle = await run_handle(held, row.id, terminating=row.phase == Phase.TERMINATING)
            steps: str = await handle.execute_update(
                RETRY_UPDATE, message, id=_update_id("retry", key, request), result_type=str, rpc_timeout=RPC_TIMEOUT
            )
    return _accepted(request, row, "Retry initiated", steps=[name for name in steps.split(",") if name])


@router.post("/{deployment_id}/rollback", status_code=202)
async def roll_back(
    request: Request,
    deployment_id: str,
    principal: Operator,
    held: Held,
    key: IdempotencyKey,
    asked: Rollback | None = None,
) -> Response:
    """Undo what a parked run has done, in reverse, and prove that nothing is left. 409 when nothing is parked."""
    asked = asked or Rollback()
    row = await _deployment(held, deployment_id)
    async with audited(held, request, principal, "instance.rollback", ("deployment", str(row.id)), reason=asked.reason):
        if row.phase in _OVER:
            raise _conflict(_OVER[Phase(row.phase)])
        if row.phase == Phase.TERMINATING:
            raise _conflict("The deployment is being terminated; that cannot be rolled back.")
        message = RollbackRequest(reason=asked.reason, operator=principal.username, request_id=request_id(request))
        async with answered():
            handle = await run_handle(held, row.id, terminating=False)
            await handle.execute_update(
                ROLLBACK_UPDATE, message, id=_update_id("rollback", key, request), result_type=str,
                rpc_timeout=RPC_TIMEOUT)  # fmt: skip
    return _accepted(request, row, "Rollback initiated")


@router.post("/{deployment_id}/cancel", status_code=202)
async def cancel(request: Request, deployment_id: str, principal: Operator, held: Held) -> Response:
    """Stop a run that is under way and roll it back, unless it hands over first: then it is active, and says so."""
    row = await _deployment(held, deployment_id)
    async with audited(held, request, principal, "instance.cancel", ("deployment", str(row.id))):
        if row.phase in _OVER:
            raise _conflict(_OVER[Phase(row.phase)])
        if row.phase != Phase.RUNNING:
            raise _conflict(f"A deployment that is {row.phase.replace('_', ' ')} cannot be cancelled.")
        async with answered():
            handle = await run_handle(held, row.id, terminating=False)
            await handle.cancel(rpc_timeout=RPC_TIMEOUT)
    return _accepted(request, row, "Cancellation initiated")


@router.delete("/{deployment_id}", status_code=202)
async def terminate(
    request: Request, deployment_id: str, principal: Operator, held: Held, asked: Termination | None = None
) -> Response:
    """Take an active deployment down: names, application, server; the proofs stay on the instance."""
    asked = asked or Termination()
    row = await _deployment(held, deployment_id)
    about = {"immediately": asked.immediately, "reason": asked.reason}
    async with audited(held, request, principal, "instance.terminate", ("deployment", str(row.id)), **about):
        if row.phase in (Phase.RUNNING, Phase.ROLLING_BACK):
            raise _conflict("The run is not over; cancel it or roll it back instead of terminating.")
        if row.phase not in (Phase.ACTIVE, Phase.TERMINATING):
            raise _conflict(_OVER[Phase(row.phase)])
        order = TerminationOrder(
            deployment_id=str(row.id),
            slug=row.slug,
            fqdn=row.assigned_subdomain,
            immediately=asked.immediately,
            reason=asked.reason,
            requested_by=principal.username,
            inputs=RunInputs.model_validate(row.inputs),
            deployment_type=DeploymentType(row.deployment_type),
            policy=held.policy(),
        )
        await start_termination(held, order)
    return _accepted(request, row, "Termination initiated")


def _update_id(verb: str, key: str | None, request: Request) -> str:
    """A double click, or a repeat with the same key, is one act."""
    return f"{verb}/{key or request_id(request)}"
