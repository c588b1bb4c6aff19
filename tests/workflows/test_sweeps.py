"""A row whose start was lost between database and Temporal is started by the sweep, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import update
from temporalio.client import Client

from db.models import Deployment
from domain import ids
from tests.workflows.world import World
from workflows.sweeps import StartSweep


async def test_a_committed_order_is_started_once_however_often_the_sweep_runs(world: World, client: Client) -> None:
    order = await world.order("lost")
    async with world.db.begin() as session:
        await session.execute(
            update(Deployment)
            .where(Deployment.id == order.deployment_id)
            .values(created_at=datetime.now(UTC) - timedelta(minutes=2))
        )
    for number in range(2):
        await client.execute_workflow(StartSweep.run, id=f"sweep-{number}", task_queue=ids.RUNS_QUEUE)
    await client.get_workflow_handle(ids.provisioning_workflow_id(order.deployment_id)).result()
    row = await world.row(order)
    assert row.started_at is not None
    assert row.status == "active"
    assert world.count["create_server"] == 1


async def test_a_fresh_order_is_left_to_the_front_door(world: World, client: Client) -> None:
    order = await world.order("fresh")
    started = await client.execute_workflow(StartSweep.run, id="sweep-fresh", task_queue=ids.RUNS_QUEUE)
    assert started == 0
    assert (await world.row(order)).started_at is None
