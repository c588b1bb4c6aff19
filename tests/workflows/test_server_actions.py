"""What is asked of one server: followed to its end, and how it ended stands on its row."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ActivityError

from db.models_clouds import ServerAction
from domain.provisioning import ProvisionOrder
from domain.servers import ActionCall, LookCall, PowerAction
from domain.starting import action_start, look_start
from tests.workflows.world import World
from workflows.server_actions import LookAtServer, ServerActions

LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)


async def server(world: World, client: Client, slug: str) -> ProvisionOrder:
    order = await world.order(slug, "server")
    await (await world.start(client, order)).result()
    return order


async def row(world: World, call: ActionCall) -> ServerAction:
    async with world.db.begin() as session:
        return await session.get_one(ServerAction, uuid.UUID(call.action_id))


async def test_an_action_is_sent_followed_and_done(world: World, client: Client) -> None:
    call = await world.ask(await server(world, client, "acts"), PowerAction.REBOOT)
    world.fail("await_action", "NotReady", times=2, final=False)
    assert await client.execute_workflow(ServerActions.run, call, **action_start(call)) == "done"
    assert (await row(world, call)).state == "done"
    assert (world.count["send_action"], world.count["await_action"]) == (1, 3)


@pytest.mark.parametrize(
    ("activity", "trouble", "code"),
    [
        ("send_action", "Unauthorized", "INVALID_CREDENTIALS"),
        ("send_action", "NotFound", "NOT_FOUND"),
        ("send_action", "Unconfirmed", "API_ERROR"),
        ("await_action", "Refused", "API_ERROR"),
    ],
)
async def test_an_action_that_fails_says_so_with_code_and_sentence(
    world: World, client: Client, activity: str, trouble: str, code: str
) -> None:
    order = await server(world, client, f"f{uuid.uuid4().hex[:8]}")
    call = await world.ask(order, PowerAction.SHUTDOWN)
    world.fail(activity, trouble, "the reason why")
    assert await client.execute_workflow(ServerActions.run, call, **action_start(call)) == "failed"
    ended = await row(world, call)
    assert (ended.state, ended.error_code, ended.error_message) == ("failed", code, "the reason why")
    world.heal(activity)
    assert await world.ask(order, PowerAction.POWER_ON), "the server takes the next one"


async def test_an_action_that_is_not_started_is_started_by_the_sweep(world: World, client: Client) -> None:
    call = await world.ask(await server(world, client, "swept"), PowerAction.REBOOT)
    async with world.db.begin() as session:
        (await session.get_one(ServerAction, uuid.UUID(call.action_id))).created_at = LONG_AGO
    await client.execute_workflow("StartSweep", id="sweep-actions", task_queue="runs")
    assert await client.get_workflow_handle(f"server-action/{call.action_id}").result() == "done"
    ended = await row(world, call)
    assert ended.started_at is not None


async def test_who_looks_meanwhile_gets_the_same_answer(world: World, client: Client) -> None:
    reached = world.hold("look_at_server")
    look = LookCall(vps_id=str(uuid.uuid4()), provider="transip")
    handles = [await client.start_workflow(LookAtServer.run, look, **look_start(look)) for _ in range(3)]
    await reached.wait()
    world.holds["look_at_server"].set()
    assert {(await handle.result()).power_state for handle in handles} == {"running"}
    assert world.count["look_at_server"] == 1


@pytest.mark.parametrize("activity", ["send_action", "await_action"])
async def test_a_cloud_that_stays_away_ends_an_action_with_its_last_words(
    world: World, client: Client, activity: str
) -> None:
    order = await server(world, client, f"b{uuid.uuid4().hex[:8]}")
    call = await world.ask(order, PowerAction.SHUTDOWN)
    world.fail(activity, "Transient", "the cloud is away", final=False)
    assert await client.execute_workflow(ServerActions.run, call, **action_start(call)) == "failed"
    ended = await row(world, call)
    assert (ended.state, ended.error_code, ended.error_message) == ("failed", "API_ERROR", "the cloud is away")
    assert world.count[activity] > 3, "it was waited for before"


async def test_a_page_hears_of_the_first_look_that_fails(world: World, client: Client) -> None:
    world.fail("look_at_server", "Transient", "the cloud is away", final=False)
    look = LookCall(vps_id=str(uuid.uuid4()), provider="transip")
    with pytest.raises(WorkflowFailureError) as failed:
        await client.execute_workflow(LookAtServer.run, look, **look_start(look))
    assert isinstance(failed.value.cause, ActivityError)
    assert "the cloud is away" in str(failed.value.cause.cause)
    assert world.count["look_at_server"] == 1
