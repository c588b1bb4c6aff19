"""What every cloud must do for us, by the same activities over each of the three wire protocols."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities._context import Deps
from activities.records import RecordActivities
from activities.server_actions import ServerActionActivities
from activities.servers import ServerActivities
from db import secrets
from db.base import new_id
from db.keyring import KeyRing
from db.models import Deployment, Organization, VpsInstance
from db.models_clouds import ServerAction
from db.models_inventory import CloudResource
from db.queries import servers
from db.queries.runs import RunFacts, load
from db.session import Database
from domain.config import RunConfig
from domain.errors import Trouble
from domain.provisioning import DestroyCall, QuoteCall, RunInputs, StepCall
from domain.servers import ROOT_PASSWORD, STACKSCRIPT_DATA, USER_DATA, LookCall, PowerAction, ServerOptions
from domain.statuses import Lifecycle, PowerState, Tier
from providers.cloud.base import Cloud
from providers.cloud.digitalocean import DigitalOcean
from providers.cloud.linode import Linode
from providers.errors import Transient
from tests.clouds import FixedClouds
from tests.journal import no_events
from tests.sandbox.clouds.serving import SSH_KEY
from tests.sandbox.digitalocean import emulator as ocean
from tests.sandbox.linode import emulator as linode
from tests.sandbox.transip import emulator as transip

QUICK = {"late_accept_window": 4.0, "poll_interval": 0.05}
KINDS = ("transip", "digitalocean", "linode")
ORDERS = {"transip": "^/vps$", "digitalocean": "^/droplets$", "linode": "^/linode/instances$"}
CLAIMS = {"transip": "^/vps/[^/]+$", "digitalocean": "^/droplets/[0-9]+/actions$",
          "linode": "^/linode/instances/[0-9]+$"}  # fmt: skip
POWERS = {"transip": "^/vps/[^/]+$", "digitalocean": "^/droplets/[0-9]+/actions$",
          "linode": "^/linode/instances/[0-9]+/(boot|reboot|shutdown)$"}  # fmt: skip
# A bare server at each: size, region, image.
SOLD = {"transip": ("bladevps-x2", "ams0", "debian-13"), "digitalocean": ("s-1vcpu-1gb", "ams3", "debian-13-x64"),
        "linode": ("g6-nanode-1", "nl-ams", "linode/debian13")}  # fmt: skip


@contextlib.asynccontextmanager
async def cloud_of(kind: str, folder: Path) -> AsyncIterator[tuple[Any, Cloud]]:
    folder.mkdir()
    if kind == "transip":
        async with transip.emulator(folder) as cloud:
            yield cloud, cloud.client(**QUICK)
        return
    made: Cloud
    if kind == "digitalocean":
        async with ocean.emulator(folder) as running:
            made = DigitalOcean(token=running.tokens["acme"], base_url=running.url, **QUICK)
            yield running, made
            await made.close()
    else:
        async with linode.emulator(folder) as stands:
            made = Linode(token=stands.tokens["acme"], base_url=stands.url, **QUICK)
            yield stands, made
            await made.close()


@dataclass
class Shop:
    kind: str
    cloud: Any
    client: Cloud
    deps: Deps
    call: StepCall

    @property
    def servers(self) -> ServerActivities:
        return ServerActivities(self.deps)

    async def retried(self, activity: Any, argument: Any = None) -> Any:
        """As Temporal does it: again after the named delay, until it is done or cannot be."""
        for _ in range(300):
            try:
                return await ActivityEnvironment().run(activity, argument or self.call)
            except ApplicationError as error:
                if error.non_retryable:
                    raise
                delay = error.next_retry_delay
                await asyncio.sleep(min(0.2, delay.total_seconds()) if delay else 0.05)
        raise AssertionError("it never ended")

    async def bought(self) -> Any:
        activities = self.servers
        found = await self.retried(activities.create_server)
        await self.retried(activities.await_server)
        return found

    async def facts(self) -> RunFacts:
        async with self.deps.db.begin() as session:
            return await load(session, self.call.deployment_id)

    async def asked(self, action: PowerAction) -> ServerAction:
        """Sent and followed to its end, as the workflow does; how it ended."""
        vps = (await self.facts()).server
        async with self.deps.db.begin() as session:
            row = await servers.ask(session, vps.id, action, "ada")
        assert row is not None
        call = servers.call_of(row, self.kind, vps.provider_id)
        acts = ServerActionActivities(self.deps)
        try:
            await self.retried(acts.send_action, call)
            await self.retried(acts.await_action, call)
        except ApplicationError as error:
            async with self.deps.db.begin() as session:
                await servers.end_action(session, row.id, "failed", code=error.type, message=error.message)
        async with self.deps.db.begin() as session:
            return await session.get_one(ServerAction, row.id)


async def opened(kind: str, cloud: Any, client: Cloud, db: Database, keys: KeyRing, deployment_type: str) -> Shop:
    deps = Deps(
        config=RunConfig(base_domain="slipway.test"), db=db, keys=keys, clouds=FixedClouds({kind: client}),
        dns=None, acme=None, blueprints=None,  # type: ignore[arg-type] - no such calls here
    )  # fmt: skip
    slug = f"s{uuid.uuid4().hex[:10]}"
    product, zone, system = SOLD[kind] if deployment_type == "server" else ("", "", "")
    inputs = RunInputs(provider=kind, product=product, availability_zone=zone, operating_system=system)
    async with db.begin() as session:
        organization = Organization(id=new_id(), name=slug, slug=slug)
        session.add(organization)
        await session.flush()
        row = Deployment(
            id=new_id(), organization_id=organization.id, deployment_type=deployment_type, tier="starter", slug=slug,
            assigned_subdomain=f"{slug}.slipway.test", admin_email="a@example.com", admin_name="A",
        )  # fmt: skip
        session.add(row)
    call = StepCall(deployment_id=str(row.id), inputs=inputs)
    await ActivityEnvironment().run(RecordActivities(deps).reserve, call, no_events(call.deployment_id))
    return Shop(kind, cloud, client, deps, call)


async def forgotten(db: Database) -> None:
    """The next test's cloud counts its servers from one again."""
    async with db.begin() as session:
        await session.execute(delete(CloudResource))
        await session.execute(update(VpsInstance).values(provider_instance_id=None))


