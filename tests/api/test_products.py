"""Products and prices: who may, what is refused, a price that was sold stays, and a public list that is never stale."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, func, select

from api import product_schemas
from api.product_cache import KEEP_SECONDS, ProductCache
from db.models_shop import Price, Product
from domain.statuses import Role
from tests.api.conftest import MakeWorld
from tests.api.world import World

WHERE = "/api/products"
PUBLIC = "/api/public/products"
ENVELOPE = {"success", "timestamp", "statusCode", "request_id"}
MONTHLY: dict[str, Any] = {"interval": "month", "amount": 499, "currency": "EUR", "limits": {"disk_mb": 10_000}}
YEARLY: dict[str, Any] = {"interval": "year", "amount": 4990, "currency": "EUR", "limits": {}}


@pytest.fixture(autouse=True)
async def empty(world: World) -> None:
    async with world.db.begin() as session:
        await session.execute(delete(Price))
        await session.execute(delete(Product))


def body(**changes: Any) -> dict[str, Any]:
    slug = f"p{uuid.uuid4().hex[:10]}"
    return {"name": f"Product {slug}", "slug": slug, "type": "hosting", "prices": [MONTHLY]} | changes


async def made(world: World, **changes: Any) -> dict[str, Any]:
    answer = await world.client.post(WHERE, json=body(**changes))
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["product"])


async def row_of(world: World, ref: str) -> Product:
    async with world.db.begin() as session:
        return await session.get_one(Product, uuid.UUID(ref))


async def changed(world: World, ref: str, **changes: Any) -> dict[str, Any]:
    answer = await world.client.patch(f"{WHERE}/{ref}", json=changes)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["product"])


async def on_sale(world: World) -> list[dict[str, Any]]:
    answer = await world.client.get(PUBLIC)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["products"])


def said(answer: httpx.Response) -> tuple[int, str | None, str | None]:
    return answer.status_code, answer.json().get("code"), answer.json().get("field")


def bare(price: dict[str, Any]) -> dict[str, Any]:
    return {name: price[name] for name in MONTHLY}


def living(product: dict[str, Any]) -> list[dict[str, Any]]:
    return [bare(price) for price in product["prices"] if price["active"]]


class TestDocumented:
    async def test_examples_are_taken_and_answered_as_documented(self, world: World) -> None:
        answer = await world.client.post(WHERE, json=product_schemas.CREATE_REQUEST)
        assert answer.status_code == 201
        shown = answer.json()
        assert shown.keys() == product_schemas.PRODUCT_REPLY.keys() | ENVELOPE
        documented = product_schemas.PRODUCT_REPLY["product"]
        assert shown["product"].keys() == documented.keys()
        assert shown["product"]["prices"][0].keys() == documented["prices"][0].keys()
        for name in ("name", "slug", "type", "description", "active"):
            assert shown["product"][name] == documented[name]
        assert answer.headers["location"] == f"{WHERE}/{shown['product']['id']}"
        assert (await world.client.get(answer.headers["location"])).json()["product"] == shown["product"]

        listed = (await world.client.get(WHERE)).json()
        assert listed.keys() == product_schemas.PAGE_REPLY.keys() | ENVELOPE
        assert listed["pagination"] == product_schemas.PAGE_REPLY["pagination"]
        assert listed["products"] == [shown["product"]]

        public = (await world.client.get(PUBLIC)).json()
        assert public.keys() == product_schemas.PUBLIC_REPLY.keys() | ENVELOPE
        example = product_schemas.PUBLIC_REPLY["products"][0]
        assert public["products"][0].keys() == example.keys()
        assert public["products"][0]["prices"][0] == example["prices"][0] | {"id": shown["product"]["prices"][0]["id"]}

        after = await changed(world, shown["product"]["id"], **product_schemas.CHANGE_REQUEST)
        assert living(after) == [{"interval": "month", "amount": 599, "currency": "EUR", "limits": {}}]

    async def test_camel_case_is_taken_too(self, world: World) -> None:
        product = await made(world, prices=[MONTHLY | {"limits": {"diskMb": 5, "mailboxMb": 6}}])
        assert product["prices"][0]["limits"] == {"disk_mb": 5, "mailbox_mb": 6}
        after = await changed(world, product["id"], pricesRemoved=[product["prices"][0]["id"]])
        assert living(after) == []


class TestWhoMay:
    SOME = f"{WHERE}/{uuid.uuid4()}"
    READS = (("GET", WHERE, None), ("GET", SOME, None))
    WRITES = (("POST", WHERE, body()), ("PATCH", SOME, {"active": False}), ("DELETE", SOME, None))

    async def test_without_a_token_only_the_public_list_is_shown(self, make_world: MakeWorld) -> None:
        world = await make_world()
        for method, path, sent in self.READS + self.WRITES:
            assert said(await world.client.request(method, path, json=sent))[:2] == (401, "UNAUTHENTICATED")
        assert (await world.client.get(PUBLIC)).status_code == 200

    @pytest.mark.parametrize("role", [Role.OPERATOR, Role.BILLING, Role.SUPPORT, Role.USER])
    async def test_only_administrators_write_and_billing_reads(self, make_world: MakeWorld, role: Role) -> None:
        world = await make_world()
        await world.sign_in(role)
        for method, path, sent in self.WRITES:
            assert said(await world.client.request(method, path, json=sent))[:2] == (403, "FORBIDDEN"), (method, path)
        statuses = [(await world.client.request(method, path)).status_code for method, path, _ in self.READS]
        assert statuses == ([200, 404] if role is Role.BILLING else [403, 403])

    async def test_the_public_list_is_counted_per_address(self, make_world: MakeWorld) -> None:
        world = await make_world("192.0.2.77", rate_limit_max_requests=2)
        statuses = [(await world.client.get(PUBLIC)).status_code for _ in range(3)]
        assert statuses == [200, 200, 429]


class TestPages:
    async def test_pages_filters_and_search(self, world: World) -> None:
        first = await made(world, name="Alpha 100%", type="mail")
        second = await made(world, name="Beta", active=False)
        third = await made(world, name="Gamma", description="of alpha quality")

        async def found(query: str) -> list[str]:
            return [row["id"] for row in (await world.client.get(f"{WHERE}?{query}")).json()["products"]]

        assert await found("") == [third["id"], second["id"], first["id"]]
        assert await found("limit=2&page=2") == [first["id"]]
        assert await found("search=ALPHA") == [third["id"], first["id"]]
        assert await found("search=0%25") == [first["id"]]
        assert await found(f"search={second['slug']}") == [second["id"]]
        assert await found("type=mail") == [first["id"]]
        assert await found("active=false") == [second["id"]]
        assert (await world.client.get(f"{WHERE}?limit=2&page=1")).json()["pagination"] == {
            "page": 1, "limit": 2, "total": 3, "totalPages": 2, "hasNext": True, "hasPrev": False}  # fmt: skip

    @pytest.mark.parametrize(
        ("query", "field"), [("limit=101", "limit"), ("page=0", "page"), ("type=car", "type"), ("search=%00", "search")]
    )
    async def test_a_wrong_question_names_its_field(self, world: World, query: str, field: str) -> None:
        assert said(await world.client.get(f"{WHERE}?{query}")) == (422, "VALIDATION_ERROR", field)


class TestCreating:
    async def test_a_repeat_with_the_same_key_is_answered_alike_and_makes_nothing(self, world: World) -> None:
        asked, headers = body(), {"Idempotency-Key": uuid.uuid4().hex}
        first = await world.client.post(WHERE, json=asked, headers=headers)
        again = await world.client.post(WHERE, json=asked, headers=headers)
        assert (again.status_code, again.json()["product"]) == (201, first.json()["product"])
        assert again.headers["idempotent-replay"] == "true"
        assert again.headers["location"] == first.headers["location"]
        other = await world.client.post(WHERE, json=body(), headers=headers)
        assert said(other) == (409, "IDEMPOTENCY_MISMATCH", "Idempotency-Key")
        async with world.db.begin() as session:
            assert (await session.execute(select(func.count()).select_from(Product))).scalar_one() == 1

    async def test_a_slug_is_taken_for_ever(self, world: World) -> None:
        product = await made(world, slug="web-small")
        assert said(await world.client.post(WHERE, json=body(slug="web-small"))) == (409, "CONFLICT", "slug")
        await world.client.delete(f"{WHERE}/{product['id']}")
        assert said(await world.client.post(WHERE, json=body(slug="web-small"))) == (409, "CONFLICT", "slug")

    async def test_two_at_once_with_one_slug_make_one_product(self, world: World) -> None:
        asked = body()
        answers = await asyncio.gather(*(world.client.post(WHERE, json=asked) for _ in range(2)))
        assert sorted(answer.status_code for answer in answers) == [201, 409]

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"name": " "}, "name"),
            ({"slug": "No Slug"}, "slug"),
            ({"type": "car"}, "type"),
            ({"description": "a\u0000b"}, "description"),
            ({"colour": "red"}, "colour"),
            ({"prices": [MONTHLY | {"interval": "week"}]}, "prices.0.interval"),
            ({"prices": [MONTHLY | {"amount": -1}]}, "prices.0.amount"),
            ({"prices": [MONTHLY | {"amount": 4.99}]}, "prices.0.amount"),
            ({"prices": [MONTHLY | {"amount": "499"}]}, "prices.0.amount"),
            ({"prices": [MONTHLY | {"amount": 100_000_001}]}, "prices.0.amount"),
            ({"prices": [MONTHLY | {"currency": "euro"}]}, "prices.0.currency"),
            ({"prices": [MONTHLY, YEARLY | {"limits": {"disk_gb": 1}}]}, "prices.1.limits.disk_gb"),
            ({"prices": [MONTHLY | {"limits": {"diskMb": -1}}]}, "prices.0.limits.disk_mb"),
            ({"prices": [MONTHLY, MONTHLY | {"amount": 1}]}, "prices"),
        ],
    )
    async def test_what_is_wrong_is_named_by_its_field(self, world: World, changes: dict[str, Any], field: str) -> None:
        assert said(await world.client.post(WHERE, json=body(**changes))) == (422, "VALIDATION_ERROR", field)


class TestChanging:
    async def test_a_replaced_price_stays_as_it_was_sold_and_is_inactive(self, world: World) -> None:
        product = await made(world, prices=[MONTHLY, YEARLY])
        before = {price["id"]: price for price in product["prices"]}
        before_change = (await row_of(world, product["id"])).updated_at
        dearer = MONTHLY | {"amount": 599}
        after = await changed(world, product["id"], prices=[dearer])
        assert living(after) == [dearer, YEARLY]
        old = [price for price in after["prices"] if not price["active"]]
        assert [bare(price) for price in old] == [MONTHLY]
        assert old[0] == before[old[0]["id"]] | {"active": False}
        assert (await row_of(world, product["id"])).updated_at > before_change

    async def test_other_limits_are_another_price(self, world: World) -> None:
        product = await made(world)
        more = MONTHLY | {"limits": {"disk_mb": 20_000}}
        after = await changed(world, product["id"], prices=[more])
        assert living(after) == [more]
        assert len(after["prices"]) == 2

    async def test_equal_values_leave_a_price_alone(self, world: World) -> None:
        product = await made(world, prices=[MONTHLY, YEARLY])
        after = await changed(world, product["id"], prices=[MONTHLY], name=product["name"])
        assert after == product
        assert (await world.audit("product.update"))[-1].details == {"fields": []}

    async def test_what_the_payment_service_calls_a_price_may_be_told_once_without_ending_it(
        self, world: World
    ) -> None:
        product = await made(world)
        (before,) = product["prices"]
        assert before["stripe_price_id"] is None
        (named,) = (await changed(world, product["id"], prices=[MONTHLY | {"stripe_price_id": "price_1"}]))["prices"]
        assert named == before | {"stripe_price_id": "price_1"}
        assert (await changed(world, product["id"], prices=[MONTHLY]))["prices"] == [named]
        after = (await changed(world, product["id"], prices=[MONTHLY | {"stripePriceId": "price_2"}]))["prices"]
        assert [(price["stripe_price_id"], price["active"]) for price in after] == [
            ("price_2", True),
            ("price_1", False),
        ]

    async def test_another_currency_stands_beside(self, world: World) -> None:
        product = await made(world)
        dollars = MONTHLY | {"currency": "USD"}
        assert living(await changed(world, product["id"], prices=[dollars])) == [MONTHLY, dollars]

    async def test_a_removed_price_ends_and_may_come_back_as_another(self, world: World) -> None:
        product = await made(world)
        ref = product["prices"][0]["id"]
        assert living(await changed(world, product["id"], prices_removed=[ref])) == []
        again = await world.client.patch(f"{WHERE}/{product['id']}", json={"prices_removed": [ref]})
        assert said(again) == (422, "VALIDATION_ERROR", "prices_removed")
        back = await changed(world, product["id"], prices=[MONTHLY])
        assert living(back) == [MONTHLY]
        assert len(back["prices"]) == 2

    async def test_a_price_of_another_product_cannot_be_removed(self, world: World) -> None:
        product, other = await made(world), await made(world)
        answer = await world.client.patch(
            f"{WHERE}/{product['id']}", json={"name": "New", "prices_removed": [other["prices"][0]["id"]]}
        )
        assert said(answer) == (422, "VALIDATION_ERROR", "prices_removed")
        unchanged = (await world.client.get(f"{WHERE}/{product['id']}")).json()["product"]
        assert unchanged["name"] == product["name"]

    async def test_two_changes_of_one_price_at_once_leave_one_that_lives(self, world: World) -> None:
        product = await made(world)
        path = f"{WHERE}/{product['id']}"
        answers = await asyncio.gather(
            *(world.client.patch(path, json={"prices": [MONTHLY | {"amount": amount}]}) for amount in (600, 700))
        )
        assert {answer.status_code for answer in answers} <= {200, 409}
        async with world.db.begin() as session:
            rows = (await session.execute(select(Price).where(Price.active))).scalars().all()
        assert len(rows) == 1
        assert rows[0].amount_cents in (600, 700)

    @pytest.mark.parametrize(
        ("asked", "field"),
        [({}, None), ({"slug": "other"}, "slug"), ({"type": "vps"}, "type"), ({"prices_removed": ["x"]},
         "prices_removed.0"), ({"prices": [{"interval": "month"}]}, "prices.0.amount")],
    )  # fmt: skip
    async def test_what_cannot_change_is_refused(self, world: World, asked: dict[str, Any], field: str | None) -> None:
        ref = (await made(world))["id"]
        assert said(await world.client.patch(f"{WHERE}/{ref}", json=asked)) == (422, "VALIDATION_ERROR", field)

    async def test_what_is_not_there_is_404(self, world: World) -> None:
        for ref in (str(uuid.uuid4()), "no-id", "%00"):
            for method, sent in (("GET", None), ("PATCH", {"active": False}), ("DELETE", None)):
                answer = await world.client.request(method, f"{WHERE}/{ref}", json=sent)
                assert said(answer) == (404, "NOT_FOUND", None)


class TestDeleting:
    async def test_a_deleted_product_is_gone_and_its_row_and_prices_stay_inactive(self, world: World) -> None:
        ref = (await made(world))["id"]
        assert (await world.client.delete(f"{WHERE}/{ref}")).status_code == 200
        assert said(await world.client.delete(f"{WHERE}/{ref}"))[:2] == (404, "NOT_FOUND")
        assert said(await world.client.patch(f"{WHERE}/{ref}", json={"active": True}))[:2] == (404, "NOT_FOUND")
        assert (await world.client.get(WHERE)).json()["products"] == []
        async with world.db.begin() as session:
            prices = (await session.execute(select(Price))).scalars().all()
        row = await row_of(world, ref)
        assert (row.active, row.deleted_at is not None, [price.active for price in prices]) == (False, True, [False])

    async def test_each_act_leaves_an_audit_row_that_names_what_changed(self, world: World) -> None:
        ref = (await made(world))["id"]
        await changed(world, ref, name="Another", active=True, prices=[YEARLY])
        await world.client.delete(f"{WHERE}/{ref}")
        await world.client.delete(f"{WHERE}/{ref}")
        acts = [entry for action in ("create", "update", "delete") for entry in await world.audit(f"product.{action}")]
        entries = [entry for entry in acts if entry.target_id == ref]
        assert [(entry.action, entry.outcome, entry.actor) for entry in entries] == [
            ("product.create", "ok", world.username), ("product.update", "ok", world.username),
            ("product.delete", "ok", world.username), ("product.delete", "refused", world.username),
        ]  # fmt: skip
        assert entries[0].details["fields"] == ["name", "prices", "slug", "type"]
        assert entries[1].details["fields"] == ["name", "prices"]


class TestPublicList:
    async def test_what_is_inactive_is_hidden(self, world: World) -> None:
        shown = await made(world, prices=[MONTHLY, YEARLY])
        await made(world, active=False)
        await world.client.delete(f"{WHERE}/{(await made(world))['id']}")
        await changed(world, shown["id"], prices=[MONTHLY | {"amount": 1}])
        found = await on_sale(world)
        assert [row["id"] for row in found] == [shown["id"]]
        assert [bare(price) for price in found[0]["prices"]] == [MONTHLY | {"amount": 1}, YEARLY]

    async def test_every_write_is_seen_at_once(self, world: World) -> None:
        assert await on_sale(world) == []
        ref = (await made(world))["id"]
        assert [row["id"] for row in await on_sale(world)] == [ref]
        await changed(world, ref, name="Renamed")
        assert [row["name"] for row in await on_sale(world)] == ["Renamed"]
        await world.client.delete(f"{WHERE}/{ref}")
        assert await on_sale(world) == []

    async def test_what_is_unchanged_is_not_sent_again(self, world: World) -> None:
        ref = (await made(world))["id"]
        first = await world.client.get(PUBLIC)
        assert first.headers["cache-control"] == "public, no-cache"
        asked = {"If-None-Match": f'"other", {first.headers["etag"]}'}
        again = await world.client.get(PUBLIC, headers=asked)
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        await changed(world, ref, name="Renamed")
        assert (await world.client.get(PUBLIC, headers=asked)).status_code == 200

    async def test_the_database_is_asked_once_until_the_list_is_old(self) -> None:
        now, reads = [100.0], 0

        async def read() -> bytes:
            nonlocal reads
            reads += 1
            return b"{}"

        cache = ProductCache(lambda: now[0])
        for moment in (0.0, KEEP_SECONDS - 0.1, KEEP_SECONDS, KEEP_SECONDS + 1):
            now[0] = 100.0 + moment
            await cache.get(read)
        assert reads == 2

    async def test_a_list_that_was_read_before_a_write_does_not_outlive_it(self) -> None:
        cache = ProductCache()

        async def overtaken() -> bytes:
            with cache.writing():
                return b'{"products":["old"]}'

        async def read() -> bytes:
            return b'{"products":["new"]}'

        await cache.get(overtaken)
        assert (await cache.get(read)).fragment == b'{"products":["new"]}'
