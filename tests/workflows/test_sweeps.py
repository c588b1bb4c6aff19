"""Sweeps: a start that was lost between database and Temporal happens once; an inventory is asked of its cloud."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from sqlalchemy import update
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from db.models import Deployment
from domain import ids
from domain.inventory import SweepCall, SweepOutcome, SweepReport
from domain.payments import EventsFetched
from tests.workflows.world import World
from workflows.sweeps import InventorySweep, PaymentSweep, StartSweep


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


async def test_an_inventory_sweep_runs_on_the_clouds_queue_and_makes_its_own_id(world: World, client: Client) -> None:
    calls: list[SweepCall] = []

    @activity.defn(name="sweep_inventory")
    async def swept(call: SweepCall) -> SweepReport:
        calls.append(call)
        if len(calls) == 1:
            raise RuntimeError("the database is away")
        return SweepReport(sweep_id=call.sweep_id, outcome=SweepOutcome.COMPLETE, listed=3)

    async with Worker(client, task_queue=ids.cloud_queue("elsewhere"), activities=[swept]):
        report = await client.execute_workflow(
            InventorySweep.run, SweepCall(provider="elsewhere"), id="inventory-test", task_queue=ids.RUNS_QUEUE
        )
    assert (report.outcome, report.listed) == (SweepOutcome.COMPLETE, 3)
    assert len(calls) == 2
    assert calls[0] == calls[1], "a repeated try is the same sweep"
    assert uuid.UUID(report.sweep_id) == uuid.UUID(calls[0].sweep_id)


async def test_missed_messages_are_asked_for_until_the_payment_service_answers(world: World, client: Client) -> None:
    world.fail("fetch_payment_events", "Transient", times=2, final=False)
    done = await client.execute_workflow(PaymentSweep.run, id="payments-test", task_queue=ids.RUNS_QUEUE)
    assert done == EventsFetched(listed=2, fetched=1, complete=True)
    assert world.count["fetch_payment_events"] == 3