@pytest.fixture(params=KINDS)
async def shop(request: pytest.FixtureRequest, db: Database, keys: KeyRing, tmp_path: Path) -> AsyncIterator[Shop]:
    """A deployment for an application, with its rows reserved."""
    async with cloud_of(request.param, tmp_path / "cloud") as (cloud, client):
        yield await opened(request.param, cloud, client, db, keys, "dedicated")
    await forgotten(db)


@pytest.fixture(params=KINDS)
async def bare(request: pytest.FixtureRequest, db: Database, keys: KeyRing, tmp_path: Path) -> AsyncIterator[Shop]:
    """A bare server that a customer has ordered."""
    async with cloud_of(request.param, tmp_path / "cloud") as (cloud, client):
        yield await opened(request.param, cloud, client, db, keys, "server")
    await forgotten(db)


class TestOrders:
    async def test_a_quote_says_what_the_cloud_asks(self, shop: Shop) -> None:
        call = QuoteCall(tier=Tier.STARTER, inputs=shop.call.inputs, deployment_id=shop.call.deployment_id)
        quote = await shop.retried(shop.servers.quote_server, call)
        assert quote.price_cents_month > 0
        assert quote.currency == ("EUR" if shop.kind == "transip" else "USD")
        assert (await shop.facts()).server.product_name == quote.product

    async def test_one_order_becomes_one_server_with_address_and_mark(self, shop: Shop) -> None:
        found = await shop.bought()
        again = await shop.retried(shop.servers.create_server)
        assert again.provider_ref == found.provider_ref
        assert len(shop.cloud.app.invoices()) == 1
        facts = await shop.facts()
        assert facts.intent is not None
        assert facts.server.vps_ip
        server = await shop.client.get(found.provider_ref)
        assert (server.running, server.label) == (True, facts.server.vps_name)
        assert f"slipway-{facts.intent.correlation}" in server.tags

    @pytest.mark.parametrize("do", ["lose_answer", "lose_request", "status"])
    async def test_an_unanswered_order_is_settled_into_one_server(self, shop: Shop, do: str) -> None:
        more = {"status": 503, "handled": True} if do == "status" else {}
        await shop.cloud.fault(do, method="POST", path=ORDERS[shop.kind], **more)
        await shop.bought()
        assert len(shop.cloud.app.invoices()) == 1
        assert len(await shop.client.list()) == 1

    async def test_an_order_doubled_by_the_network_leaves_one_of_ours(self, shop: Shop) -> None:
        await shop.cloud.fault("duplicate", method="POST", path=ORDERS[shop.kind])
        found = await shop.bought()
        facts = await shop.facts()
        assert facts.server.provider_instance_id == found.provider_ref
        # A label is unique at Linode, so that cloud refuses the second by itself.
        assert len(shop.cloud.app.invoices()) == (1 if shop.kind == "linode" else 2)

    @pytest.mark.parametrize("body", ["<html>Bad gateway</html>", "{}"])
    async def test_a_page_in_place_of_an_answer_does_not_count_as_a_claim(self, shop: Shop, body: str) -> None:
        await shop.retried(shop.servers.create_server)
        await shop.cloud.fault("garbage", method="PUT|POST", path=CLAIMS[shop.kind], body=body)
        found = await shop.retried(shop.servers.await_server)
        assert (await shop.client.get(found.provider_ref)).label == (await shop.facts()).server.vps_name

    async def test_a_cancelled_server_is_gone_and_proven_so(self, shop: Shop) -> None:
        found = await shop.bought()
        call = DestroyCall(deployment_id=shop.call.deployment_id, immediately=True)
        await shop.retried(shop.servers.destroy_server, call)
        proof = await shop.retried(shop.servers.prove_server_absent)
        assert found.provider_ref in proof.evidence
        assert await shop.client.list() == []
        assert (await shop.facts()).server.lifecycle == Lifecycle.TERMINATED


