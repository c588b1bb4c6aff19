"""The one list of operators: waits, overdue waits, unstarted orders, and runs whose code fails on a real dev server."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

import temporal
from domain.visibility import SEARCH_ATTRIBUTES
from tests.api.conftest import MakeWorld
from tests.api.test_instances import parked
from tests.api.world import World, make_settings
from tests.conftest import TEMPORAL

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[WorkflowEnvironment]:
    """Says after one failed task what production's server says after five."""
    at_once = "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute=1"
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=TEMPORAL, dev_server_log_level="error",
        search_attributes=SEARCH_ATTRIBUTES,
        dev_server_extra_args=["--dynamic-config-value", at_once],
    ) as env:  # fmt: skip
        yield env


async def connected(server: WorkflowEnvironment) -> Client:
    return await temporal.connect(make_settings("", temporal_address=server.client.service_client.config.target_host))


@pytest.fixture
async def engine(server: WorkflowEnvironment, world: World) -> Client:
    """The client that the API uses too."""
    world.app.state.services.temporal._client = client = await connected(server)
    return client


async def listed(world: World) -> dict[str, Any]:
    answer = await world.client.get("/api/operator/attention")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def until_listed(world: World, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    for _ in range(300):
        world.app.state.services.failing._answer = None  # asked anew, not from its cache
        for item in (await listed(world))["items"]:
            if wanted(item):
                return dict(item)
        await asyncio.sleep(0.1)
    raise AssertionError(f"not listed: {await listed(world)}")


async def metric(world: World, kind: str) -> str | None:
    text = (await world.client.get("/metrics")).text
    start = f'slipway_attention_items{{kind="{kind}"}} '
    return next((line.removeprefix(start) for line in text.splitlines() if line.startswith(start)), None)


# ---- runs that cannot go on


@workflow.defn(name="Provisioning", sandboxed=False)
class Buggy:
    @workflow.run
    async def run(self) -> None:
        raise KeyError("a bug")


@workflow.defn(name="Provisioning", sandboxed=False)
class Yesterday:
    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False, timeout=3600)

    @workflow.signal
    def retry(self) -> None:
        pass


@workflow.defn(name="Provisioning", sandboxed=False)
class Today(Yesterday):
    """The same run with a command before the wait, and no patch."""

    @workflow.run
    async def run(self) -> None:
        workflow.upsert_memo({"breaking": "edit"})
        await workflow.wait_condition(lambda: False, timeout=3600)


def worker(client: Client, queue: str, definition: type) -> Worker:
    return Worker(client, task_queue=queue, workflows=[definition], workflow_runner=UnsandboxedWorkflowRunner())


async def test_a_run_whose_code_raises_is_listed_until_it_is_mended(world: World, engine: Client) -> None:
    made = await world.create()
    ref, queue = made["deploymentId"], uuid.uuid4().hex
    handle = engine.get_workflow_handle(f"provision/{ref}")
    await handle.terminate()  # the one that the front door started, for which nobody works here
    await engine.start_workflow("Provisioning", id=f"provision/{ref}", task_queue=queue)
    async with worker(engine, queue, Buggy):
        item = await until_listed(world, lambda one: one["deployment_id"] == ref)
    assert item["kind"] == "workflow_task_failing"
    assert item["trouble"] == "WorkflowWorkerUnhandledFailure"
    assert item["slug"] == made["organization"]["slug"]
    assert item["owner"] == "developer"
    assert NOW - timedelta(minutes=1) < datetime.fromisoformat(item["since"]) < datetime.fromisoformat(item["until"])
    assert f"provision%2F{ref}" in item["temporal_url"]
    assert await metric(world, "workflow_task_failing") == "1.0"
    async with worker(engine, queue, Yesterday):  # the deploy that mends it
        for _ in range(300):
            world.app.state.services.failing._answer = None
            if ref not in [one["deployment_id"] for one in (await listed(world))["items"]]:
                break
            await asyncio.sleep(0.1)
        else:
            raise AssertionError("it is listed although it goes on")
    await handle.terminate()


async def test_a_run_that_today_s_code_cannot_replay_is_listed(world: World, engine: Client) -> None:
    queue, name = uuid.uuid4().hex, f"odd-{uuid.uuid4().hex}"
    handle = await engine.start_workflow("Provisioning", id=name, task_queue=queue)
    async with worker(engine, queue, Yesterday):
        await handle.signal("retry")
        for _ in range(100):
            if (await handle.describe()).history_length >= 5:
                break
            await asyncio.sleep(0.05)
    async with worker(engine, queue, Today):
        await handle.signal("retry")
        item = await until_listed(world, lambda one: one["slug"] == name)
    assert (item["deployment_id"], item["trouble"]) == (None, "NonDeterministicError")
    await handle.terminate()


# ---- the other kinds


async def test_every_kind_is_told_from_the_others_and_the_oldest_comes_first(world: World) -> None:
    refs = [(await world.create())["deploymentId"] for _ in range(3)]
    await world.set_row(refs[0], attention="awaiting_operator", parked=[parked(since=NOW - timedelta(hours=1))])
    late = parked(since=NOW - timedelta(hours=30)) | {"escalated": True, "undoing": True}
    await world.set_row(refs[1], attention="escalated", parked=[late])
    await world.set_row(refs[2], started_at=None, created_at=NOW - timedelta(hours=2))
    body = await listed(world)
    items = [item for item in body["items"] if item["deployment_id"] in refs]
    assert [(item["kind"], item["what"]) for item in items] == [
        ("escalated", "Create server could not be undone"),
        ("not_started", "The run was not started"),
        ("waits_for_operator", "Create server failed"),
    ]
    assert all(item["owner"] == "operator" and item["since"] < item["until"] for item in items)
    assert body["temporal"] == {"answered": True, "message": ""}
    for kind in ("escalated", "not_started", "waits_for_operator"):
        assert await metric(world, kind) == "1.0"


async def test_without_temporal_rows_are_listed_and_the_gap_is_said(make_world: MakeWorld) -> None:
    made = await make_world(temporal_address="127.0.0.1:1")
    held = made.app.state.services
    held.temporal._client = None
    held.temporal._connect = lambda: temporal.connect(made.settings)
    await made.sign_in()
    ref = (await made.create())["deploymentId"]
    await made.set_row(ref, attention="awaiting_operator", parked=[parked()])
    body = await listed(made)
    assert ref in [item["deployment_id"] for item in body["items"]]
    assert body["temporal"]["answered"] is False
    assert "not in this list" in body["temporal"]["message"]
    assert await metric(made, "workflow_task_failing") is None
    assert await metric(made, "waits_for_operator") is not None
