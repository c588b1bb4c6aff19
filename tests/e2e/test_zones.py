"""A record asked for over HTTP is answered by two real name servers: the API, a run on a real engine, PowerDNS."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities._context import Deps
from api.app import create_app
from db.keyring import KeyRing
from db.session import Database
from domain import ids
from providers.dns.lookup import ask
from providers.dns.zone_shapes import owner_token
from temporal import sandbox_runner
from tests.activities.zones import copied, deps_of
from tests.api.world import StandInTemporal, World, make_settings
from tests.dnspair import Pair, name_pair
from workers.pools import POOLS
from workflows.zones import ChangeZone, LookAtZone

WHERE = "/api/dns/zones"


@pytest.fixture(scope="module")
async def pair(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    async with name_pair(tmp_path_factory.mktemp("pair")) as made:
        yield made


def served(deps: Deps, pool: str, *names: str) -> list[Any]:
    return [activity for activity in POOLS[pool].activities(deps) if activity.__name__ in names]


@pytest.fixture
async def world(
    temporal_env: WorkflowEnvironment, db: Database, keys: KeyRing, pair: Pair, pg_url: str
) -> AsyncIterator[World]:
    """Signed in as an administrator; new zones are of the kind that tells its secondaries."""
    client, deps = temporal_env.client, deps_of(db, keys, pair)
    settings = make_settings(pg_url, dns_zone_kind="Primary")
    app = create_app(settings, db=db, temporal=client)
    async with contextlib.AsyncExitStack() as stack:
        for queue, workflows, activities in (
            (ids.RUNS_QUEUE, [ChangeZone, LookAtZone], served(deps, "runs", "next_change", "fail_change")),
            (ids.EDGE_QUEUE, [], served(deps, "edge", "change_zone", "look_at_zone")),
        ):
            worker = Worker(client, task_queue=queue, workflows=workflows, activities=activities,
                            workflow_runner=sandbox_runner())  # fmt: skip
            await stack.enter_async_context(worker)
        await stack.enter_async_context(app.router.lifespan_context(app))
        transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 50000))
        http = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://slipway.test"))
        made = World(app, http, db, StandInTemporal(), settings)
        await made.sign_in()
        yield made


async def finished(world: World, answer: httpx.Response) -> dict[str, Any]:
    """The change as it ended; on a busy machine the answer came before its end."""
    assert answer.status_code in (200, 201, 202), answer.text
    change: dict[str, Any] = answer.json()["change"]
    for _ in range(600):
        if change["state"] != "waiting":
            return change
        await asyncio.sleep(0.1)
        change = (await world.client.get(answer.headers["location"])).json()["change"]
    raise AssertionError(f"{change} did not end")


async def test_a_zone_and_its_records_live_and_end_over_http(world: World, pair: Pair) -> None:
    name = f"z{uuid.uuid4().hex[:8]}.test"
    await copied(pair, name)
    answer = await world.client.post(WHERE, json={"name": name})
    assert (await finished(world, answer))["state"] == "published"
    zone = (await world.client.get(WHERE, params={"q": name})).json()["zones"][0]
    assert (zone["status"], zone["kind"]) == ("ACTIVE", "Primary")
    records = f"{WHERE}/{zone['id']}/records"

    for asked in (
        {"name": "www", "type": "A", "values": ["192.0.2.1", "192.0.2.2"], "ttl": 300},
        {"name": "@", "type": "MX", "content": "mail.example.org.", "priority": 10},
        {"name": "@", "type": "TXT", "content": 'größe; "quoted"'},
    ):
        change = await finished(world, await world.client.put(records, json=asked))
        assert change["state"] == "published", change
        assert all(server in change["message"] for server in pair.servers)
    for server in pair.servers:
        assert (await ask(server, f"www.{name}", "A")).values == ("192.0.2.1", "192.0.2.2")
        assert (await ask(server, name, "TXT")).values == ('größe; "quoted"',)

    body = (await world.client.get(records, params={"check": "true"})).json()
    assert {one["type"]: one["in_sync"] for one in body["records"]} == {"MX": True, "TXT": True, "A": True}
    assert (body["check"]["behind"], body["check"]["unlisted"]) == ("", [])

    gone = await world.client.delete(records, params={"name": "www", "type": "A"})
    assert (await finished(world, gone))["state"] == "published"
    assert [(await ask(server, f"www.{name}", "A")).values for server in pair.servers] == [(), ()]

    await pair.secondary.zones.remove(name, owner="copies")
    ended = await world.client.delete(f"{WHERE}/{zone['id']}", params={"confirm": name})
    assert (await finished(world, ended))["state"] == "published"
    shown = (await world.client.get(f"{WHERE}/{zone['id']}")).json()["zone"]
    assert shown["status"] == "REMOVED"
    assert "mail.example.org" in shown["last_export"]
    assert await pair.primary.zones.read(name) is None


async def test_a_foreign_zone_is_refused_over_http_and_left_alone(world: World, pair: Pair) -> None:
    name = f"z{uuid.uuid4().hex[:8]}.test"
    await pair.zone(name, owner="0192f0c1-7d2a-7000-8000-00000000ffff")
    answer = await world.client.post(WHERE, json={"name": name})
    if answer.status_code == 202:
        assert (await finished(world, answer))["trouble"] == "Conflict"
    else:
        assert (answer.status_code, "belongs to" in answer.json()["message"]) == (409, True)
    found = await pair.primary.zones.read(name)
    assert found is not None
    assert found.owner == owner_token("0192f0c1-7d2a-7000-8000-00000000ffff")
