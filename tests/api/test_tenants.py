"""Tenants over the API: made, renamed, closed; their slug stays."""

from __future__ import annotations

import uuid

import pytest

from tests.api.world import INTERNAL_KEY, World
from tests.sales import open_shop


def a_slug() -> str:
    return f"brand-{uuid.uuid4().hex[:8]}"


async def test_is_made_found_and_listed(world: World) -> None:
    slug = a_slug()
    answer = await world.client.post("/api/tenants", json={"slug": slug, "name": "Brand"})
    assert answer.status_code == 201
    made = answer.json()["tenant"]
    assert (made["slug"], made["name"], made["is_active"]) == (slug, "Brand", True)
    assert (await world.client.get(answer.headers["location"])).json()["tenant"] == made
    listed = (await world.client.get("/api/tenants", params={"limit": 100})).json()
    assert made in listed["tenants"]
    assert [one.target_id for one in await world.audit("tenant.create")][-1] == made["id"]


async def test_a_slug_is_taken_once(world: World) -> None:
    body = {"slug": a_slug(), "name": "Brand"}
    await world.client.post("/api/tenants", json=body)
    answer = await world.client.post("/api/tenants", json=body)
    assert (answer.status_code, answer.json()["field"]) == (409, "slug")


async def test_one_that_is_closed_takes_no_orders_until_it_is_opened_again(world: World) -> None:
    shop = await open_shop(world.db)
    where = f"/api/tenants/{shop.tenant.id}"
    body, key = shop.body(), {"x-internal-key": INTERNAL_KEY}
    for active, status in ((False, 422), (True, 201)):
        answer = await world.client.patch(where, json={"isActive": active, "name": "Renamed"})
        assert (answer.json()["tenant"]["is_active"], answer.json()["tenant"]["name"]) == (active, "Renamed")
        assert (await world.client.post("/api/orders", json=body, headers=key)).status_code == status
    assert (await world.audit("tenant.update"))[-1].details["fields"] == ["is_active"]


@pytest.mark.parametrize("body", [{}, {"slug": "new-slug"}, {"name": ""}, {"isActive": "perhaps"}])
async def test_what_cannot_be_changed_is_422(world: World, body: dict[str, object]) -> None:
    shop = await open_shop(world.db)
    assert (await world.client.patch(f"/api/tenants/{shop.tenant.id}", json=body)).status_code == 422


async def test_one_that_is_not_there_is_404(world: World) -> None:
    for ref in ("x", str(uuid.uuid4())):
        assert (await world.client.get(f"/api/tenants/{ref}")).status_code == 404
        assert (await world.client.patch(f"/api/tenants/{ref}", json={"name": "x"})).status_code == 404
