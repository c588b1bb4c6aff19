"""A cancellation that meets the end of a run, at each moment near it: row, run, cloud and journal agree afterwards.

Rows are written while a workflow task is under way, before Temporal has kept what the task decided. A cancellation that
arrives meanwhile refuses that task's end, and the run goes on from before it, with other knowledge.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from sqlalchemy import select
from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities._context import Deps
from activities.records import RecordActivities
from db.keyring import KeyRing
from db.models import DeploymentEvent
from db.session import Database
from domain.journal import JournalBatch
from domain.provisioning import ProvisionOrder, RollbackRequest, StepCall, TerminationOrder
from domain.starting import termination_start
from domain.statuses import DeploymentType, StepState
from tests.journal import no_events
from tests.workflows.held import Hold, Moment, ends, named
from tests.workflows.test_replay_safety import failure_of_replay, running
from tests.workflows.world import World, until_parked
from workflows.provisioning import Provisioning
from workflows.termination import Termination


class HeldRecords(RecordActivities):
    """Rows as the product writes them, held where a test chose."""

    def __init__(self, deps: Deps) -> None:
        super().__init__(deps)
        self.hold = Hold()
        self.refused = 0  # how often it is not said whether an order was handed over

    @activity.defn
    async def record(self, batch: JournalBatch) -> None:
        await self.hold.wait("record", batch, before=True)
        await super().record(batch)
        await self.hold.wait("record", batch, before=False)

    @activity.defn
    async def activate(self, call: StepCall, batch: JournalBatch) -> str:
        await self.hold.wait("activate", batch, before=True)
        url = await super().activate(call, batch)
        await self.hold.wait("activate", batch, before=False)
        return url

    @activity.defn
    async def call_back(self, call: StepCall, batch: JournalBatch) -> str | None:
        if self.refused:
            self.refused -= 1
            raise ApplicationError("no", type="MissingSetting", non_retryable=True)
        return await super().call_back(call, batch)

    @activity.defn
    async def release(self, call: StepCall, batch: JournalBatch) -> None:
        await self.hold.wait("release", batch, before=True)
        await super().release(call, batch)
        await self.hold.wait("release", batch, before=False)


class LateWorld(World):
    def __init__(self, db: Database, keys: KeyRing) -> None:
        super().__init__(db, keys)
        self.rows = HeldRecords(self.deps)

    def records_class(self, deps: Deps) -> HeldRecords:  # type: ignore[override]
        return self.rows


@pytest.fixture
def world(db: Database, keys: KeyRing) -> LateWorld:
    return LateWorld(db, keys)


async def agreed(world: World, order: ProvisionOrder, handle: WorkflowHandle[Any, Any]) -> str:
    """How it ended, by everybody's word."""
    with contextlib.suppress(WorkflowFailureError):
        await asyncio.wait_for(handle.result(), 30)
    status = (await handle.describe()).status
    row = await world.row(order)
    assert (row.phase, status) in {
        ("active", WorkflowExecutionStatus.COMPLETED),
        ("cancelled", WorkflowExecutionStatus.CANCELED),
        ("rolled_back", WorkflowExecutionStatus.FAILED),
    }
    active = row.phase == "active"
    assert (order.deployment_id in world.servers) == active
    assert row.status == ("active" if active else "failed")
    assert (row.access_url is not None) == (active and order.deployment_type is not DeploymentType.SERVER)
    assert (row.ended_at is None) == active
    assert (row.absence is None) == active
    async with world.db.begin() as session:
        rows = (await session.execute(
            select(DeploymentEvent.seq, DeploymentEvent.state, DeploymentEvent.step).where(
                DeploymentEvent.deployment_id == order.deployment_id, DeploymentEvent.kind == "step")
            .order_by(DeploymentEvent.position))).all()  # fmt: skip
    assert [row.seq for row in rows] == [*range(1, len(rows) + 1)]
    assert [row.state for row in rows].count(StepState.ENDED) == 1
    assert rows[-1].state == StepState.ENDED
    assert row.seq == rows[-1].seq
    undone = {row.step for row in rows if row.state == StepState.UNDONE}
    names = set() if order.deployment_type is DeploymentType.SERVER else {"publish_dns"}
    assert undone >= (set() if active else {"create_server", "reserve", *names})
    assert await failure_of_replay(handle) is None
    return str(row.phase)


