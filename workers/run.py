"""Runs pools until told to stop: SIGTERM lets activities end within their pool's grace."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Iterable
from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import PollerBehaviorAutoscaling, Worker

from activities._context import Deps
from domain.servers import SERVED
from providers.cloud.registry import LIMITS
from settings import Settings
from temporal import connect, sandbox_runner
from workers.deps import make_deps
from workers.limits import ensure_rates
from workers.pools import POOLS, Pool
from workers.schedules import ensure_schedules

logger = logging.getLogger("slipway.workers")

CACHED_RUNS = 2000
# One process has one core for all of them and their rows. What it cannot end within Temporal's ten seconds is begun
# again, so that with more of them at once a crowd of new runs comes to a stop instead of waiting its turn.
PARALLEL_WORKFLOW_TASKS = 24


def worker_of(pool: Pool, client: Client, deps: Deps) -> Worker:
    """One Temporal worker for a pool; workflow settings matter only where it has workflows."""
    return Worker(
        client,
        task_queue=pool.queue,
        workflows=list(pool.workflows),
        activities=pool.activities(deps),
        workflow_runner=sandbox_runner(),
        max_concurrent_activities=pool.slots,
        max_concurrent_workflow_tasks=PARALLEL_WORKFLOW_TASKS if pool.workflows else None,
        max_cached_workflows=CACHED_RUNS if pool.workflows else 0,
        workflow_task_poller_behavior=PollerBehaviorAutoscaling(),
        activity_task_poller_behavior=PollerBehaviorAutoscaling(),
        graceful_shutdown_timeout=pool.grace,
        disable_eager_activity_execution=not pool.workflows,
    )


async def run_pools(settings: Settings, names: Iterable[str]) -> None:
    pools = [POOLS[name] for name in names]
    client = await connect(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sig in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sig, stop.set)
    async with make_deps(settings) as deps, contextlib.AsyncExitStack() as stack:
        for pool in pools:
            await stack.enter_async_context(worker_of(pool, client, deps))
        await ensure_rates(client, LIMITS)
        if any(pool.workflows for pool in pools):
            await ensure_schedules(
                client, SERVED, inventory_every=timedelta(minutes=settings.inventory_sweep_minutes))  # fmt: skip
        logger.info("workers are running", extra={"pools": [pool.name for pool in pools]})
        await stop.wait()
        logger.info("stopping: activities may end first")
