"""Offers from the request to the cloud and back: two replicas, Temporal's real dev server, a wire-faithful cloud."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

import temporal
from activities._context import Deps
from activities.offers import OfferActivities
from api import starting
from db.keyring import KeyRing
from domain import ids
from domain.config import RunConfig
from domain.offers import Offer
from providers.cloud.base import Region
from temporal import sandbox_runner
from tests.api.conftest import MakeWorld
from tests.api.test_offers import ask
from tests.api.world import SECRET_KEYS, World, make_settings
from tests.clouds import FixedClouds
from tests.conftest import TEMPORAL
from tests.offering import account, keep, kept
from tests.sandbox.transip.emulator import Emulator, emulator, until
from workflows.offers import ReadOffers

REGIONS = "transip/regions"
ZONES = "^/availability-zones$"


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[WorkflowEnvironment]:
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=TEMPORAL, dev_server_log_level="error"
    ) as env:
        yield env


@pytest.fixture
async def engine(server: WorkflowEnvironment) -> Client:
    return await temporal.connect(make_settings("", temporal_address=server.client.service_client.config.target_host))


@pytest.fixture
async def replicas(make_world: MakeWorld, engine: Client) -> list[World]:
    """Two front doors that share nothing but the database and Temporal."""
    made = [await make_world(), await make_world()]
    for world in made:
        world.app.state.services.temporal._client = engine
        await world.sign_in()
    return made


@pytest.fixture
async def ref(replicas: list[World]) -> uuid.UUID:
    return await account(replicas[0].db)


@pytest.fixture
async def cloud(replicas: list[World], engine: Client, tmp_path: Path) -> AsyncIterator[Emulator]:
    """With the workers that ask it."""
    (tmp_path / "cloud").mkdir()
    async with emulator(tmp_path / "cloud") as running, contextlib.AsyncExitStack() as stack:
        deps = Deps(
            config=RunConfig(base_domain="slipway.test"), db=replicas[0].db, keys=KeyRing.parse(SECRET_KEYS),
            clouds=FixedClouds(transip=running.client()), dns=None, acme=None, blueprints=None,  # type: ignore[arg-type]
        )  # fmt: skip
        activities = [OfferActivities(deps).read_offers]
        for worker in (
            Worker(engine, task_queue=ids.RUNS_QUEUE, workflows=[ReadOffers], workflow_runner=sandbox_runner()),
            Worker(engine, task_queue=ids.cloud_queue("transip"), activities=activities),
        ):
            await stack.enter_async_context(worker)
        yield running


async def asked(cloud: Emulator) -> int:
    return sum(call["path"].endswith("/availability-zones") for call in (await cloud.state())["calls"])


async def test_many_requests_at_two_replicas_are_one_call_to_the_cloud(
    replicas: list[World], cloud: Emulator, ref: uuid.UUID
) -> None:
    await cloud.fault("delay", path=ZONES, seconds=0.5)
    answers = await asyncio.gather(*(ask(world, REGIONS, provider_id=ref) for world in replicas * 5))
    assert {status for status, _ in answers} == {200}
    bodies = [body for _, body in answers]
    assert all([region["id"] for region in body["regions"]] == ["ams0", "rtm0"] for body in bodies)
    assert len({body["cached_at"] for body in bodies}) == 1
    assert await asked(cloud) == 1
    for world in replicas:
        assert (await ask(world, REGIONS, provider_id=ref))[1]["stale"] is False
    assert await asked(cloud) == 1
    for world in replicas:
        shown = (await world.client.get("/api/admin/cache")).json()["cache"]
    (row,) = [row for row in shown if row["key"] == f"provider:{ref}:regions"]
    assert (row["hits"], row["misses"], row["stale_hits"]) == (2, 10, 0)


async def test_every_list_of_a_cloud_comes_through(replicas: list[World], cloud: Emulator, ref: uuid.UUID) -> None:
    _, images = await ask(replicas[0], "transip/images", provider_id=ref)
    assert "debian-13" in [image["slug"] for image in images["images"]]
    _, sizes = await ask(replicas[0], "transip/sizes", provider_id=ref)
    four = next(size for size in sizes["sizes"] if size["id"] == "bladevps-x4")
    assert (four["memory"], four["disk"], four["price"]["monthly"], sizes["currency"]) == (8192, 150, 40.0, "EUR")


async def test_after_a_clear_the_cloud_is_asked_again(replicas: list[World], cloud: Emulator, ref: uuid.UUID) -> None:
    await ask(replicas[0], REGIONS, provider_id=ref)
    assert (await replicas[1].client.delete(f"/api/admin/providers/{ref}/cache")).json()["cleared"] == 1
    await ask(replicas[0], REGIONS, provider_id=ref)
    assert await asked(cloud) == 2


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ({"do": "status", "status": 503}, 502, "API_ERROR"),
        ({"do": "status", "status": 401, "body": "You are not allowed to use the API"}, 502, "INVALID_CREDENTIALS"),
        ({"do": "rate_limit", "seconds": 500}, 429, "RATE_LIMIT_EXCEEDED"),
    ],
)
async def test_what_a_cloud_refuses_is_said_or_covered_by_an_older_list(
    replicas: list[World], cloud: Emulator, ref: uuid.UUID, fault: dict[str, Any], status: int, code: str
) -> None:
    world = replicas[0]
    await cloud.fault(**fault, path=ZONES, times=None)
    answer = await world.client.get(f"/api/vps/{REGIONS}", params={"provider_id": ref})
    body = answer.json()
    assert (answer.status_code, body["code"], body["provider"]) == (status, code, "transip")
    assert ("retry-after" in answer.headers) is (status == 429)
    if status == 429:
        assert 400 < int(answer.headers["retry-after"]) < 600
    await keep(world.db, ref, Offer.REGIONS, [Region(id="old0")], stale=True)
    code_of_it, stale = await ask(world, REGIONS, provider_id=ref)
    assert (code_of_it, stale["stale"], [region["id"] for region in stale["regions"]]) == (200, True, ["old0"])
    row = await kept(world.db, ref, Offer.REGIONS)
    assert row is not None
    assert stale["stale_reason"] == f"This list could not be renewed: {body['error']}"


async def test_nobody_waits_for_a_slow_cloud_and_its_answer_is_there_for_the_next(
    replicas: list[World], cloud: Emulator, ref: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = replicas[0]
    monkeypatch.setattr(starting, "OFFERS_SECONDS", 0.3)
    await cloud.fault("delay", path=ZONES, seconds=3)
    answer = await world.client.get(f"/api/vps/{REGIONS}", params={"provider_id": ref})
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (502, "API_ERROR", "5")
    await keep(world.db, ref, Offer.REGIONS, [Region(id="old0")], stale=True)
    _, body = await ask(replicas[1], REGIONS, provider_id=ref)
    assert (body["stale"], body["regions"][0]["id"]) == (True, "old0")

    async def renewed() -> bool:
        return not (await ask(world, REGIONS, provider_id=ref))[1]["stale"]

    await until(renewed)
    assert await asked(cloud) == 1