class TestProvisioning:
    @pytest.mark.parametrize("kind", ["dedicated", "server"])
    @pytest.mark.parametrize("before", [True, False], ids=["before its rows", "after its rows"])
    @pytest.mark.parametrize("moment", [named("activate"), ends], ids=["handing over", "telling the end"])
    async def test_a_cancellation_near_the_end_leaves_one_truth(
        self, world: LateWorld, client: Client, moment: Moment, before: bool, kind: str
    ) -> None:
        world.rows.hold.at(moment, before=before)
        async with running(world, client):
            order = await world.order(f"late{kind}{before:d}{moment is ends:d}", kind)
            handle = await world.start(client, order)
            await asyncio.wait_for(world.rows.hold.reached.wait(), 30)
            handed_over = (await world.row(order)).activated_at is not None
            await handle.cancel()
            world.rows.hold.go_on.set()
            ended = await agreed(world, order, handle)
            assert ended == "active" or not handed_over

    @pytest.mark.parametrize("before", [True, False], ids=["before its rows", "after its rows"])
    @pytest.mark.parametrize("moment", [named("release"), ends], ids=["releasing", "telling the end"])
    async def test_a_cancellation_near_the_end_of_a_rollback_leaves_one_truth(
        self, world: LateWorld, client: Client, moment: Moment, before: bool
    ) -> None:
        world.fail("run_migrations", "MigrationFailed")
        world.rows.hold.at(moment, before=before)
        async with running(world, client):
            order = await world.order(f"lateback{before:d}{moment is ends:d}")
            handle = await world.start(client, order)
            await until_parked(handle, "run_migrations")
            await handle.signal(Provisioning.rollback)
            await asyncio.wait_for(world.rows.hold.reached.wait(), 30)
            await handle.cancel()
            world.rows.hold.go_on.set()
            assert await agreed(world, order, handle) == "rolled_back"

    @pytest.mark.parametrize("undo", ["withdraw_dns", "destroy_server", "prove_server_absent"])
    async def test_a_cancellation_during_an_operators_rollback_does_not_stop_it(
        self, world: LateWorld, client: Client, undo: str
    ) -> None:
        world.fail("run_migrations", "MigrationFailed")
        async with running(world, client):
            order = await world.order(f"midback{undo.replace('_', '')}")
            handle = await world.start(client, order)
            await until_parked(handle, "run_migrations")
            reached = world.hold(undo)
            await handle.execute_update(Provisioning.roll_back_run, RollbackRequest(reason="no"))
            await asyncio.wait_for(reached.wait(), 30)
            await handle.cancel()
            await asyncio.sleep(1)  # an activity that is called back would have heard of it
            world.holds[undo].set()
            assert await agreed(world, order, handle) == "rolled_back"

    async def test_a_cancellation_while_an_undo_waits_for_an_operator_does_not_end_the_run(
        self, world: LateWorld, client: Client
    ) -> None:
        world.fail("run_migrations", "MigrationFailed")
        world.fail("destroy_server", "Unauthorized")
        async with running(world, client):
            order = await world.order("waitback")
            handle = await world.start(client, order)
            await until_parked(handle, "run_migrations")
            await handle.signal(Provisioning.rollback)
            await until_parked(handle, "create_server")
            await handle.cancel()
            await asyncio.sleep(0.5)
            await until_parked(handle, "create_server")
            world.heal("destroy_server")
            await handle.signal(Provisioning.retry)
            assert await agreed(world, order, handle) == "rolled_back"

    async def test_an_undo_that_stands_in_line_is_waited_for(self, world: LateWorld, client: Client) -> None:
        world.fail("run_migrations", "MigrationFailed")
        world.fail("destroy_server", "RateLimited", times=2)
        async with running(world, client):
            order = await world.order("lineback")
            handle = await world.start(client, order)
            await until_parked(handle, "run_migrations")
            await handle.signal(Provisioning.rollback)
            assert await agreed(world, order, handle) == "rolled_back"
        assert world.count["destroy_server"] == 3

    async def test_a_question_that_cannot_be_answered_waits_for_an_operator(
        self, world: LateWorld, client: Client
    ) -> None:
        """Whether it was handed over is asked of a row; nothing is undone before that is known."""
        world.fail("run_migrations", "MigrationFailed")
        world.rows.refused = 1
        async with running(world, client):
            order = await world.order("askback")
            handle = await world.start(client, order)
            await until_parked(handle, "run_migrations")
            await handle.cancel()
            await until_parked(handle, "activate")
            assert world.count["destroy_server"] == 0
            await handle.signal(Provisioning.retry)
            assert await agreed(world, order, handle) == "cancelled"


class TestTermination:
    @pytest.mark.parametrize("parked", [False, True], ids=["under way", "waiting for an operator"])
    async def test_a_termination_that_is_cancelled_goes_on(
        self, world: LateWorld, client: Client, parked: bool
    ) -> None:
        async with running(world, client):
            order = await world.order(f"goes{parked:d}")
            await (await world.start(client, order)).result()
            if parked:
                world.fail("destroy_server", "Unauthorized")
            else:
                reached = world.hold("destroy_server")
            end = TerminationOrder(deployment_id=order.deployment_id, slug=order.slug, fqdn=order.fqdn,
                                   deployment_type=order.deployment_type)  # fmt: skip
            handle = await client.start_workflow(Termination.run, end, **termination_start(end))
            await (until_parked(handle, "destroy_server") if parked else asyncio.wait_for(reached.wait(), 30))
            await handle.cancel()
            await asyncio.sleep(0.5)
            if parked:
                world.heal("destroy_server")
                await handle.signal(Termination.retry)
            else:
                world.holds["destroy_server"].set()
            await asyncio.wait_for(handle.result(), 30)
            assert (await world.row(order)).phase == "terminated"
            assert world.servers == set()


class TestWhoComesFirst:
    """Two tries of one run at its row: the hand-over of a task that was given up, and the calling back after it."""

    async def test_nothing_is_handed_over_once_it_was_called_back(self, world: LateWorld) -> None:
        order = await world.order("calledback")
        call, batch = StepCall(deployment_id=order.deployment_id), no_events(order.deployment_id)
        run = ActivityEnvironment().run
        assert await run(world.rows.call_back, call, batch) is None
        with pytest.raises(ApplicationError) as refused:
            await run(world.rows.activate, call, batch)
        assert refused.value.type == "Conflict"
        row = await world.row(order)
        assert (row.activated_at, row.access_url, row.phase) == (None, None, "rolling_back")

    async def test_nothing_is_called_back_once_it_was_handed_over(self, world: LateWorld) -> None:
        order = await world.order("handedover")
        call, batch = StepCall(deployment_id=order.deployment_id), no_events(order.deployment_id)
        run = ActivityEnvironment().run
        url = await run(world.rows.activate, call, batch)
        assert await run(world.rows.call_back, call, batch) == url == "https://handedover.slipway.test"
        assert (await world.row(order)).phase == "running"
