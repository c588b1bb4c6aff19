"""What scheduled sweeps do."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select, update
from temporalio import activity
from temporalio.exceptions import WorkflowAlreadyStartedError

from activities._context import Deps
from activities._errors import mapped
from db.models import Deployment
from domain.provisioning import ProvisionOrder, RunInputs
from domain.starting import provisioning_start
from domain.statuses import DeploymentType, Tier

GRACE = timedelta(seconds=20)  # the front door starts its own row within moments
BATCH = 100


def order_of(row: Deployment) -> ProvisionOrder:
    """The workflow's input, from the row alone."""
    inputs = dict(row.inputs)
    policy = inputs.pop("policy", {})
    return ProvisionOrder(
        deployment_id=str(row.id),
        slug=row.slug,
        fqdn=row.assigned_subdomain,
        deployment_type=DeploymentType(row.deployment_type),
        tier=Tier(row.tier),
        vps_id=str(row.requested_vps_id) if row.requested_vps_id else None,
        inputs=RunInputs.model_validate(inputs),
        policy=policy,
    )


class SweepActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @activity.defn
    @mapped
    async def start_unstarted(self) -> int:
        """Start every run whose row is committed and not known to be started.

        Effect: workflows started, started_at written.
        Idempotency: the workflow id is the deployment's; a run that exists is left alone.
        Undo: none.
        Heartbeat: none, at most a hundred starts.
        """
        async with self._deps.db.begin() as session:
            rows = (
                await session.execute(
                    select(Deployment)
                    .where(Deployment.started_at.is_(None), Deployment.created_at < datetime.now(UTC) - GRACE)
                    .order_by(Deployment.created_at)
                    .limit(BATCH)
                )
            ).scalars()
            orders = [order_of(row) for row in rows]
        client = activity.client()
        for order in orders:
            with contextlib.suppress(WorkflowAlreadyStartedError):
                await client.start_workflow("Provisioning", order, **provisioning_start(order))
            async with self._deps.db.begin() as session:
                await session.execute(
                    update(Deployment)
                    .where(Deployment.id == order.deployment_id, Deployment.started_at.is_(None))
                    .values(started_at=func.now())
                )
        return len(orders)
