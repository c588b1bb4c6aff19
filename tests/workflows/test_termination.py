"""Termination: everything goes, with proof; what fails waits by name; there is no way back."""

from __future__ import annotations

import pytest
from temporalio.client import Client, WorkflowHandle, WorkflowUpdateFailedError

from domain import ids
from domain.provisioning import ProvisionOrder, RetryRequest, RollbackRequest, TerminationOrder
from domain.statuses import DeploymentType, Lifecycle
from tests.workflows.world import World, until_parked
from workflows.termination import Termination


async def terminate(client: Client, order: ProvisionOrder, **extra: object) -> WorkflowHandle[Termination, None]:
    termination = TerminationOrder(
        deployment_id=order.deployment_id, slug=order.slug, fqdn=order.fqdn,
        deployment_type=order.deployment_type, **extra,  # type: ignore[arg-type]
    )  # fmt: skip
    return await client.start_workflow(
        Termination.run, termination, id=ids.termination_workflow_id(order.deployment_id), task_queue=ids.RUNS_QUEUE
    )


async def test_an_active_instance_ends_with_proof_and_a_free_slug(world: World, client: Client) -> None:
    order = await world.order("gone")
    await (await world.start(client, order)).result()
    await (await terminate(client, order)).result()
    row = await world.row(order)
    assert row.phase == "terminated"
    assert row.ended_at is not None
    assert row.access_url is None
    assert row.absence is not None
    assert len(row.absence["proofs"]) == 3
    assert world.servers == set()
    vps = await world.vps(order)
    assert vps is not None
    assert vps.lifecycle == Lifecycle.TERMINATED
    assert vps.current_organizations == 0


async def test_a_shared_application_leaves_and_its_server_stays(world: World, client: Client) -> None:
    first, second = await world.order("stays", "shared"), await world.order("leaves", "shared")
    for order in (first, second):
        await (await world.start(client, order)).result()
    await (await terminate(client, second)).result()
    assert world.count["remove_application"] == 1
    vps = await world.vps(first)
    assert vps is not None
    assert vps.current_organizations == 1
    assert second.deployment_type is DeploymentType.SHARED


async def test_a_step_that_fails_waits_and_cannot_be_rolled_back(world: World, client: Client) -> None:
    order = await world.order("sticky")
    await (await world.start(client, order)).result()
    world.fail("destroy_server", "Unauthorized", times=1)
    handle = await terminate(client, order)
    await until_parked(handle, "destroy_server")
    assert (await world.row(order)).ended_at is None, "a failed deletion never ends the row"
    with pytest.raises(WorkflowUpdateFailedError):
        await handle.execute_update(Termination.roll_back_run, RollbackRequest())
    await handle.execute_update(Termination.retry_step, RetryRequest())
    await handle.result()
    assert (await world.row(order)).phase == "terminated"
