"""What a cloud's lists, answers and networks may do to an order, and what two tries of one step may do to each other.

Each of these was found by the fault machine (`make faults`), or is what it found, told alone.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from temporalio.exceptions import ApplicationError

from activities import servers
from db.models import ServerIntent, VpsInstance
from db.models_inventory import CloudResource
from db.queries import intents
from domain.errors import Trouble
from domain.provisioning import DestroyCall, Placement
from domain.statuses import IntentState
from providers.cloud.base import OrderReceipt, ServerOrder
from tests.activities.test_servers import Shop, cloud_folder, shop
from tests.sandbox.transip.emulator import until

__all__ = ["cloud_folder", "shop"]


async def living(shop: Shop) -> list[str]:
    return [vps["name"] for vps in (await shop.cloud.state())["vpss"] if vps["phase"] not in ("ending", "gone")]


async def set_aside(shop: Shop) -> set[str]:
    """Further servers with the order's token that the ledger knows."""
    facts = await shop.facts()
    assert facts.intent is not None
    async with shop.deps.db.begin() as session:
        token = facts.intent.correlation
        rows = await session.execute(select(CloudResource.provider_ref).where(CloudResource.correlation == token))
        return set(rows.scalars())


async def destroy(shop: Shop) -> None:
    await shop.retried(shop.servers.destroy_server, DestroyCall(deployment_id=shop.call.deployment_id))


class TestListsThatLackAServer:
    async def test_a_server_that_is_ours_is_not_ordered_again_when_a_list_lacks_it(self, shop: Shop) -> None:
        """A worker that dies behind the adoption leaves the step to be tried again."""
        found = await shop.retried(shop.servers.create_server)
        await shop.cloud.fault("hide", method="GET", path="/vps$", times=2)
        again = await shop.retried(shop.servers.create_server)
        assert again.provider_ref == found.provider_ref
        assert await shop.orders() == 1

    async def test_a_server_that_is_ours_is_cancelled_when_a_list_lacks_it(self, shop: Shop) -> None:
        await shop.retried(shop.servers.create_server)
        await shop.retried(shop.servers.await_server)
        await shop.cloud.fault("hide", method="GET", path="/vps$", times=1)
        await destroy(shop)
        assert await living(shop) == []
        assert await shop.retried(shop.servers.prove_server_absent)

    async def test_a_server_without_a_name_yet_is_cancelled_when_a_list_lacks_it(self, shop: Shop) -> None:
        await shop.cloud.fault("lose_answer", method="POST", path="/vps$", times=1)
        with pytest.raises(ApplicationError):
            await shop.once(shop.servers.create_server)
        await until(shop.client.list)
        await overdue(shop)
        await shop.cloud.fault("hide", method="GET", path="/vps$", times=1)
        await destroy(shop)
        assert await living(shop) == []

    async def test_an_order_is_not_repeated_because_one_list_lacks_its_server(self, shop: Shop) -> None:
        await shop.cloud.fault("lose_answer", method="POST", path="/vps$", times=1)
        with pytest.raises(ApplicationError):
            await shop.once(shop.servers.create_server)
        await until(shop.client.list)
        await overdue(shop)
        await shop.cloud.fault("hide", method="GET", path="/vps$", times=1)
        await shop.retried(shop.servers.create_server)
        assert await shop.orders() == 1

    async def test_an_accepted_order_the_cloud_still_works_on_is_not_repeated(self, shop: Shop) -> None:
        await accepted_and_overdue(shop)
        await shop.retried(shop.servers.create_server)
        assert await shop.orders() == 1

    async def test_an_accepted_order_the_cloud_still_works_on_is_not_given_up(self, shop: Shop) -> None:
        await accepted_and_overdue(shop)
        await destroy(shop)
        assert await living(shop) == []


async def accepted_and_overdue(shop: Shop) -> None:
    """The cloud took the order and is slower with it than its window."""
    await shop.cloud.fault("late", method="POST", path="/vps$", times=1, appear=1.0)
    with pytest.raises(ApplicationError):
        await shop.once(shop.servers.create_server)
    await overdue(shop)


async def overdue(shop: Shop) -> None:
    """Let the window of an order that was sent have passed."""
    facts = await shop.facts()
    assert facts.intent is not None
    async with shop.deps.db.begin() as session:
        await session.execute(
            update(ServerIntent).where(ServerIntent.id == facts.intent.id)
            .values(sent_at=datetime.now(UTC) - timedelta(hours=1)))  # fmt: skip


class TestOrdersTheNetworkDoubled:
    async def test_a_twin_that_shows_itself_later_is_set_aside(self, shop: Shop) -> None:
        await shop.cloud.fault("duplicate", method="POST", path="/vps$", times=1, seconds=0.6)
        found = await shop.retried(shop.servers.create_server)
        assert await set_aside(shop) == set()
        await until(lambda: two_listed(shop))
        await shop.retried(shop.servers.await_server)
        (twin,) = await set_aside(shop)
        assert twin != found.provider_ref

    async def test_the_server_that_was_adopted_stays_ours(self, shop: Shop) -> None:
        """Whichever twin the next look shows, and however often."""
        await shop.cloud.fault("duplicate", method="POST", path="/vps$", times=1, seconds=0)
        await shop.retried(shop.servers.create_server)
        await until(lambda: two_listed(shop))
        names = sorted(await living(shop))
        facts = await shop.facts()
        assert facts.intent is not None
        async with shop.deps.db.begin() as session:  # the later of the two was seen first
            await session.execute(
                update(VpsInstance).where(VpsInstance.provider_instance_id.is_not(None)).values(
                    provider_instance_id=None))  # fmt: skip
            await session.execute(
                update(ServerIntent).where(ServerIntent.id == facts.intent.id)
                .values(state=IntentState.ADOPTED, provider_ref=names[1]))  # fmt: skip
        for _ in range(2):
            assert (await shop.retried(shop.servers.create_server)).provider_ref == names[1]
        assert (await shop.facts()).server.provider_instance_id == names[1]

    async def test_with_the_order_all_its_servers_go(self, shop: Shop) -> None:
        await shop.cloud.fault("duplicate", method="POST", path="/vps$", times=1, seconds=0)
        await shop.retried(shop.servers.create_server)
        await until(lambda: two_listed(shop))
        await shop.retried(shop.servers.await_server)
        assert len(await set_aside(shop)) == 1
        await destroy(shop)
        assert await living(shop) == []


