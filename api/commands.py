"""What operators do to a run: retry, roll back, cancel, terminate. Each is a message to the workflow, and audited.

The workflow's validators decide, not this file: a row may lag behind by a moment. What is checked here first is what
needs no run to know.
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.answers import also
from api.auditing import audited
from api.decisions import checked_changes, conflict, retry_run, roll_back_run
from api.deps import Held, IdempotencyKey, Operator, parsed_id
from api.envelope import reply
from api.errors import not_found
from api.schemas import Retry, Rollback, Termination
from api.services import Services
from api.starting import run_handle, start_termination
from api.temporal_link import answered
from db.models import Deployment
from domain.provisioning import RunInputs, TerminationOrder
from domain.starting import RPC_TIMEOUT
from domain.statuses import DeploymentType, Phase

router = APIRouter(prefix="/api/portal/instances", tags=["operations"])

_OVER = {
    Phase.ACTIVE: "The deployment is active; nothing of its run is left to do.",
    Phase.ROLLED_BACK: "The deployment has been rolled back already.",
    Phase.CANCELLED: "The deployment was cancelled and rolled back already.",
    Phase.TERMINATED: "The deployment has been terminated already.",
}


async def _deployment(held: Services, ref: str) -> Deployment:
    deployment_id = parsed_id(ref)
    async with held.db.begin() as session:
        row = await session.get(Deployment, deployment_id) if deployment_id else None
    if row is None:
        raise not_found("deployment", ref)
    return row


def _accepted(request: Request, row: Deployment, message: str, **more: object) -> Response:
    location = f"/api/portal/instances/{row.id}/status"
    return reply(request, {"message": message, "deploymentId": row.id, **more}, 202, headers={"Location": location})


@router.post("/{deployment_id}/retry", status_code=202, responses=also(409, 502))
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
    changes = checked_changes(asked, RunInputs)
    about = {"step": asked.step, "changed": sorted(changes)}
    async with audited(held, request, principal, "instance.retry", ("deployment", str(row.id)), **about):
        if row.phase in _OVER:
            raise conflict(_OVER[Phase(row.phase)])
        async with answered():
            run = await run_handle(held, row.id, terminating=row.phase == Phase.TERMINATING)
            steps = await retry_run(request, principal, run, asked, changes, key)
    return _accepted(request, row, "Retry initiated", steps=steps)


@router.post("/{deployment_id}/rollback", status_code=202, responses=also(409, 502))
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
            raise conflict(_OVER[Phase(row.phase)])
        if row.phase == Phase.TERMINATING:
            raise conflict("The deployment is being terminated; that cannot be rolled back.")
        async with answered():
            await roll_back_run(request, principal, await run_handle(held, row.id, terminating=False), asked, key)
    return _accepted(request, row, "Rollback initiated")


@router.post("/{deployment_id}/cancel", status_code=202, responses=also(409))
async def cancel(request: Request, deployment_id: str, principal: Operator, held: Held) -> Response:
    """Stop a run that is under way and roll it back, unless it hands over first: then it is active, and says so."""
    row = await _deployment(held, deployment_id)
    async with audited(held, request, principal, "instance.cancel", ("deployment", str(row.id))):
        if row.phase in _OVER:
            raise conflict(_OVER[Phase(row.phase)])
        if row.phase != Phase.RUNNING:
            raise conflict(f"A deployment that is {row.phase.replace('_', ' ')} cannot be cancelled.")
        async with answered():
            handle = await run_handle(held, row.id, terminating=False)
            await handle.cancel(rpc_timeout=RPC_TIMEOUT)
    return _accepted(request, row, "Cancellation initiated")


@router.delete("/{deployment_id}", status_code=202, responses=also(409))
async def terminate(
    request: Request, deployment_id: str, principal: Operator, held: Held, asked: Termination | None = None
) -> Response:
    """Take an active deployment down: names, application, server; the proofs stay on the instance."""
    asked = asked or Termination()
    row = await _deployment(held, deployment_id)
    about = {"immediately": asked.immediately, "reason": asked.reason}
    async with audited(held, request, principal, "instance.terminate", ("deployment", str(row.id)), **about):
        if row.phase in (Phase.RUNNING, Phase.ROLLING_BACK):
            raise conflict("The run is not over; cancel it or roll it back instead of terminating.")
        if row.phase not in (Phase.ACTIVE, Phase.TERMINATING):
            raise conflict(_OVER[Phase(row.phase)])
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
