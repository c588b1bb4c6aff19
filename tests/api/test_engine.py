"""The API against Temporal's real dev server: starts, updates, rejections, and what happens when nobody works."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

import temporal
from domain.ids import RUNS_QUEUE
from domain.visibility import SEARCH_ATTRIBUTES
from tests.api.conftest import MakeWorld
from tests.api.standins import Ending, ParkedRun, Quoting
from tests.api.test_commands import send
from tests.api.world import World, make_settings, order
from tests.conftest import TEMPORAL


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[WorkflowEnvironment]:
    """A dev server of this module, so that no other module's workers take its tasks."""
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=TEMPORAL, dev_server_log_level="error", search_attributes=SEARCH_ATTRIBUTES
    ) as env:
        yield env


@pytest.fixture
async def world(server: WorkflowEnvironment, make_world: MakeWorld) -> World:
    """Connects by itself, as in production."""
    made = await make_world()
    address = server.client.service_client.config.target_host
    settings = made.settings.model_copy(update={"temporal_address": address})
    held = made.app.state.services
    held.temporal._client = None
    held.temporal._connect = lambda: temporal.connect(settings)
    await made.sign_in()
    return made


@pytest.fixture
async def worker(server: WorkflowEnvironment) -> AsyncIterator[None]:
    address = server.client.service_client.config.target_host
    client = await temporal.connect(make_settings("", temporal_address=address))
    runner = UnsandboxedWorkflowRunner()
    async with Worker(client, task_queue=RUNS_QUEUE, workflows=[ParkedRun, Ending, Quoting], workflow_runner=runner):
        yield


async def test_an_order_starts_its_run_once(server: WorkflowEnvironment, world: World) -> None:
    body, key = order(), uuid.uuid4().hex
    answers = await asyncio.gather(*(
        world.client.post("/api/portal/instances", json=body, headers={"Idempotency-Key": key}) for _ in range(5)
    ))  # fmt: skip
    assert {answer.status_code for answer in answers} == {202}
    ref = answers[0].json()["deploymentId"]
    found = [run async for run in server.client.list_workflows(f"WorkflowId = 'provision/{ref}'")]
    described = await server.client.get_workflow_handle(f"provision/{ref}").describe()
    assert len(found) <= 1
    assert described.status is WorkflowExecutionStatus.RUNNING
    assert described.task_queue == "runs"
    assert (await world.deployment(ref)).started_at is not None
    history = str(await server.client.get_workflow_handle(f"provision/{ref}").fetch_history())
    assert body["adminPassword"] not in history
    assert body["adminEmail"] not in history


@pytest.mark.usefixtures("worker")
async def test_a_double_click_is_one_retry(server: WorkflowEnvironment, world: World) -> None:
    ref = (await world.create())["deploymentId"]
    answers = await asyncio.gather(*(
        send(world, ref, "retry", {"step": "create_server"}, **{"Idempotency-Key": "click"}) for _ in range(3)
    ))  # fmt: skip
    assert [(status, body["steps"]) for status, body in answers] == [(202, ["create_server"])] * 3
    assert await server.client.get_workflow_handle(f"provision/{ref}").query("count") == 1


@pytest.mark.usefixtures("worker")
async def test_what_the_run_refuses_is_said_with_its_words(world: World) -> None:
    ref = (await world.create())["deploymentId"]
    status, error = await send(world, ref, "retry", {"step": "activate"})
    assert (status, error["code"]) == (409, "CONFLICT")
    assert error["message"] == "Step 'activate' does not wait for an operator"
    status, error = await send(world, ref, "retry", {"changes": {"registry": "r"}})
    assert (status, error["code"], error["field"]) == (422, "VALIDATION_ERROR", "registry")


@pytest.mark.usefixtures("worker")
async def test_a_run_that_is_over_cannot_be_messaged(server: WorkflowEnvironment, world: World) -> None:
    ref = (await world.create())["deploymentId"]
    assert (await send(world, ref, "rollback", {"reason": "x"}))[0] == 202
    await server.client.get_workflow_handle(f"provision/{ref}").result()
    for verb in ("retry", "rollback"):
        status, error = await send(world, ref, verb)
        assert (status, error["code"]) == (409, "CONFLICT")


async def test_without_a_worker_the_answer_comes_in_time(world: World) -> None:
    ref = (await world.create())["deploymentId"]
    assert await world.app.state.services.temporal.healthy()
    status, error = await send(world, ref, "retry")
    assert (status, error["code"]) == (503, "API_ERROR")
    assert "Idempotency-Key" in error["message"]


async def test_cancel_reaches_the_run(server: WorkflowEnvironment, world: World) -> None:
    ref = (await world.create())["deploymentId"]
    assert (await send(world, ref, "cancel"))[0] == 202
    events = (await server.client.get_workflow_handle(f"provision/{ref}").fetch_history()).events
    assert any(event.HasField("workflow_execution_cancel_requested_event_attributes") for event in events)


async def test_a_termination_may_be_started_again_after_somebody_killed_it(
    server: WorkflowEnvironment, world: World
) -> None:
    ref = (await world.create())["deploymentId"]
    await world.set_row(ref, phase="active", status="active")
    assert [(await send(world, ref, "terminate"))[0] for _ in range(2)] == [202, 202]
    handle = server.client.get_workflow_handle(f"terminate/{ref}")
    first = (await handle.describe()).run_id
    await handle.terminate()
    assert (await send(world, ref, "terminate"))[0] == 202
    assert (await handle.describe()).run_id != first


@pytest.mark.usefixtures("worker")
async def test_a_dry_run_asks_the_planner(world: World) -> None:
    body = order()
    answer = await world.client.post("/api/portal/instances?dry_run=true", json=body)
    plan = answer.json()["plan"]
    assert (answer.status_code, plan["price_cents_month"]) == (200, 2000)
    assert [step["name"] for step in plan["steps"]] == ["reserve", "activate"]
    refused = await world.client.post("/api/portal/instances?dry_run=true", json=body | {"region": "mars1"})
    error = refused.json()
    assert (refused.status_code, error["code"], error["provider"]) == (422, "VALIDATION_ERROR", "transip")
    assert "mars1" in error["message"]


async def test_temporal_away_is_told_in_sentences(make_world: MakeWorld) -> None:
    made = await make_world(temporal_address="127.0.0.1:1")
    held = made.app.state.services
    held.temporal._client = None
    held.temporal._connect = lambda: temporal.connect(made.settings)
    await made.sign_in()
    assert (await made.client.get("/api/ready")).json()["components"] == {
        "database": "connected", "temporal": "unreachable"}  # fmt: skip
    ref = (await made.create())["deploymentId"]
    assert (await made.deployment(ref)).started_at is None
    status, error = await send(made, ref, "cancel")
    assert (status, error["code"]) == (503, "API_ERROR")