async def two_listed(shop: Shop) -> bool:
    return len(await shop.client.list()) == 2


class TestTriesThatOverlap:
    """Temporal gives a step to another worker when the first was silent; it may have been slow, not dead."""

    async def test_two_tries_send_one_order(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        looked, real = Counter[str](), shop.client.find

        async def find(correlation: str) -> list[Any]:
            found = await real(correlation)
            looked["times"] += 1
            while looked["times"] < 2:  # both have seen that there is no server
                await asyncio.sleep(0.01)
            return found

        monkeypatch.setattr(shop.client, "find", find)
        await asyncio.gather(*(shop.retried(shop.servers.create_server) for _ in range(2)))
        assert await shop.orders() == 1

    async def test_an_order_that_was_given_up_is_not_sent_by_a_try_that_comes_late(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        prepared, go_on, real = asyncio.Event(), asyncio.Event(), servers.complete

        async def complete(*about: Any) -> ServerOrder:
            made = await real(*about)
            prepared.set()
            await go_on.wait()
            return made

        monkeypatch.setattr(servers, "complete", complete)
        late = asyncio.create_task(shop.once(shop.servers.create_server))
        await prepared.wait()
        await destroy(shop)
        go_on.set()
        with pytest.raises(ApplicationError):
            await late
        assert await shop.orders() == 0

    async def test_what_was_sent_meanwhile_is_not_released(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:  # fmt: skip
        facts = await shop.facts()
        assert facts.intent is not None
        async with shop.deps.db.begin() as session:
            assert await intents.begin_sending(session, facts.intent)
        async with shop.deps.db.begin() as session:
            assert not await intents.release(session, facts.intent)

    async def test_the_loser_of_an_order_takes_nothing_back(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:  # fmt: skip
        """A late refusal of one try's order must not make the order of another look unsent."""
        facts = await shop.facts()
        assert facts.intent is not None
        async with shop.deps.db.begin() as session:
            assert await intents.begin_sending(session, facts.intent)
        later = (await shop.facts()).intent
        assert later is not None
        async with shop.deps.db.begin() as session:
            assert await intents.begin_sending(session, later)
            await intents.never_sent(session, facts.intent)
        now = (await shop.facts()).intent
        assert now is not None
        assert (now.state, now.sends) == (IntentState.SENT, 2)

    async def test_a_try_that_saw_an_order_before_it_moved_away_and_back_sends_nothing(self, shop: Shop) -> None:
        """Or a place in another account of the same cloud: its order would go where nobody looks any more."""
        seen = (await shop.facts()).intent
        assert seen is not None
        for cloud in ("linode", "transip"):
            async with shop.deps.db.begin() as session:
                assert await intents.move(session, seen.deployment_id, Placement(provider=cloud))
        async with shop.deps.db.begin() as session:
            assert not await intents.begin_sending(session, seen)
        now = (await shop.facts()).intent
        assert now is not None
        async with shop.deps.db.begin() as session:
            assert await intents.begin_sending(session, now)


class TestAnswersThatAreNone:
    @pytest.mark.parametrize("page", ["<html>Bad gateway</html>", "{}"])
    async def test_a_page_in_place_of_an_answer_does_not_count_as_a_claim(self, shop: Shop, page: str) -> None:
        await shop.retried(shop.servers.create_server)
        await shop.cloud.fault("garbage", method="PUT", path="/vps/", times=1, body=page)
        await shop.retried(shop.servers.await_server)
        facts = await shop.facts()
        server = await shop.client.get(facts.server.provider_instance_id or "")
        assert server.label == facts.server.vps_name

    async def test_a_page_in_place_of_an_answer_does_not_count_as_a_cancellation(self, shop: Shop) -> None:
        await shop.retried(shop.servers.create_server)
        await shop.retried(shop.servers.await_server)
        await shop.cloud.fault("garbage", method="DELETE", path="/vps/", times=1)
        end = DestroyCall(deployment_id=shop.call.deployment_id, immediately=False)
        await shop.retried(shop.servers.destroy_server, end)
        (server,) = (await shop.cloud.state())["vpss"]
        assert server["cancelled"] == "end"


async def test_the_receipt_of_an_order_says_whether_it_is_worked_on(shop: Shop) -> None:
    await shop.cloud.fault("late", method="POST", path="/vps$", times=1, appear=1.0)
    with pytest.raises(ApplicationError) as waiting:
        await shop.once(shop.servers.create_server)
    assert waiting.value.type == Trouble.NOT_READY
    facts = await shop.facts()
    assert facts.intent is not None
    assert await shop.client.order_in_progress(OrderReceipt(action_ref=facts.intent.action_ref))
