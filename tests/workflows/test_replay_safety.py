"""No run has two local activities in flight, and runs under pressure replay.

Results of local activities that run side by side come in another order when they are replayed
(temporalio/sdk-python#1578), so that a run which met such a pair could be stuck for good.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor, Replayer

from db.keyring import KeyRing
from db.session import Database
from domain.statuses import DeploymentType
from temporal import sandbox_runner
from tests.workflows.world import World, until_parked
from workers.pools import WORKFLOWS
from workflows.provisioning import Provisioning

Handle = WorkflowHandle[Provisioning, str]


async def failure_of_replay(handle: Handle) -> Exception | None:
    replayer = Replayer(
        workflows=list(WORKFLOWS), workflow_runner=sandbox_runner(), data_converter=pydantic_data_converter
    )
    return (await replayer.replay_workflow(await handle.fetch_history(), raise_on_replay_failure=False)).replay_failure


class SlowRows(Interceptor):
    """Delays every local activity, and counts how many a run has in flight.

    Only where no workflow task times out: what a task that was given up had begun may still be under way.
    """

    def __init__(self, delay: Callable[[], float]) -> None:
        self.delay = delay
        self.in_flight: Counter[str] = Counter()
        self.most = 0

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        outer = self

        class Counted(ActivityInboundInterceptor):
            async def execute_activity(self, input: ExecuteActivityInput) -> Any:
                run = activity.info().workflow_run_id or ""
                outer.in_flight[run] += 1
                outer.most = max(outer.most, outer.in_flight[run])
                try:
                    await asyncio.sleep(outer.delay())
                    return await self.next.execute_activity(input)
                finally:
                    outer.in_flight[run] -= 1

        return Counted(next)


@contextlib.asynccontextmanager
async def running(world: World, client: Client, **runs: Any) -> AsyncIterator[None]:
    async with contextlib.AsyncExitStack() as stack:
        for worker in world.workers(client, **runs):
            await stack.enter_async_context(worker)
        yield


@pytest.fixture
def world(db: Database, keys: KeyRing) -> World:
    return World(db, keys)


class TestRowsHaveOneLane:
    async def to_the_end(self, world: World, client: Client, handle: Handle) -> None:
        await handle.signal(Provisioning.retry)  # refused and noted, in the midst of the first rows
        await handle.result()

    async def rolled_back(self, world: World, client: Client, handle: Handle) -> None:
        world.fail("run_migrations", "CommandFailed")
        await until_parked(handle, "run_migrations")
        await handle.signal(Provisioning.rollback)
        await handle.signal(Provisioning.retry)
        await ended(handle)

    async def cancelled(self, world: World, client: Client, handle: Handle) -> None:
        await asyncio.sleep(0.1)
        await handle.cancel()
        await handle.signal(Provisioning.rollback)
        await ended(handle)

    @pytest.mark.parametrize("story", [to_the_end, rolled_back, cancelled], ids=lambda story: story.__name__)
    async def test_one_local_activity_at_a_time(
        self, world: World, client: Client, story: Callable[..., Awaitable[None]]
    ) -> None:
        slow = SlowRows(lambda: 0.05)
        async with running(world, client, interceptors=[slow]):
            handle = await world.start(client, await world.order(story.__name__.replace("_", "-")))
            await story(self, world, client, handle)
        assert slow.most == 1
        assert await failure_of_replay(handle) is None

    async def test_a_signal_that_comes_while_a_row_is_written_replays(self, world: World, client: Client) -> None:
        # The workflow's task is renewed while rows are written, so signals arrive in the midst of it.
        slow = SlowRows(lambda: 1.5)
        async with running(world, client, interceptors=[slow]):
            handle = await world.start(client, await world.order("slow"), task_timeout=timedelta(seconds=1))
            for _ in range(6):
                await asyncio.sleep(0.7)
                await handle.signal(Provisioning.retry)
            await handle.cancel()
            await ended(handle)
        assert await failure_of_replay(handle) is None


async def ended(handle: Handle) -> None:
    with contextlib.suppress(Exception):
        await handle.result()


class TestUnderPressure:
    """Twelve runs share a cache for three; everything fails at times; operators and cancellations strike at random."""

    RUNS, CACHE, FAILING = 12, 3, ("publish_dns", "make_csr", "run_migrations", "set_up_server", "destroy_server")

    @pytest.mark.parametrize("seed", range(3))
    async def test_every_history_replays(self, world: World, client: Client, seed: int) -> None:
        dice = random.Random(seed)
        for name in self.FAILING:
            world.scripts[name] = lambda call: (
                ApplicationError("no", type="CommandFailed", non_retryable=True) if dice.random() < 0.35 else None
            )
        slow = SlowRows(lambda: dice.random() * 0.1)
        async with running(world, client, max_cached_workflows=self.CACHE, interceptors=[slow]):
            handles = [
                await world.start(client, await world.order(f"p{seed}x{n}", dice.choice(list(DeploymentType))))
                for n in range(self.RUNS)
            ]
            await asyncio.gather(
                *(self.strike(handle, random.Random(f"{seed}/{n}")) for n, handle in enumerate(handles))
            )
            world.scripts.clear()
            await asyncio.gather(*(self.finish(handle) for handle in handles))
        failures = {handle.id: await failure_of_replay(handle) for handle in handles}
        assert not {run: failure for run, failure in failures.items() if failure is not None}

    async def strike(self, handle: Handle, dice: random.Random) -> None:
        for _ in range(12):
            await asyncio.sleep(dice.random() * 0.8)
            with contextlib.suppress(RPCError):
                await dice.choice([
                    handle.cancel, lambda: handle.signal(Provisioning.rollback),
                    *[lambda: handle.signal(Provisioning.retry)] * 6,
                ])()  # fmt: skip

    async def finish(self, handle: Handle) -> None:
        """Retry what waits until the run has ended; a run that is stuck is left to the replay to explain."""
        for _ in range(60):
            if (await handle.describe()).status is not WorkflowExecutionStatus.RUNNING:
                return
            with contextlib.suppress(RPCError):
                await handle.signal(Provisioning.retry)
            await asyncio.sleep(0.5)
