"""What scheduled sweeps do."""

from __future__ import annotations

import contextlib
import uuid
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from temporalio import activity
from temporalio.exceptions import WorkflowAlreadyStartedError

from activities._context import Deps
from activities._errors import mapped
from db.models import Deployment
from db.queries import jobs, mails, orders, servers, set_ups, zone_changes
from db.queries.ordering import mark_started, order_of
from domain.starting import (
    action_start,
    change_start,
    fulfilment_start,
    mail_start,
    provisioning_start,
    set_up_start,
    zone_start,
)

GRACE = timedelta(seconds=20)  # the front door starts its own row within moments
BATCH = 100


class SweepActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @activity.defn
    @mapped
    async def start_unstarted(self) -> int:
        """Start every run whose row is committed and not known to be started.

        Effect: workflows started, started_at written.
        Idempotency: the workflow id is the row's; a run that exists is left alone.
        Undo: none.
        Heartbeat: none, at most a hundred starts of each kind.
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
            instances = [order_of(row, self._deps.config.policy) for row in rows]
        client = activity.client()
        for order in instances:
            with contextlib.suppress(WorkflowAlreadyStartedError):
                await client.start_workflow("Provisioning", order, **provisioning_start(order))
            async with self._deps.db.begin() as session:
                await mark_started(session, uuid.UUID(order.deployment_id))
        return (
            len(instances)
            + await self._start_paid_orders()
            + await self._start_changes()
            + await self._start_actions()
            + await self._start_mails()
            + await self._start_set_ups()
            + await self._start_zone_changes()
        )

    async def _start_paid_orders(self) -> int:
        async with self._deps.db.begin() as session:
            found = await orders.unstarted(session, datetime.now(UTC) - GRACE, BATCH, self._deps.config.policy)
        for order in found:
            with contextlib.suppress(WorkflowAlreadyStartedError):
                await activity.client().start_workflow("Fulfilment", order, **fulfilment_start(order))
            async with self._deps.db.begin() as session:
                await orders.mark_started(session, order)
        return len(found)

    async def _start_changes(self) -> int:
        async with self._deps.db.begin() as session:
            found = await jobs.unstarted_changes(
                session, datetime.now(UTC) - GRACE, BATCH, self._deps.config.policy)  # fmt: skip
        for change in found:
            with contextlib.suppress(WorkflowAlreadyStartedError):
                await activity.client().start_workflow("SubscriptionChange", change, **change_start(change))
            async with self._deps.db.begin() as session:
                await jobs.started(session, uuid.UUID(change.job_id))
        return len(found)

    async def _start_actions(self) -> int:
        async with self._deps.db.begin() as session:
            calls = await servers.unstarted_actions(session, datetime.now(UTC) - GRACE, BATCH)
        for call in calls:
            with contextlib.suppress(WorkflowAlreadyStartedError):
                await activity.client().start_workflow("ServerActions", call, **action_start(call))
            async with self._deps.db.begin() as session:
                await servers.action_started(session, uuid.UUID(call.action_id))
        return len(calls)

    async def _start_mails(self) -> int:
        async with self._deps.db.begin() as session:
            calls = await mails.unstarted(session, datetime.now(UTC) - GRACE, BATCH)
        for call in calls:
            with contextlib.suppress(WorkflowAlreadyStartedError):
                await activity.client().start_workflow("SendMail", call, **mail_start(call))
            async with self._deps.db.begin() as session:
                await mails.started(session, uuid.UUID(call.mail_id))
        return len(calls)

    async def _start_set_ups(self) -> int:
        async with self._deps.db.begin() as session:
            before = datetime.now(UTC) - GRACE
            orders = await set_ups.unstarted(session, before, BATCH, self._deps.config.policy)
        for order in orders:
            with contextlib.suppress(WorkflowAlreadyStartedError):
                await activity.client().start_workflow("SetUpServer", order, **set_up_start(order))
            async with self._deps.db.begin() as session:
                await jobs.started(session, uuid.UUID(order.job_id))
        return len(orders)

    async def _start_zone_changes(self) -> int:
        async with self._deps.db.begin() as session:
            zones = await zone_changes.unstarted(session, datetime.now(UTC) - GRACE, BATCH)
        for call, upto in zones:
            await activity.client().start_workflow("ChangeZone", call, **zone_start(call))
            async with self._deps.db.begin() as session:
                await zone_changes.started(session, uuid.UUID(call.zone_id), upto)
        return len(zones)
