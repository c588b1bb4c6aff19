"""Orders at a wire-faithful cloud that loses answers: one order is one server, whatever was lost."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities._context import Deps
from activities._orders import complete
from activities.records import RecordActivities
from activities.servers import ServerActivities
from db.base import new_id
from db.keyring import KeyRing
from db.models import Deployment, Organization, ServerIntent, VpsInstance
from db.models_inventory import CloudResource
from db.queries.runs import RunFacts, load
from db.session import Database
from domain.config import RunConfig
from domain.errors import Trouble
from domain.provisioning import DestroyCall, QuoteCall, RunInputs, StepCall
from domain.statuses import IntentState, Lifecycle, Tier
from tests.clouds import FixedClouds
from tests.journal import no_events
from tests.sandbox.transip.emulator import Emulator, emulator

WINDOW = 5.0  # seconds; the real cloud's is ten minutes, and a busy machine is slow to list


class Shop:
    """A deployment with its rows reserved, a cloud, and the activities between them."""

    def __init__(self, db: Database, keys: KeyRing, cloud: Emulator) -> None:
        self.cloud = cloud
        self.client = cloud.client(late_accept_window=WINDOW, poll_interval=0.05)
        self.deps = Deps(
            config=RunConfig(base_domain="slipway.test"), db=db, keys=keys, clouds=FixedClouds(transip=self.client),
            dns=None, acme=None, blueprints=None,  # type: ignore[arg-type] - no such calls here
        )  # fmt: skip
        self.servers = ServerActivities(self.deps)
        self.call = StepCall(deployment_id="")

    async def open(self) -> None:
        slug = f"s{uuid.uuid4().hex[:10]}"
        async with self.deps.db.begin() as session:
            organization = Organization(id=new_id(), name=slug, slug=slug)
            session.add(organization)
            await session.flush()
            row = Deployment(
                id=new_id(), organization_id=organization.id, deployment_type="dedicated", tier="professional",
                slug=slug, assigned_subdomain=f"{slug}.slipway.test", admin_email="a@example.com", admin_name="A",
            )  # fmt: skip
            session.add(row)
        self.call = StepCall(deployment_id=str(row.id))
        await ActivityEnvironment().run(
            RecordActivities(self.deps).reserve, self.call, no_events(self.call.deployment_id)
        )

    async def once(self, activity: Any, argument: Any = None) -> Any:
        return await ActivityEnvironment().run(activity, argument or self.call)

    async def retried(self, activity: Any, argument: Any = None) -> Any:
        """As Temporal does it: again after the named delay, until it is done or cannot be."""
        for _ in range(200):
            try:
                return await self.once(activity, argument)
            except ApplicationError as error:
                if error.non_retryable:
                    raise
                delay = error.next_retry_delay
                await asyncio.sleep(delay.total_seconds() if delay else 0.05)
        raise AssertionError("it never ended")

    async def orders(self) -> int:
        """How many servers the cloud was paid for."""
        return len((await self.cloud.state())["invoices"])

    async def facts(self) -> RunFacts:
        async with self.deps.db.begin() as session:
            return await load(session, self.call.deployment_id)


@pytest.fixture
async def shop(db: Database, keys: KeyRing, tmp_path: Path) -> AsyncIterator[Shop]:
    async with emulator(tmp_path / "cloud") as cloud:
        made = Shop(db, keys, cloud)
        await made.open()
        yield made
        await made.client.close()
        async with db.begin() as session:  # the next test's cloud counts its servers from one again
            await session.execute(delete(CloudResource))
            await session.execute(update(VpsInstance).values(provider_instance_id=None))


@pytest.fixture(autouse=True)
def cloud_folder(tmp_path: Path) -> None:
    (tmp_path / "cloud").mkdir()


class TestCreate:
    async def test_one_order_becomes_one_claimed_server(self, shop: Shop) -> None:
        found = await shop.retried(shop.servers.create_server)
        await shop.retried(shop.servers.await_server)
        assert await shop.orders() == 1
        facts = await shop.facts()
        assert facts.server.provider_instance_id == found.provider_ref
        assert facts.intent is not None
        assert facts.intent.state == IntentState.ADOPTED
        server = await shop.client.get(found.provider_ref)
        assert server.label == facts.server.vps_name
        assert f"slipway-{facts.intent.correlation}" in server.tags

    async def test_doing_it_again_orders_nothing_more(self, shop: Shop) -> None:
        first = await shop.retried(shop.servers.create_server)
        second = await shop.retried(shop.servers.create_server)
        assert first.provider_ref == second.provider_ref
        assert await shop.orders() == 1

    @pytest.mark.parametrize("loss", ["lose_answer", "lose_request"])
    async def test_a_lost_order_is_settled_before_it_is_repeated(self, shop: Shop, loss: str) -> None:
        await shop.cloud.fault(loss, method="POST", path="/vps$", times=1)
        with pytest.raises(ApplicationError) as doubt:
            await shop.once(shop.servers.create_server)
        assert doubt.value.type == Trouble.UNCONFIRMED
        assert not doubt.value.non_retryable
        await shop.retried(shop.servers.create_server)
        await shop.retried(shop.servers.await_server)
        assert await shop.orders() == 1
        assert len(shop.cloud.driver.specs) == 1

    async def test_an_order_that_may_have_been_sent_is_not_sent_again_within_the_window(self, shop: Shop) -> None:
        """A worker that dies between writing `sent` and the call leaves exactly this row."""
        facts = await shop.facts()
        assert facts.intent is not None
        async with shop.deps.db.begin() as session:
            await session.execute(
                update(ServerIntent).where(ServerIntent.id == facts.intent.id)
                .values(state="sent", sent_at=datetime.now(UTC), sends=1))  # fmt: skip
        with pytest.raises(ApplicationError) as waiting:
            await shop.once(shop.servers.create_server)
        assert waiting.value.type == Trouble.NOT_READY
        assert await shop.orders() == 0
        await shop.retried(shop.servers.create_server)
        assert await shop.orders() == 1

    async def test_a_refused_order_parks_at_once_and_leaves_the_intent_unsent(self, shop: Shop) -> None:
        wrong = shop.call.model_copy(update={"inputs": RunInputs(product="bladevps-x999")})
        with pytest.raises(ApplicationError) as refused:
            await shop.retried(shop.servers.create_server, wrong)
        assert refused.value.type == Trouble.INVALID_INPUT
        facts = await shop.facts()
        assert facts.intent is not None
        assert facts.intent.state == IntentState.INTENDED
        await shop.retried(shop.servers.create_server)
        assert await shop.orders() == 1

    async def test_a_rate_limit_is_waited_out(self, shop: Shop) -> None:
        await shop.cloud.fault("rate_limit", method="POST", path="/vps$", times=1)
        with pytest.raises(ApplicationError) as limited:
            await shop.once(shop.servers.create_server)
        assert limited.value.type == Trouble.RATE_LIMITED
        assert limited.value.next_retry_delay is not None
        facts = await shop.facts()
        assert facts.intent is not None
        assert facts.intent.state == IntentState.INTENDED, "surely refused, so it may be sent again"
        assert await shop.orders() == 0

    @pytest.mark.parametrize("status", [500, 502, 503])
    async def test_a_server_error_on_the_order_is_in_doubt_not_repeated(self, shop: Shop, status: int) -> None:
        await shop.cloud.fault("status", method="POST", path="/vps$", times=1, status=status)
        with pytest.raises(ApplicationError) as doubt:
            await shop.once(shop.servers.create_server)
        assert doubt.value.type == Trouble.UNCONFIRMED

    async def test_a_second_server_with_our_token_goes_into_the_inventory_and_is_not_used(self, shop: Shop) -> None:
        facts = await shop.facts()
        assert facts.intent is not None
        order = await complete(shop.deps, shop.client, facts, shop.call.inputs, facts.intent.correlation)
        await shop.client.order(order)
        await shop.client.order(order)
        for _ in range(100):
            if len(await shop.client.find(facts.intent.correlation)) == 2:
                break
            await asyncio.sleep(0.05)
        await shop.retried(shop.servers.create_server)
        async with shop.deps.db.begin() as session:
            ours = CloudResource.correlation == facts.intent.correlation
            (line,) = (await session.execute(select(CloudResource).where(ours))).scalars()
        used = (await shop.facts()).server.provider_instance_id
        assert {line.provider_ref, used} == {s.provider_ref for s in await shop.client.list()}
        assert (line.state, line.note) == ("explained", "second server with one order's token"), "its run is under way"

    async def test_the_host_is_born_with_the_key_we_pinned(self, shop: Shop) -> None:
        await shop.retried(shop.servers.create_server)
        await shop.retried(shop.servers.await_server)
        facts = await shop.facts()
        (spec,) = shop.cloud.driver.specs.values()
        assert facts.server.host_key is not None
        assert re.sub(r"\s+\S*$", "", facts.server.host_key).split()[1] in spec.user_data
        assert facts.server.vps_ip == spec.address
        assert facts.server.specs["ram_mb"] > 0


class TestDestroy:
    async def destroy(self, shop: Shop) -> Any:
        return await shop.retried(shop.servers.destroy_server, DestroyCall(deployment_id=shop.call.deployment_id))

    async def test_what_was_ordered_is_gone_with_proof(self, shop: Shop) -> None:
        found = await shop.retried(shop.servers.create_server)
        await self.destroy(shop)
        proof = await shop.retried(shop.servers.prove_server_absent)
        assert found.provider_ref in proof.evidence
        assert (await shop.facts()).server.lifecycle == Lifecycle.TERMINATED
        assert shop.cloud.driver.specs == {}

    async def test_an_unanswered_order_is_waited_for_and_then_destroyed(self, shop: Shop) -> None:
        await shop.cloud.fault("lose_answer", method="POST", path="/vps$", times=1)
        with pytest.raises(ApplicationError):
            await shop.once(shop.servers.create_server)
        await self.destroy(shop)
        assert await shop.orders() == 1
        assert shop.cloud.driver.specs == {}
        assert await shop.retried(shop.servers.prove_server_absent)

    async def test_an_order_lost_on_the_way_is_not_called_gone_before_the_window_ends(self, shop: Shop) -> None:
        await shop.cloud.fault("lose_request", method="POST", path="/vps$", times=1)
        with pytest.raises(ApplicationError):
            await shop.once(shop.servers.create_server)
        began = datetime.now(UTC)
        await self.destroy(shop)
        facts = await shop.facts()
        assert facts.intent is not None
        assert facts.intent.sent_at is not None
        assert datetime.now(UTC) >= facts.intent.sent_at + timedelta(seconds=WINDOW)
        assert began < datetime.now(UTC)

    async def test_a_cloud_that_fails_never_counts_as_absence(self, shop: Shop) -> None:
        await shop.retried(shop.servers.create_server)
        await shop.cloud.fault("status", method="GET", path="/vps", times=1, status=500)
        with pytest.raises(ApplicationError):
            await shop.once(shop.servers.prove_server_absent)
        with pytest.raises(ApplicationError) as present:
            await shop.once(shop.servers.prove_server_absent)
        assert present.value.type == Trouble.STILL_PRESENT

    async def test_nothing_ordered_is_nothing_to_destroy(self, shop: Shop) -> None:
        assert (await self.destroy(shop)).provider_ref is None
        assert "none was ever ordered" in (await shop.retried(shop.servers.prove_server_absent)).evidence


async def test_a_quote_names_product_and_price_and_orders_nothing(shop: Shop) -> None:
    quote = await shop.once(shop.servers.quote_server, QuoteCall(tier=Tier.PROFESSIONAL))
    assert quote.product == "bladevps-x4"
    assert quote.price_cents_month > 0
    assert await shop.orders() == 0


async def test_a_provider_without_credentials_is_named(shop: Shop) -> None:
    with pytest.raises(ApplicationError) as missing:
        await shop.once(shop.servers.quote_server,
                        QuoteCall(tier=Tier.STARTER, inputs=RunInputs(provider="linode")))  # fmt: skip
    assert missing.value.type == Trouble.MISSING_SETTING
    assert "linode" in missing.value.message
