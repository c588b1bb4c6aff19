"""Bare servers, and orders that find room elsewhere: real rows, a scripted outside."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from db.models import DeploymentEvent, ServerIntent
from db.queries import intents
from domain.provisioning import Placement, RetryRequest, RollbackRequest, RunInputs, TerminationOrder
from domain.starting import termination_start
from domain.statuses import DeploymentType, IntentState
from tests.workflows.world import World, until_parked

ELSEWHERE = [Placement(provider="digitalocean", availability_zone="ams3", product="s-1vcpu-2gb")]


async def messages(world: World, deployment_id: str) -> str:
    async with world.db.begin() as session:
        found = select(DeploymentEvent.message).where(DeploymentEvent.deployment_id == deployment_id)
        return "\n".join((await session.execute(found)).scalars())


class TestBareServers:
    async def test_a_bare_server_is_handed_over_once_it_runs(self, world: World, client: Client) -> None:
        order = await world.order("bare", "server")
        assert await (await world.start(client, order)).result() == "192.0.2.10"
        row, vps = await world.row(order), await world.vps(order)
        assert vps is not None
        assert (row.status, row.phase, row.access_url, vps.lifecycle) == ("active", "active", None, "active")
        assert set(world.calls) == {"quote_server", "create_server", "await_server"}
        assert "ssh_public_key" not in vps.specs, "nobody but the customer gets in"

    async def test_a_bare_server_that_is_taken_back_leaves_one_proof(self, world: World, client: Client) -> None:
        world.fail("await_server", "Conflict")
        order = await world.order("bare2", "server")
        handle = await world.start(client, order)
        await until_parked(handle, "await_server")
        await handle.execute_update("roll_back", RollbackRequest(reason="no"))
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        row = await world.row(order)
        assert row.absence is not None
        assert [proof["what"] for proof in row.absence["proofs"]] == ["server"]
        assert world.servers == set()

    async def test_deleting_one_asks_nothing_of_names_and_hosts(self, world: World, client: Client) -> None:
        order = await world.order("bare3", "server")
        await (await world.start(client, order)).result()
        world.calls.clear()
        end = TerminationOrder(deployment_id=order.deployment_id, slug="bare3", fqdn="",
                               deployment_type=DeploymentType.SERVER)  # fmt: skip
        await client.execute_workflow("Termination", end, **termination_start(end))
        assert set(world.calls) == {"destroy_server", "prove_server_absent"}
        assert (await world.row(order)).phase == "terminated"


class TestRoomElsewhere:
    async def test_an_order_goes_to_the_next_place_where_the_first_has_no_room(
        self, world: World, client: Client
    ) -> None:
        world.fail("create_server", "QuotaExceeded", "sold out", times=1)
        order = await world.order("moves", inputs=RunInputs(fallbacks=ELSEWHERE))
        await (await world.start(client, order)).result()
        vps = await world.vps(order)
        assert vps is not None
        assert (vps.provider_type, world.count["quote_server"]) == ("digitalocean", 2)
        assert world.inputs["create_server"].provider == "digitalocean"
        assert world.inputs["create_server"].fallbacks == []
        assert "No room at transip" in await messages(world, order.deployment_id)

    async def test_a_price_that_nobody_can_be_asked_moves_the_order_too(self, world: World, client: Client) -> None:
        world.fail("quote_server", "QuotaExceeded", times=1)
        order = await world.order("moves2", inputs=RunInputs(fallbacks=ELSEWHERE))
        await (await world.start(client, order)).result()
        assert world.count["create_server"] == 1

    async def test_a_place_that_is_full_by_the_time_it_is_asked_is_passed_by(
        self, world: World, client: Client
    ) -> None:
        world.fail("create_server", "QuotaExceeded", times=1)
        # The first place's price, then the second one's, which has no room either.
        world.scripts["quote_server"] = lambda call: (
            ApplicationError("sold out", type="QuotaExceeded", non_retryable=True) if call == 2 else None)  # fmt: skip
        places = [*ELSEWHERE, Placement(provider="transip", availability_zone="rtm0")]
        order = await world.order("third", inputs=RunInputs(fallbacks=places))
        await (await world.start(client, order)).result()
        last = world.inputs["create_server"]
        assert (last.provider, last.availability_zone) == ("transip", "rtm0")
        assert world.count["create_server"] == 2

    async def test_without_another_place_it_waits_for_an_operator(self, world: World, client: Client) -> None:
        world.fail("create_server", "QuotaExceeded")
        order = await world.order("full", inputs=RunInputs(fallbacks=ELSEWHERE))
        handle = await world.start(client, order)
        await until_parked(handle, "create_server")
        assert world.count["create_server"] == 2, "both places were asked"
        world.heal("create_server")
        await handle.execute_update("retry_step", RetryRequest())
        await handle.result()

    async def test_another_trouble_does_not_move_it(self, world: World, client: Client) -> None:
        world.fail("create_server", "Unauthorized")
        order = await world.order("stays", inputs=RunInputs(fallbacks=ELSEWHERE))
        handle = await world.start(client, order)
        await until_parked(handle, "create_server")
        assert (await world.vps(order)).provider_type == "transip"  # type: ignore[union-attr]
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()

    async def test_what_may_have_been_bought_stays_where_it_is(self, world: World, client: Client) -> None:
        order = await world.order("bought", inputs=RunInputs(fallbacks=ELSEWHERE))
        reached = world.hold("create_server")
        handle = await world.start(client, order)
        await asyncio.wait_for(reached.wait(), 20)
        async with world.db.begin() as session:
            query = select(ServerIntent).where(ServerIntent.deployment_id == order.deployment_id)
            intent = (await session.execute(query)).scalar_one()
            intent.state = IntentState.SENT
        world.fail("create_server", "QuotaExceeded", times=1)
        world.holds["create_server"].set()
        await until_parked(handle, "create_server")
        assert "stays where it is" in str((await world.row(order)).parked)
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()

    async def test_a_try_that_was_given_up_orders_nothing_at_the_first_place_any_more(
        self, world: World, client: Client
    ) -> None:
        reached = world.hold("create_server")
        order = await world.order("zombie", inputs=RunInputs(fallbacks=ELSEWHERE))
        handle = await world.start(client, order)
        await asyncio.wait_for(reached.wait(), 20)
        query = select(ServerIntent).where(ServerIntent.deployment_id == order.deployment_id)
        async with world.db.begin() as session:
            seen = (await session.execute(query)).scalar_one()
            session.expunge(seen)
        async with world.db.begin() as session:
            assert await intents.move(session, seen.deployment_id, ELSEWHERE[0])
        async with world.db.begin() as session:
            assert not await intents.begin_sending(session, seen), "it saw an order at another cloud"
        world.holds["create_server"].set()
        await handle.result()
