"""What goes wrong at a cloud, as clients see it, at each of the three: the right code, a sentence, nothing half done.

The front door, Temporal's real dev server, the workers' own pools and clients; the clouds speak their real wire.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import func, select, update
from temporalio.testing import WorkflowEnvironment

import temporal
from activities._clouds import CloudBook
from activities._context import Deps
from db.keyring import KeyRing
from db.models import Deployment, ServerIntent, VpsInstance
from db.session import Database
from domain.config import RunConfig
from domain.visibility import SEARCH_ATTRIBUTES
from providers.cloud.registry import CLOUDS
from sandbox.digitalocean.orders import FULL as DROPLETS_FULL
from sandbox.linode.orders import FULL as LINODES_FULL
from tests.api.conftest import MakeWorld
from tests.api.front import KINDS, ORDERS, PROVIDERS, SERVERS, Front, cloud_of
from tests.api.world import SECRET_KEYS, World, make_settings
from tests.conftest import TEMPORAL
from workers.pools import POOLS
from workers.run import worker_of

OFFERED = {"boot", "delete", "power_off", "power_on", "reboot", "shutdown"}
# A refusal for want of room: the status and the sentence of each cloud.
FULL = {"transip": (409, "The VPS limit for this account is reached"), "digitalocean": (422, DROPLETS_FULL),
        "linode": (400, LINODES_FULL)}  # fmt: skip


@pytest.fixture(scope="module")
async def engine(pg_url: str) -> AsyncIterator[WorkflowEnvironment]:
    """Temporal, and the workers of all pools that bare servers need."""
    async with (
        await WorkflowEnvironment.start_local(
            dev_server_existing_path=TEMPORAL, dev_server_log_level="error", search_attributes=SEARCH_ATTRIBUTES
        ) as env,
        contextlib.AsyncExitStack() as stack,
    ):
        db, keys = Database(pg_url, pool_min=2, pool_max=20), KeyRing.parse(SECRET_KEYS)
        stack.push_async_callback(db.close)
        book = CloudBook(db, keys, CLOUDS)
        stack.push_async_callback(book.close)
        deps = Deps(
            config=RunConfig(base_domain="slipway.test"), db=db, keys=keys, clouds=book,
            dns=None, acme=None, blueprints=None,  # type: ignore[arg-type] - no such calls here
        )  # fmt: skip
        client = await temporal.connect(
            make_settings(pg_url, temporal_address=env.client.service_client.config.target_host)
        )
        for pool in ("runs", *(f"cloud-{kind}" for kind in KINDS)):
            await stack.enter_async_context(worker_of(POOLS[pool], client, deps))
        yield env


@pytest.fixture
async def door(engine: WorkflowEnvironment, make_world: MakeWorld) -> World:
    made = await make_world()
    address = engine.client.service_client.config.target_host
    settings = made.settings.model_copy(update={"temporal_address": address})
    link = made.app.state.services.temporal
    link._client, link._connect = None, lambda: temporal.connect(settings)
    await made.sign_in()
    return made


@pytest.fixture(params=KINDS)
async def front(request: pytest.FixtureRequest, door: World, tmp_path: Path) -> AsyncIterator[Front]:
    async with cloud_of(request.param, tmp_path / "cloud") as cloud:
        yield Front(request.param, door, cloud)
        judge = getattr(cloud, "judge", None)  # TransIP's emulator stands without one
        assert judge is None or judge.requests == [], "what the cloud took, its own specification refuses"
    async with door.db.begin() as session:  # the next test's cloud counts its servers from one again
        await session.execute(update(VpsInstance).values(provider_instance_id=None))


async def count(world: World, *tables: type) -> list[int]:
    async with world.db.begin() as session:
        return [int((await session.execute(select(func.count()).select_from(table))).scalar_one()) for table in tables]


def is_sentence(text: str) -> bool:
    return text[:1].isupper() and " " in text and "Traceback" not in text


async def test_credentials_that_are_wrong_are_named_buy_nothing_and_can_be_put_right(front: Front) -> None:
    account = await front.account(front.wrong_key)
    status, told = await front.ask("POST", f"{PROVIDERS}/{account}/validate")
    assert (status, told["code"], told["provider"], told["field"]) == (
        422, "INVALID_CREDENTIALS", front.kind, "api_key")  # fmt: skip
    assert is_sentence(told["error"])
    status, told = await front.listed("regions", account)
    assert (status, told["code"], told["provider"]) == (502, "INVALID_CREDENTIALS", front.kind)
    assert is_sentence(told["error"])

    server = await front.order(account)
    stuck = await front.parked(server)
    assert (stuck["status"], stuck["error_code"]) == ("provisioning", "Unauthorized")
    assert stuck["error_message"]
    assert (front.bought, stuck["provider_instance_id"]) == (0, None)

    status, _ = await front.ask("PUT", f"{PROVIDERS}/{account}", {"api_key": front.key})
    assert status == 200
    assert (await front.ask("POST", f"{PROVIDERS}/{account}/validate"))[1]["valid"] is True
    await front.retry(server)
    running = await front.runs(server)
    assert (running["attention"], running["error_code"], front.bought) == ("none", None, 1)
    assert (await front.listed("regions", account))[0] == 200
    assert front.told([front.key, front.wrong_key]) == []


async def test_a_revoked_token_stops_what_it_opened_and_loses_nothing(front: Front) -> None:
    account = await front.account()
    server = await front.order(account)
    ref = (await front.runs(server))["provider_instance_id"]
    assert (await front.listed("regions", account))[1]["stale"] is False
    await front.revoke()
    await front.lists_are_old()
    await front.looks_are_old()

    status, told = await front.listed("regions", account)
    assert (status, told["stale"], bool(told["regions"])) == (200, True, True)
    assert told["stale_reason"].startswith("This list could not be renewed: ")
    status, told = await front.listed("images", account)
    assert (status, told["code"], told["provider"]) == (502, "INVALID_CREDENTIALS", front.kind)
    seen = await front.shown(server)
    assert (seen["stale"], seen["instance"]["status"], seen["instance"]["missing"]) == (True, "running", False)
    assert is_sentence(seen["stale_reason"])

    failed = await front.acted(server, "reboot")
    assert (failed["state"], failed["error_code"]) == ("failed", "INVALID_CREDENTIALS")
    assert failed["error_message"]

    assert (await front.ask("DELETE", f"{SERVERS}/{server['id']}"))[0] == 202
    stuck = await front.parked(server)
    assert (stuck["status"], stuck["error_code"], stuck["provider_instance_id"]) == (
        "terminating", "Unauthorized", ref)  # fmt: skip
    assert len(front.cloud.app.living()) == 1
    assert (await front.ask("DELETE", f"{PROVIDERS}/{account}"))[0] == 409, "the key is needed yet"

    await front.restore()
    await front.retry(server)
    (proof,) = await front.gone(server)
    assert ref in proof["evidence"]
    assert front.cloud.app.living() == []


async def test_a_disabled_account_takes_no_orders_and_serves_what_it_has(front: Front) -> None:
    account = await front.account()
    server = await front.order(account)
    await front.runs(server)
    assert (await front.ask("PUT", f"{PROVIDERS}/{account}", {"active": False}))[0] == 200

    before = await count(front.world, VpsInstance, Deployment, ServerIntent)
    status, told = await front.ask("POST", SERVERS, front.body(account))
    assert (status, told["code"], told["provider"], told["field"]) == (
        409, "PROVIDER_INACTIVE", front.kind, "provider_id")  # fmt: skip
    assert is_sentence(told["error"])
    assert await count(front.world, VpsInstance, Deployment, ServerIntent) == before
    status, told = await front.listed("regions", account)
    assert (status, told["code"]) == (409, "PROVIDER_INACTIVE")

    await front.looks_are_old()
    seen = await front.shown(server)
    assert ("stale" in seen, seen["instance"]["status"]) == (False, "running")
    assert (await front.acted(server, "shutdown"))["state"] == "done"
    assert (await front.shown(server))["instance"]["status"] == "stopped"

    status, told = await front.ask("DELETE", f"{PROVIDERS}/{account}")
    assert (status, told["code"]) == (409, "CONFLICT")
    assert "1 server lives" in told["error"]
    assert (await front.act(server, "delete"))[0] == 202
    assert await front.gone(server)
    assert front.cloud.app.living() == []

    assert (await front.ask("DELETE", f"{PROVIDERS}/{account}"))[0] == 200
    removed = await front.row(account)
    assert (removed.active, removed.api_key_encrypted, removed.deleted_at is None) == (False, None, False)
    for status, told in (
        await front.ask("POST", SERVERS, front.body(account)),
        await front.listed("regions", account),
        await front.ask("POST", f"{PROVIDERS}/{account}/validate"),
    ):
        assert (status, told["code"]) == (404, "PROVIDER_NOT_FOUND")
    assert (await front.shown(server))["instance"]["status"] == "terminated", "its history stays"
    assert front.bought == 1


async def test_an_account_disabled_while_an_order_waits_is_not_bought_from(front: Front) -> None:
    account = await front.account()
    await front.breaks()
    server = await front.order(account)
    assert (await front.ask("PUT", f"{PROVIDERS}/{account}", {"active": False}))[0] == 200
    await front.heal()
    stuck = await front.parked(server)
    assert (stuck["status"], stuck["error_code"], front.bought) == ("provisioning", "ProviderInactive", 0)
    assert "is disabled" in stuck["error_message"]
    assert (await front.ask("PUT", f"{PROVIDERS}/{account}", {"active": True}))[0] == 200
    await front.retry(server)
    await front.runs(server)
    assert front.bought == 1


async def test_a_server_deleted_behind_our_back_is_missing_and_can_be_deleted(front: Front) -> None:
    server = await front.order(await front.account())
    ref = (await front.runs(server))["provider_instance_id"]
    status, told = await front.act(server, "explode")
    assert (status, told["code"], told["field"], told["provider"]) == (400, "INVALID_ACTION", "action", front.kind)
    offered = OFFERED | ({"power_cycle"} if front.kind == "digitalocean" else set())
    assert told["error"] == f"{front.kind} offers: {', '.join(sorted(offered))}."
    if front.kind == "digitalocean":
        assert (await front.acted(server, "power_cycle"))["state"] == "done"
    else:
        assert (await front.act(server, "power_cycle"))[1]["code"] == "INVALID_ACTION"
        assert (await front.shown(server))["actions"] == []

    await front.deleted_behind_our_back()
    await front.looks_are_old()
    for _ in range(2):  # and it does not come back with the next look at the page
        seen = await front.shown(server)
        assert (seen["instance"]["missing"], "stale" in seen) == (True, False)
        assert seen["instance"]["status"] != "running"
    failed = await front.acted(server, "reboot")
    assert (failed["state"], failed["error_code"]) == ("failed", "NOT_FOUND")
    assert failed["error_message"]
    assert (await front.act(server, "delete"))[0] == 202
    (proof,) = await front.gone(server)
    assert ref in proof["evidence"]
    status, told = await front.act(server, "delete")
    assert (status, told["code"]) == (409, "CONFLICT")
    assert front.bought == 1


async def test_while_a_cloud_is_down_everything_says_so_and_goes_on_afterwards(front: Front) -> None:
    account = await front.account()
    server = await front.order(account)
    await front.runs(server)
    await front.listed("regions", account)
    await front.breaks()
    await front.lists_are_old()
    await front.looks_are_old()

    ordered = await front.order(account)
    regions, images, checked, seen = await asyncio.gather(
        front.listed("regions", account), front.listed("images", account),
        front.ask("POST", f"{PROVIDERS}/{account}/validate"), front.shown(server))  # fmt: skip
    assert (regions[0], regions[1]["stale"], bool(regions[1]["regions"])) == (200, True, True)
    for status, told in (images, checked):
        assert (status, told["code"], told["provider"]) == (502, "API_ERROR", front.kind)
        assert is_sentence(told["error"])
    assert (seen["stale"], seen["instance"]["status"]) == (True, "running")
    assert is_sentence(seen["stale_reason"])

    failed = await front.acted(server, "reboot")
    assert (failed["state"], failed["error_code"]) == ("failed", "API_ERROR")
    assert "is not sent twice" in failed["error_message"]
    assert (await front.act(server, "shutdown"))[0] == 202
    waits = (await front.shown(ordered))["instance"]
    assert (waits["status"], waits["attention"], waits["provider_instance_id"]) == ("provisioning", "none", None)
    assert waits["status_message"]
    assert (await front.shown(server))["actions"][0]["ended_at"] is None
    assert front.bought == 1

    await front.heal()
    await front.cloud.fault("lose_answer", method="POST", path=ORDERS[front.kind])
    await front.runs(ordered)
    done = await front.ended(server)
    assert (done["action"], done["state"]) == ("shutdown", "done")
    assert (await front.shown(server))["instance"]["status"] == "stopped"
    assert (front.bought, len(front.cloud.app.living())) == (2, 2)


async def test_an_application_without_room_goes_to_the_next_cloud_and_is_bought_once(
    front: Front, tmp_path: Path
) -> None:
    next_kind = KINDS[(KINDS.index(front.kind) + 1) % len(KINDS)]
    status, sentence = FULL[front.kind]
    await front.cloud.fault("status", status=status, body=sentence, method="POST", path=ORDERS[front.kind], times=None)
    async with cloud_of(next_kind, tmp_path / "next") as cloud:
        elsewhere = Front(next_kind, front.world, cloud)
        account, other = await front.account(), await elsewhere.account()
        made = await front.world.create(provider=front.kind, providerId=account,
                                        fallbacks=[{"provider": next_kind, "providerId": other}])  # fmt: skip
        told = await front.stands_at_the_cloud(made["deploymentId"])
        assert any(line["message"].startswith(f"No room at {front.kind}") and sentence in line["message"]
                   for line in told["logs"])  # fmt: skip
        assert (front.bought, elsewhere.bought) == (0, 1)
        async with front.world.db.begin() as session:
            run = await session.get_one(Deployment, uuid.UUID(made["deploymentId"]))
            vps = await session.get_one(VpsInstance, run.vps_id)
        assert (vps.provider_type, str(vps.provider_id)) == (next_kind, other)


async def test_without_room_an_order_waits_visibly_and_buys_once(front: Front) -> None:
    status, sentence = FULL[front.kind]
    account = await front.account()
    await front.cloud.fault("status", status=status, body=sentence, method="POST", path=ORDERS[front.kind], times=None)
    server = await front.order(account)
    stuck = await front.parked(server)
    assert (stuck["status"], stuck["error_code"], stuck["error_message"]) == (
        "provisioning", "QuotaExceeded", sentence)  # fmt: skip
    assert front.bought == 0
    await front.heal()
    await front.retry(server)
    assert (await front.runs(server))["error_code"] is None
    assert front.bought == 1
