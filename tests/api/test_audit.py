"""The audit log as administrators and supporters read it."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db.queries import audit
from db.queries.audit import Actor
from domain.statuses import Role
from tests.api.world import World

KEYS = {"id", "at", "actor", "role", "action", "target_type", "target_id", "outcome", "request_id", "ip", "details"}


async def read(world: World, path: str = "/api/audit", **query: Any) -> dict[str, Any]:
    answer = await world.client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def write(world: World, actor: str, *outcomes: str, action: str = "thing.do") -> str:
    target = uuid.uuid4().hex
    for number, outcome in enumerate(outcomes):
        async with world.db.begin() as session:
            who = Actor(actor, "OPERATOR", f"r{number}", "192.0.2.1")
            await audit.record(session, who, action, "thing", target, outcome=outcome, number=number)
    return target


async def test_entries_are_whole_and_newest_first(world: World) -> None:
    target = await write(world, "olga", "ok", "refused", "ok")
    told = await read(world, target_id=target)
    assert [entry["details"]["number"] for entry in told["entries"]] == [2, 1, 0]
    assert set(told["entries"][0]) == KEYS
    assert told["entries"][1]["outcome"] == "refused"
    assert told["entries"][0]["at"].endswith("Z")


async def test_pages_follow_one_another(world: World) -> None:
    target = await write(world, "olga", "ok", "ok", "ok")
    told = await read(world, target_id=target, page=2, limit=2)
    assert [entry["details"]["number"] for entry in told["entries"]] == [0]
    assert told["pagination"] == {
        "page": 2, "limit": 2, "total": 3, "totalPages": 2, "hasNext": False, "hasPrev": True,
    }  # fmt: skip


async def test_each_filter_leaves_the_others_out(world: World) -> None:
    name, other = uuid.uuid4().hex, uuid.uuid4().hex
    target = await write(world, name, "ok", "refused", action="thing.one")
    await write(world, other, "ok", action="thing.two")
    for query, count in (
        ({"actor": name}, 2), ({"actor": name, "outcome": "refused"}, 1), ({"actor": name, "action": "thing.two"}, 0),
        ({"target_type": "thing", "target_id": target}, 2), ({"target_type": "other", "target_id": target}, 0),
        ({"user_id": other}, 1),
    ):  # fmt: skip
        assert (await read(world, **query))["pagination"]["total"] == count, query


async def test_time_bounds_are_utc_unless_they_say_otherwise(world: World) -> None:
    target = await write(world, "olga", "ok")
    now = datetime.now(UTC)
    before, after = now - timedelta(hours=1), now + timedelta(hours=1)
    for query, count in (
        ({"from": before.isoformat()}, 1), ({"from": before.replace(tzinfo=None).isoformat()}, 1),
        ({"from": after.isoformat()}, 0), ({"to": before.isoformat()}, 0),
        ({"from": before.isoformat(), "to": after.isoformat()}, 1),
    ):  # fmt: skip
        assert (await read(world, target_id=target, **query))["pagination"]["total"] == count, query


async def test_an_actor_is_found_by_id_also_after_deletion(world: World) -> None:
    boss = world.token
    await world.sign_in(Role.ADMINISTRATOR)
    ref, name = world.session["user"]["id"], world.username
    await world.client.put("/api/auth/profile", json={"name": "Somebody"})
    world.client.headers["Authorization"] = f"Bearer {boss}"
    before = await read(world, user_id=ref)
    assert {entry["actor"] for entry in before["entries"]} == {name}
    assert (await world.client.delete(f"/api/users/{ref}")).status_code == 200
    after = await read(world, actor=ref)
    assert after["entries"] == before["entries"]


async def test_the_documented_address_says_the_same(world: World) -> None:
    target = await write(world, "olga", "ok")
    told = [await read(world, path, target_id=target) for path in ("/api/audit", "/api/logs/audit")]
    assert told[0]["entries"] == told[1]["entries"]


@pytest.mark.parametrize(
    ("query", "field"),
    [({"outcome": "maybe"}, "outcome"), ({"from": "yesterday"}, "from"), ({"to": "x"}, "to"), ({"page": 0}, "page"),
     ({"limit": 101}, "limit"), ({"actor": "a\x00b"}, "actor"), ({"target_id": "a\x00"}, "target_id"),
     ({"action": ""}, "action"), ({"actor": "a", "user_id": "b"}, "user_id"),
     ({"from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "from")],
)  # fmt: skip
async def test_a_filter_that_cannot_be_is_named(world: World, query: dict[str, Any], field: str) -> None:
    answer = await world.client.get("/api/audit", params=query)
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, "VALIDATION_ERROR", field)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("path", ["/api/audit", "/api/logs/audit"])
async def test_is_for_administrators_and_support(world: World, role: Role, path: str) -> None:
    await world.sign_in(role)
    allowed = role in (Role.ADMINISTRATOR, Role.SUPPORT)
    assert (await world.client.get(path)).status_code == (200 if allowed else 403)


async def test_an_id_that_no_text_can_hold_is_not_found_and_audited(world: World) -> None:
    provider = {"name": uuid.uuid4().hex, "type": "linode", "api_key": "t0ken"}
    made = (await world.client.post("/api/admin/providers", json=provider)).json()["provider"]["id"]
    answer = await world.client.delete(f"/api/admin/providers/{made}/plans/%00")
    assert answer.status_code == 404, answer.text
    told = await read(world, action="plan.delete", outcome="refused")
    assert told["entries"][0]["target_id"] == ""
