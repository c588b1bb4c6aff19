"""One seed's life: ordered as the front door does it, decided about by an operator, ended, and judged."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.service import RPCError

from db.models import Deployment
from db.queries import ordering, servers
from db.secrets import ensure
from domain import ids
from domain.provisioning import ProvisionOrder, RetryRequest, RollbackRequest, RunInputs, TerminationOrder
from domain.servers import ROOT_PASSWORD, USER_DATA, ServerOptions
from domain.starting import provisioning_start, termination_start
from domain.statuses import ENDED_PHASES, Phase
from providers.hosts.cloud_init import new_keypair
from tests.faults.heard import last_heard
from tests.faults.judge import Judge, Violation, stuck
from tests.faults.outside import SEED
from tests.faults.stack import Stack
from tests.faults.story import POLICY, SOLD, Story, decision, story

# A run that has not ended by then (real seconds) is lost. Generous: a busy machine is slow, and not at fault.
DEADLINE = 600.0
LOOK = 0.3
QUICK = {"task_timeout": timedelta(seconds=6)}  # a killed worker holds a workflow task for ten otherwise
RPC = timedelta(seconds=5)


@dataclass
class Shown:
    """What a deployment's row shows."""

    phase: str
    seq: int
    parked: list[dict[str, Any]]


class Rows:
    """One look at all rows in flight, for all seeds together."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._watched: dict[str, Shown | None] = {}

    def watch(self, deployment_id: str) -> None:
        self._watched[deployment_id] = None

    def leave(self, deployment_id: str) -> None:
        self._watched.pop(deployment_id, None)

    def shown(self, deployment_id: str) -> Shown | None:
        return self._watched.get(deployment_id)

    async def look_regularly(self) -> None:
        columns = (Deployment.id, Deployment.phase, Deployment.seq, Deployment.parked)
        while True:
            wanted = [uuid.UUID(name) for name in self._watched]
            async with self._stack.db.begin() as session:
                found = (await session.execute(select(*columns).where(Deployment.id.in_(wanted)))).all()
            for row in found:
                if str(row.id) in self._watched:
                    self._watched[str(row.id)] = Shown(row.phase, row.seq, row.parked)
            await asyncio.sleep(LOOK)


@dataclass
class Verdict:
    seed: int
    story: Story
    end: str = "lost"
    seconds: float = 0
    moves: int = 0
    violations: list[Violation] = field(default_factory=list)


class Life:
    def __init__(self, stack: Stack, rows: Rows, seed: int, deadline: float = DEADLINE) -> None:
        self._deadline = deadline
        self._stack = stack
        self._rows = rows
        self._seed = seed
        self._story = story(seed)
        self._answers = 0

    async def live(self) -> Verdict:
        began, verdict = time.monotonic(), Verdict(self._seed, self._story)
        order = await self._place()
        self._rows.watch(order.deployment_id)
        try:
            await self._start(order)
            await self._to_its_end(order, verdict)
            if not verdict.violations and verdict.end == Phase.ACTIVE and self._story.terminate:
                await self._terminate(order, verdict)
        finally:
            self._rows.leave(order.deployment_id)
        if not verdict.violations:
            await self._stack.clouds.forget(order.deployment_id)
        verdict.seconds = time.monotonic() - began
        return verdict

    # ---- the front door

    async def _place(self) -> ProvisionOrder:
        slug, told = f"seed-{self._seed}", self._story
        inputs = RunInputs(
            provider=told.cloud, provider_id=self._stack.accounts[told.cloud], environment={SEED: str(self._seed)},
            fallbacks=[place.model_copy(update={"provider_id": self._stack.accounts[place.provider]})
                       for place in told.fallbacks])  # fmt: skip
        async with self._stack.db.begin() as session:
            organization = await ordering.organization_for(session, slug, slug)
            assert organization is not None
            common = {"organization_id": organization.id, "slug": slug, "status": "provisioning",
                      "admin_email": "ada@example.com", "admin_name": "Ada"}  # fmt: skip
            row = await (self._bare if told.bare else self._application)(session, common, inputs)
            self._stack.clouds.follow(str(row.id), self._seed)
        return ordering.order_of(row, POLICY)

    async def _application(self, session: AsyncSession, common: dict[str, Any], inputs: RunInputs) -> Deployment:
        row = await ordering.insert_deployment(session, common | {
            "deployment_type": "dedicated", "tier": "professional", "inputs": inputs.model_dump(mode="json"),
            "assigned_subdomain": ids.fqdn(common["slug"], "slipway.test"),
        })  # fmt: skip
        assert row is not None
        await ensure(session, self._stack.keys, "admin-password", secrets.token_urlsafe, deployment_id=row.id)
        return row

    async def _bare(self, session: AsyncSession, common: dict[str, Any], inputs: RunInputs) -> Deployment:
        product, zone, system = SOLD[inputs.provider]
        key = new_keypair()[1]
        inputs = inputs.model_copy(update={
            "product": product, "availability_zone": zone, "operating_system": system})  # fmt: skip
        row, vps = await servers.order_server(
            session, common | {"deployment_type": "server", "tier": "starter", "assigned_subdomain": "",
                               "inputs": inputs.model_dump(mode="json")},
            label=f"{common['slug']}-web", base_domain="slipway.test", options=ServerOptions(ssh_keys=[key]),
        )  # fmt: skip
        # A password is hashed for the other clouds, which takes longer than the rest of a seed's life.
        if inputs.provider == "linode":
            await ensure(session, self._stack.keys, ROOT_PASSWORD, secrets.token_urlsafe, vps_id=vps.id)
        else:
            await ensure(session, self._stack.keys, USER_DATA, lambda: "#cloud-config\n", vps_id=vps.id)
        return row

    async def _start(self, order: ProvisionOrder) -> None:
        if self._story.start == "unstarted":
            return
        try:
            await self._stack.client.start_workflow("Provisioning", order, **provisioning_start(order) | QUICK)
        except RPCError:
            return  # what the front door does too: the sweep starts it
        if self._story.start == "started":
            async with self._stack.db.begin() as session:
                await ordering.mark_started(session, uuid.UUID(order.deployment_id))

    async def _terminate(self, order: ProvisionOrder, verdict: Verdict) -> None:
        termination = TerminationOrder(
            deployment_id=order.deployment_id, slug=order.slug, fqdn=order.fqdn, inputs=order.inputs,
            deployment_type=order.deployment_type, policy=POLICY)  # fmt: skip
        for _ in range(10):  # the front door says 503, and the customer asks again
            with contextlib.suppress(RPCError):
                await self._stack.client.start_workflow(
                    "Termination", termination, **termination_start(termination) | QUICK)  # fmt: skip
                break
        self._rows.watch(order.deployment_id)
        await self._to_its_end(order, verdict, terminating=True)

    # ---- the run

    async def _to_its_end(self, order: ProvisionOrder, verdict: Verdict, *, terminating: bool = False) -> None:
        make_id = ids.termination_workflow_id if terminating else ids.provisioning_workflow_id
        handle = self._stack.client.get_workflow_handle(make_id(order.deployment_id))
        ends = {Phase.TERMINATED} if terminating else {Phase.ACTIVE, *ENDED_PHASES}
        phase = await self._until(order, handle, ends)
        if phase is None:
            what = f"the {'termination' if terminating else 'run'} did not end within {self._deadline:.0f} s"
            verdict.violations.append(await stuck(self._stack, order.deployment_id, what))
            verdict.violations.append(Violation("lost", await last_heard(handle)))
            return
        verdict.end = phase
        judge = Judge(self._stack, order.deployment_id, self._stack.clouds.twins(self._seed))
        closed = await self._closed(handle)
        verdict.violations += await judge.verdict(phase, closed)
        verdict.moves = max(verdict.moves, judge.moves)
        if closed is None:
            verdict.violations.append(Violation("lost", await last_heard(handle)))

    async def _until(self, order: ProvisionOrder, handle: WorkflowHandle[Any, Any], ends: set[Phase]) -> str | None:
        cancel_after = self._story.cancel_after
        deadline = time.monotonic() + self._deadline
        while time.monotonic() < deadline:
            shown = self._rows.shown(order.deployment_id)
            if shown is not None and shown.phase in ends:
                return shown.phase
            if shown is not None and shown.phase == Phase.RUNNING and cancel_after and shown.seq >= cancel_after:
                cancel_after = None
                with contextlib.suppress(RPCError):
                    await handle.cancel()
            elif shown is not None and shown.parked:
                await self._decide(handle, shown)
            await asyncio.sleep(LOOK)
        return None

    async def _closed(self, handle: WorkflowHandle[Any, Any]) -> WorkflowExecutionStatus | None:
        """The workflow's end, which follows its row's within a task or two; None where it does not come."""
        deadline = time.monotonic() + self._deadline
        while time.monotonic() < deadline:
            status = (await handle.describe()).status
            if status != WorkflowExecutionStatus.RUNNING:
                return status
            await asyncio.sleep(LOOK)
        return None

    async def _decide(self, handle: WorkflowHandle[Any, Any], shown: Shown) -> None:
        """What the row shows may be over by now: then the run refuses, and the operator looks again."""
        reversible = shown.phase == Phase.RUNNING
        self._answers += 1
        made = decision(self._seed, self._answers, reversible=reversible)
        await asyncio.sleep(made.after)
        step = str(shown.parked[-1]["step"]) if self._answers % 2 else None
        with contextlib.suppress(WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError, RPCError):
            if made.by_signal:
                await handle.signal(made.answer, step if made.answer == "retry" else "drawn")
            elif made.answer == "retry":
                await handle.execute_update("retry_step", RetryRequest(step=step), rpc_timeout=RPC)
            else:
                await handle.execute_update("roll_back", RollbackRequest(reason="drawn"), rpc_timeout=RPC)
        await asyncio.sleep(2 * LOOK)


async def sweep_regularly(client: Client) -> None:
    """The schedule of the product, more often."""
    while True:
        await asyncio.sleep(2)
        with contextlib.suppress(RPCError):
            await client.start_workflow("StartSweep", id=f"start-sweep-{uuid.uuid4()}", task_queue=ids.RUNS_QUEUE)
