"""The API in front of the real workflows: ordered, watched, corrected, handed over. Only the outside is scripted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import pytest
from temporalio.testing import WorkflowEnvironment

from db.keyring import KeyRing
from tests.api.test_commands import send
from tests.api.world import SECRET_KEYS, World, order

if TYPE_CHECKING:
    from tests.workflows.world import World as Outside


@pytest.fixture
async def outside(temporal_env: WorkflowEnvironment, world: World) -> AsyncIterator[Outside]:
    pytest.importorskip("workflows.provisioning", reason="the workflows' activities are not all there")
    from tests.workflows.world import World as Scripted

    made = Scripted(world.db, KeyRing.parse(SECRET_KEYS))
    world.app.state.services.temporal._client = temporal_env.client
    async with contextlib.AsyncExitStack() as stack:
        for worker in made.workers(temporal_env.client):
            await stack.enter_async_context(worker)
        yield made


async def watched(world: World, ref: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Poll as a portal does until the status is as wanted."""
    for _ in range(600):
        body: dict[str, Any] = (await world.client.get(f"/api/portal/instances/{ref}/status")).json()
        if wanted(body):
            return body
        await asyncio.sleep(0.05)
    raise AssertionError(body)


def states(body: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["state"] for step in body["steps"]}


async def test_an_order_becomes_an_active_instance(world: World, outside: Outside) -> None:
    ref = (await world.create())["deploymentId"]
    body = await watched(world, ref, lambda status: status["done"])
    assert (body["status"], body["phase"]) == ("active", "active")
    assert set(states(body).values()) == {"done"}
    assert body["access_url"].startswith("https://")
    assert any(line["message"].startswith("Step 4/7") for line in body["logs"])
    credentials = (await world.client.get(f"/api/portal/instances/{ref}/credentials")).json()["credentials"]
    assert credentials["password"] == "SecurePassword123!"


async def test_a_parked_step_is_corrected_and_goes_on(world: World, outside: Outside) -> None:
    outside.fail("create_server", "InvalidInput", "product is not offered", times=1)
    ref = (await world.create())["deploymentId"]
    body = await watched(world, ref, lambda status: status["attention"] == "awaiting_operator")
    assert states(body)["create_server"] == "parked"
    assert (body["parked"][0]["trouble"], "product" in body["parked"][0]["editable"]) == ("InvalidInput", True)
    assert (await send(world, ref, "retry", {"changes": {"registry": "x"}}))[0] == 422
    status, answer = await send(world, ref, "retry", {"changes": {"product": "bladevps-x8"}})
    assert (status, answer["steps"]) == (202, ["create_server"])
    body = await watched(world, ref, lambda status: status["done"])
    assert body["phase"] == "active"
    assert next(step for step in body["steps"] if step["name"] == "create_server")["attempt"] == 2
    assert (await send(world, ref, "retry"))[0] == 409


async def test_a_parked_run_is_rolled_back_with_proofs(world: World, outside: Outside) -> None:
    outside.fail("run_migrations", "MigrationFailed", "relation exists")
    ref = (await world.create())["deploymentId"]
    await watched(world, ref, lambda status: status["attention"] == "awaiting_operator")
    assert (await send(world, ref, "rollback", {"reason": "not wanted any more"}))[0] == 202
    body = await watched(world, ref, lambda status: status["done"])
    assert (body["phase"], body["status"]) == ("rolled_back", "failed")
    assert body["absence"]["proofs"]
    assert states(body)["create_server"] == "undone"
    assert (await world.client.get(f"/api/portal/instances/{ref}/credentials")).status_code == 409


async def test_an_active_instance_is_terminated(world: World, outside: Outside) -> None:
    ref = (await world.create())["deploymentId"]
    await watched(world, ref, lambda status: status["done"])
    assert (await send(world, ref, "terminate"))[0] == 202
    body = await watched(world, ref, lambda status: status["phase"] == "terminated")
    assert body["done"] is True
    assert {step["state"] for step in body["steps"] if step["family"] == "termination"} <= {"done", "skipped"}


async def test_a_dry_run_is_what_would_happen(world: World, outside: Outside) -> None:
    answer = await world.client.post("/api/portal/instances?dry_run=true", json=order())
    plan = answer.json()["plan"]
    assert (answer.status_code, plan["new_server"], plan["price_cents_month"]) == (200, True, 2000)
    assert [step["number"] for step in plan["steps"] if step["number"]] == [1, 2, 3, 4, 5, 6, 7]
