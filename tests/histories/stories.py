"""The runs whose histories are kept: every family, every terminal and parked state that changes commands."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle

from domain import ids
from domain.provisioning import RetryRequest, RollbackRequest, TerminationOrder
from domain.statuses import DeploymentType
from tests.workflows.world import World, until_parked
from workflows.provisioning import Provisioning
from workflows.termination import Termination

Story = Callable[[World, Client], Awaitable[WorkflowHandle[Any, Any]]]


async def ended(handle: WorkflowHandle[Any, Any]) -> WorkflowHandle[Any, Any]:
    with contextlib.suppress(WorkflowFailureError):  # rolled back and cancelled runs end as failures
        await handle.result()
    return handle


async def happy(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    return await ended(await world.start(client, await world.order("happy")))


async def shared_on_existing(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    await ended(await world.start(client, await world.order("neighbour", "shared")))
    return await ended(await world.start(client, await world.order("tenant", "shared")))


async def parked_and_retried(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    world.fail("run_migrations", "MigrationFailed", times=1)
    handle = await world.start(client, await world.order("retried"))
    await until_parked(handle, "run_migrations")
    await handle.execute_update(
        Provisioning.retry_step, RetryRequest(changes={"migration_command": ["npm", "run", "migrate"]}))  # fmt: skip
    return await ended(handle)


async def parked(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    world.fail("create_server", "QuotaExceeded")
    handle = await world.start(client, await world.order("waiting"))
    await until_parked(handle, "create_server")
    return handle


async def rolled_back(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    world.fail("run_migrations", "MigrationFailed")
    handle = await world.start(client, await world.order("undone"))
    await until_parked(handle, "run_migrations")
    await handle.execute_update(Provisioning.roll_back_run, RollbackRequest(reason="by request"))
    return await ended(handle)


async def rolled_back_after_stuck_undo(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    world.fail("start_services", "CommandFailed")
    world.fail("destroy_server", "Unauthorized", times=1)
    handle = await world.start(client, await world.order("stuck"))
    await until_parked(handle, "start_services")
    await handle.signal("rollback", {"reason": "signal"})
    await until_parked(handle, "create_server")
    await handle.signal("retry")
    return await ended(handle)


async def cancelled(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    reached = world.hold("start_services")
    handle = await world.start(client, await world.order("cancelled"))
    await asyncio.wait_for(reached.wait(), 30)
    await handle.cancel()
    world.holds["start_services"].set()
    return await ended(handle)


async def terminated(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    order = await world.order("terminated")
    await ended(await world.start(client, order))
    world.fail("withdraw_dns", "Transient", times=1)
    termination = await client.start_workflow(
        Termination.run,
        TerminationOrder(deployment_id=order.deployment_id, slug=order.slug, fqdn=order.fqdn,
                         deployment_type=DeploymentType.DEDICATED),
        id=ids.termination_workflow_id(order.deployment_id), task_queue=ids.RUNS_QUEUE)  # fmt: skip
    await until_parked(termination, "withdraw_dns")
    await termination.signal("retry")
    return await ended(termination)


STORIES: dict[str, Story] = {
    story.__name__: story
    for story in (happy, shared_on_existing, parked, parked_and_retried, rolled_back, rolled_back_after_stuck_undo,
                  cancelled, terminated)
}  # fmt: skip
