"""Products and prices: who may see and change them, and that a price that was sold stays what it was."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from api.product_cache import ProductCache
from db.models_shop import Price
from domain.statuses import Role
from tests.api.world import World

MONTHLY = {"interval": "month", "amount": 499, "currency": "EUR", "limits": {"disk_mb": 10_000}}


def product(**changes: Any) -> dict[str, Any]:
    slug = f"web-{uuid.uuid4().hex[:10]}"
    return {"name": f"Web {slug}", "slug": slug, "type": "hosting", "prices": [MONTHLY]} | changes


async def post(world: World, body: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
    return await world.client.post("/api/products", json=body or product(), headers=headers)


async def made(world: World, **changes: Any) -> dict[str, Any]:
    answer = await post(world, product(**changes))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()["product"]
    return found


async def patch(world: World, ref: str, **body: Any) -> httpx.Response:
    return await world.client.patch(f"/api/products/{ref}", json=body)


async def on_sale(world: World) -> dict[str, dict[str, Any]]:
    answer = await world.client.get("/api/public/products", headers={"Authorization": ""})
    assert answer.status_code == 200, answer.text
    return {row["slug"]: row for row in answer.json()["products"]}


class TestAccess:
    @pytest.mark.parametrize("role", list(Role))
    async def test_administrators_write_and_billing_reads(self, world: World, role: Role) -> None:
        ref = (await made(world))["id"]
        await world.sign_in(role)
        reads = {Role.ADMINISTRATOR: 200, Role.BILLING: 200}.get(role, 403)
        for path in ("/api/products", f"/api/products/{ref}"):
            assert (await world.client.get(path)).status_code == reads
        writes = role is Role.ADMINISTRATOR
        assert (await post(world)).status_code == (201 if writes else 403)
        assert (await patch(world, ref, name="Other")).status_code == (200 if writes else 403)
        assert (await world.client.delete(f"/api/products/{ref}")).status_code == (200 if writes else 403)

    async def test_without_a_token_only_the_public_list_is_shown(self, world: World) -> None:
        del world.client.headers["Authorization"]
        assert (await world.client.get("/api/products")).status_code == 401
        assert (await post(world)).status_code == 401
        assert (await world.client.get("/api/public/products")).status_code == 200


class TestCreation:
    async def test_answers_with_the_product_and_where_it_is(self, world: World) -> None:
        answer = await post(world, product(description="One site\nwith mail"))
        row = answer.json()["product"]
        assert answer.headers["location"] == f"/api/products/{row['id']}"
        assert (await world.client.get(answer.headers["location"])).json()["product"] == row
        (price,) = row["prices"]
        assert {name: price[name] for name in MONTHLY} == MONTHLY

    async def test_a_repeat_with_its_key_creates_nothing(self, world: World) -> None:
        body, key = product(), uuid.uuid4().hex
        first, again = [await post(world, body, **{"Idempotency-Key": key}) for _ in range(2)]
        assert (first.status_code, again.status_code) == (201, 201)
        assert first.json()["product"] == again.json()["product"]
        assert again.headers["idempotent-replay"] == "true"
        other = await post(world, product(), **{"Idempotency-Key": key})
        assert (other.status_code, other.json()["code"]) == (409, "IDEMPOTENCY_MISMATCH")

    async def test_of_two_with_one_slug_one_is_made(self, world: World) -> None:
        body = product()
        answers = await asyncio.gather(*(post(world, body) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
        assert {answer.json().get("field") for answer in answers} == {None, "slug"}

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"slug": "No"}, "slug"),
            ({"type": "boat"}, "type"),
            ({"name": ""}, "name"),
            ({"prices": [MONTHLY | {"amount": 4.99}]}, "prices.0.amount"),
            ({"prices": [MONTHLY | {"amount": -1}]}, "prices.0.amount"),
            ({"prices": [MONTHLY | {"limits": {"cpu": 1}}]}, "prices.0.limits.cpu"),
            ({"prices": [MONTHLY, MONTHLY]}, "prices"),
        ],
    )
    async def test_what_is_wrong_is_named(self, world: World, changes: dict[str, Any], field: str) -> None:
        answer = await post(world, product(**changes))
        assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_ERROR")
        assert answer.json()["field"] == field


class TestChange:
    async def test_a_new_amount_is_a_new_price_and_the_old_one_stays_what_it_was(self, world: World) -> None:
        row = await made(world)
        answer = await patch(world, row["id"], prices=[MONTHLY | {"amount": 599}])
        new, old = answer.json()["product"]["prices"]
        assert (new["amount"], new["active"], old["amount"], old["active"]) == (599, True, 499, False)
        assert old["id"] == row["prices"][0]["id"]

    async def test_equal_prices_are_left_alone(self, world: World) -> None:
        row = await made(world)
        answer = await patch(world, row["id"], prices=[MONTHLY])
        assert answer.json()["product"]["prices"] == row["prices"]

    async def test_changes_at_once_leave_one_living_price(self, world: World) -> None:
        row = await made(world)
        tries = (patch(world, row["id"], prices=[MONTHLY | {"amount": 600 + number}]) for number in range(4))
        assert {answer.status_code for answer in await asyncio.gather(*tries)} == {200}
        async with world.db.begin() as session:
            query = select(Price).where(Price.product_id == uuid.UUID(row["id"]))
            prices = list((await session.execute(query)).scalars())
        assert (len(prices), sum(price.active for price in prices)) == (5, 1)

    async def test_prices_end_only_where_they_are_this_products(self, world: World) -> None:
        row, other = await made(world), await made(world)
        refused = await patch(world, row["id"], prices_removed=[other["prices"][0]["id"]])
        assert (refused.status_code, refused.json()["field"]) == (422, "prices_removed")
        done = await patch(world, row["id"], prices_removed=[row["prices"][0]["id"]])
        assert [price["active"] for price in done.json()["product"]["prices"]] == [False]

    async def test_the_audit_says_which_fields_changed(self, world: World) -> None:
        row = await made(world)
        await patch(world, row["id"], name=row["name"], description="new")
        (entry,) = [entry for entry in await world.audit("product.update") if entry.target_id == row["id"]]
        assert entry.details == {"fields": ["description"]}

    async def test_a_deleted_product_is_gone_and_its_slug_taken(self, world: World) -> None:
        row = await made(world)
        assert (await world.client.delete(f"/api/products/{row['id']}")).status_code == 200
        assert (await world.client.delete(f"/api/products/{row['id']}")).status_code == 404
        again = await post(world, product(slug=row["slug"]))
        assert (again.status_code, again.json()["field"]) == (409, "slug")


class TestPublicList:
    async def test_hides_what_is_not_sold(self, world: World) -> None:
        sold, hidden = await made(world), await made(world, active=False)
        await patch(world, sold["id"], prices=[MONTHLY | {"amount": 700}])
        listed = await on_sale(world)
        assert hidden["slug"] not in listed
        assert [price["amount"] for price in listed[sold["slug"]]["prices"]] == [700]
        assert set(listed[sold["slug"]]) == {"id", "name", "slug", "type", "description", "prices"}

    async def test_a_write_is_seen_at_once(self, world: World) -> None:
        await on_sale(world)
        row = await made(world)
        assert row["slug"] in await on_sale(world)
        await world.client.delete(f"/api/products/{row['id']}")
        assert row["slug"] not in await on_sale(world)

    async def test_an_unchanged_list_is_not_sent_again(self, world: World) -> None:
        await made(world)
        first = await world.client.get("/api/public/products")
        same = await world.client.get("/api/public/products", headers={"If-None-Match": first.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")
        await made(world)
        changed = await world.client.get("/api/public/products", headers={"If-None-Match": first.headers["etag"]})
        assert changed.status_code == 200

    async def test_a_list_read_before_a_write_does_not_outlive_it(self) -> None:
        cache = ProductCache()

        async def read_while_somebody_writes() -> bytes:
            with cache.writing():
                return b'{"products":[]}'

        async def read() -> bytes:
            return b'{"products":[1]}'

        await cache.get(read_while_somebody_writes)
        assert (await cache.get(read)).fragment == b'{"products":[1]}'


class TestPages:
    async def test_search_and_filters_narrow_the_list(self, world: World) -> None:
        row = await made(world, type="mail")
        for query, count in (({}, 1), ({"type": "mail"}, 1), ({"type": "dns"}, 0), ({"active": False}, 0)):
            answer = await world.client.get("/api/products", params={"search": row["slug"]} | query)
            assert answer.json()["pagination"]["total"] == count, query
        assert (await world.client.get("/api/products", params={"limit": 0})).status_code == 422
