"""A change and its line of the audit log are there together or not at all, and a line says what became of the act."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from db.queries import audit, tenants
from tests.api.world import World


async def made(world: World) -> str:
    name = f"t{uuid.uuid4().hex[:10]}"
    answer = await world.client.post("/api/tenants", json={"slug": name, "name": name})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["tenant"]["id"])


async def rename(world: World, tenant: str, name: str) -> int:
    return (await world.client.patch(f"/api/tenants/{tenant}", json={"name": name})).status_code


async def lines(world: World, tenant: str) -> list[tuple[str, Any]]:
    answer = await world.client.get("/api/audit", params={"target_id": tenant, "action": "tenant.update"})
    return [(entry["outcome"], entry["details"].get("code")) for entry in answer.json()["entries"]]


async def name_of(world: World, tenant: str) -> str:
    listed = (await world.client.get("/api/tenants", params={"limit": 100})).json()["tenants"]
    return str(next(one["name"] for one in listed if one["id"] == tenant))


async def test_a_change_that_cannot_be_written_down_is_not_made(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = await made(world)
    before = await name_of(world, tenant)

    async def full(*args: object, **details: object) -> None:
        raise RuntimeError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr(audit, "record", full)
        assert await rename(world, tenant, "Another") == 500
    assert await name_of(world, tenant) == before
    assert await lines(world, tenant) == []


async def test_an_act_that_failed_for_an_unforeseen_reason_is_not_called_done(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = await made(world)

    def broken(*args: object) -> None:
        raise RuntimeError("nobody thought of this")

    with monkeypatch.context() as patched:
        patched.setattr(tenants, "change", broken)
        assert await rename(world, tenant, "Another") == 500
    assert await lines(world, tenant) == [("unavailable", "UNKNOWN_ERROR")]


async def test_what_is_refused_leaves_a_line_and_no_change(world: World) -> None:
    nobody = str(uuid.uuid4())
    assert await rename(world, nobody, "Another") == 404
    assert await lines(world, nobody) == [("refused", "NOT_FOUND")]