class TestBareServers:
    async def test_the_cloud_gets_what_was_ordered(self, bare: Shop) -> None:
        vps_id = (await bare.facts()).server.id
        options = ServerOptions(ssh_keys=[SSH_KEY], tags=["web"], backups=bare.kind != "transip")
        kept = {USER_DATA: "#cloud-config\nhostname: ordered\n", ROOT_PASSWORD: "correct horse battery"}
        if bare.kind == "linode":
            options.stackscript = 401697
            kept[STACKSCRIPT_DATA] = json.dumps({"soa_email_address": "ada@example.com"})
        async with bare.deps.db.begin() as session:
            row = await session.get_one(VpsInstance, vps_id)
            row.options = options.model_dump(mode="json")
            for purpose, value in kept.items():
                await secrets.ensure(session, bare.deps.keys, purpose, lambda value=value: value, vps_id=vps_id)
        found = await bare.bought()
        host = bare.cloud.driver.specs[next(iter(bare.cloud.driver.specs))]
        assert "hostname: ordered" in host.user_data
        assert "correct horse battery" not in host.user_data, "only its hash travels in user data"
        if bare.kind != "linode":
            assert "chpasswd" in host.user_data
        server = await bare.client.get(found.provider_ref)
        assert (server.product, server.location) == SOLD[bare.kind][:2]
        assert "web" in server.tags or bare.kind == "transip"


class TestActions:
    async def test_off_and_on_again(self, shop: Shop) -> None:
        found = await shop.bought()
        for action, power in (
            (PowerAction.SHUTDOWN, PowerState.STOPPED), (PowerAction.POWER_ON, PowerState.RUNNING),
            (PowerAction.REBOOT, PowerState.RUNNING), (PowerAction.POWER_OFF, PowerState.STOPPED),
        ):  # fmt: skip
            ended = await shop.asked(action)
            assert (ended.state, ended.error_message) == ("done", None), action
            assert (await shop.facts()).server.power_state == power
            assert (await shop.client.get(found.provider_ref)).running == (power == PowerState.RUNNING)

    async def test_power_cycle_is_digitaloceans_alone(self, shop: Shop) -> None:
        await shop.bought()
        ended = await shop.asked(PowerAction.POWER_CYCLE)
        expected = ("done", None) if shop.kind == "digitalocean" else ("failed", Trouble.INVALID_INPUT)
        assert (ended.state, ended.error_code) == expected

    async def test_an_unanswered_shutdown_is_sent_again(self, shop: Shop) -> None:
        await shop.bought()
        await shop.cloud.fault("lose_request", method="POST|PATCH", path=POWERS[shop.kind])
        assert (await shop.asked(PowerAction.SHUTDOWN)).state == "done"

    async def test_an_unanswered_restart_is_not_sent_again(self, shop: Shop) -> None:
        await shop.bought()
        await shop.cloud.fault("lose_answer", method="POST|PATCH", path=POWERS[shop.kind])
        ended = await shop.asked(PowerAction.REBOOT)
        assert (ended.state, ended.error_code) == ("failed", Trouble.UNCONFIRMED)
        assert "may have been done or not" in (ended.error_message or "")

    async def test_a_server_that_vanished_is_missing_and_takes_no_action(self, shop: Shop) -> None:
        found = await shop.bought()
        async with shop.deps.db.begin() as session:
            row = await session.get_one(VpsInstance, (await shop.facts()).server.id)
            row.lifecycle = Lifecycle.ACTIVE
        look = LookCall(vps_id=str(row.id), provider=shop.kind)
        acts = ServerActionActivities(shop.deps)
        seen = await shop.retried(acts.look_at_server, look)
        assert (seen.power_state, seen.missing) == (PowerState.RUNNING, False)
        for _ in range(100):  # a cloud that is busy with a server does not delete it just then
            with contextlib.suppress(Transient):
                await shop.client.cancel(found.provider_ref, immediately=True)
            if not await shop.client.list():
                break
            await asyncio.sleep(0.05)
        seen = await shop.retried(acts.look_at_server, look)
        assert (seen.power_state, seen.missing) == (PowerState.UNKNOWN, True)
        assert (await shop.asked(PowerAction.REBOOT)).error_code == Trouble.NOT_FOUND
