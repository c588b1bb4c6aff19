"""The set-up of a server of the house, under virtual time: real rows, a scripted outside."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle

from db.models_jobs import Job, JobEvent
from domain.house_servers import SetUpServerOrder
from domain.provisioning import RollbackRequest
from domain.starting import set_up_start
from tests.workflows.world import World, until_parked
from workflows.house_servers import SetUpServer

LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)


async def begin(client: Client, order: SetUpServerOrder) -> WorkflowHandle[SetUpServer, str]:
    return await client.start_workflow(SetUpServer.run, order, **set_up_start(order))


async def told(world: World, order: SetUpServerOrder) -> list[tuple[str, str]]:
    async with world.db.begin() as session:
        query = select(JobEvent).where(JobEvent.job_id == uuid.UUID(order.job_id)).order_by(JobEvent.position)
        return [(event.step, event.state) for event in (await session.execute(query)).scalars()]


@pytest.mark.parametrize("kind", ["web", "mail"])
async def test_a_registered_server_becomes_active_and_its_job_a_success(
    world: World, client: Client, kind: str
) -> None:
    order = await world.house_server(f"{kind}1.example.com", kind)
    assert await (await begin(client, order)).result() == f"{kind}1.example.com is set up"
    server, job = await world.house_rows(order)
    assert (server.status, job.status, job.phase, job.attention) == ("ACTIVE", "SUCCESS", "done", "none")
    assert job.ended_at is not None
    assert world.calls == ["await_house_ssh", "set_up_house_server", "check_house_server"]
    assert [step for step, state in await told(world, order) if state == "done"] == [
        "await_house_ssh", "set_up_house_server", "check_house_server", "activate_house_server"]  # fmt: skip


async def test_a_name_server_is_looked_at_and_never_entered(world: World, client: Client) -> None:
    order = await world.house_server("ns1.example.com", "dns")
    await (await begin(client, order)).result()
    assert (await world.house_rows(order))[0].status == "ACTIVE"
    assert world.calls == ["check_house_server"]


async def test_a_server_that_is_being_emptied_is_set_up_and_stays_closed(world: World, client: Client) -> None:
    order = await world.house_server("web-drained.example.com", status="DRAINING")
    await (await begin(client, order)).result()
    assert (await world.house_rows(order))[0].status == "DRAINING"


async def test_a_server_that_was_removed_meanwhile_is_not_opened(world: World, client: Client) -> None:
    order = await world.house_server("web-removed.example.com", status="REMOVED")
    handle = await begin(client, order)
    await until_parked(handle, "activate_house_server")
    await handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    assert (await world.house_rows(order))[0].status == "REMOVED"


async def test_a_wrong_host_key_waits_for_an_operator_who_mends_the_row_and_retries(
    world: World, client: Client
) -> None:
    world.fail("await_house_ssh", "HostKeyMismatch", "another key", times=1)
    order = await world.house_server("web-changed.example.com")
    handle = await begin(client, order)
    await until_parked(handle, "await_house_ssh")
    server, job = await world.house_rows(order)
    assert (server.status, job.status, job.attention) == ("PENDING", "WAITING", "awaiting_operator")
    assert (job.error_code, job.error_message) == ("HostKeyMismatch", "another key")
    await handle.signal("retry")
    await handle.result()
    assert (await world.house_rows(order))[0].status == "ACTIVE"


@pytest.mark.parametrize("before", ["PENDING", "ACTIVE", "DRAINING"])
async def test_given_up_it_gets_nothing_new_and_loses_nothing(world: World, client: Client, before: str) -> None:
    world.fail("set_up_house_server", "InvalidInput", "Debian 12")
    order = await world.house_server(f"web-{before.lower()}.example.com", status=before)
    handle = await begin(client, order)
    await until_parked(handle, "set_up_house_server")
    await handle.execute_update(SetUpServer.roll_back_run, RollbackRequest(reason="another system"))
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    server, job = await world.house_rows(order)
    assert server.status == ("DRAINING" if before == "DRAINING" else "PENDING")
    assert (job.status, job.phase) == ("CANCELLED", "cancelled")
    assert job.status_message == "The set-up was given up (another system); nothing was removed"


async def test_cancelled_in_the_middle_it_ends_after_what_is_under_way(world: World, client: Client) -> None:
    reached = world.put_on_the_wire("set_up_house_server")
    order = await world.house_server("web-cancelled.example.com")
    handle = await begin(client, order)
    await asyncio.wait_for(reached.wait(), 30)
    await handle.cancel()
    world.holds["set_up_house_server"].set()
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    server, job = await world.house_rows(order)
    assert (server.status, job.status) == ("PENDING", "CANCELLED")
    assert world.calls[-1] == "set_up_house_server landed"


async def test_a_set_up_whose_run_was_not_started_is_started_by_the_sweep(world: World, client: Client) -> None:
    order = await world.house_server("web-lost.example.com")
    async with world.db.begin() as session:
        (await session.get_one(Job, uuid.UUID(order.job_id))).created_at = LONG_AGO
    await client.execute_workflow("StartSweep", id="sweep-set-ups", task_queue="runs")
    await client.get_workflow_handle(f"job/{order.job_id}").result()
    server, job = await world.house_rows(order)
    assert server.status == "ACTIVE"
    assert job.started_at is not None
