"""POST /api/orders: who may tell of a payment, what comes of it, and what a repeat gets."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from db.models_sales import Order
from db.queries import orders
from domain.api_keys import Scope
from domain.fulfilment import FulfilmentOrder
from tests.api.conftest import MakeWorld
from tests.api.machines import as_machine
from tests.api.world import INTERNAL_KEY, World, temporal_is_away
from tests.sales import Shop, an_email, open_shop

KEY = {"x-internal-key": INTERNAL_KEY}


@pytest.fixture
async def shop(world: World) -> Shop:
    del world.client.headers["Authorization"]  # the marketing site has none
    return await open_shop(world.db)


async def post(world: World, body: dict[str, Any], **headers: str) -> httpx.Response:
    return await world.client.post("/api/orders", json=body, headers=KEY | headers)


async def started(world: World, payment: str) -> FulfilmentOrder:
    workflow, order, _ = world.temporal.started[f"order/{payment}"]
    assert workflow == "Fulfilment"
    assert isinstance(order, FulfilmentOrder)
    return order


class TestPlacing:
    async def test_answers_201_with_the_rows_and_starts_the_run(self, world: World, shop: Shop) -> None:
        asked = shop.body(domain="Bücher.nl.")
        answer = await post(world, asked)
        told = answer.json()
        assert (answer.status_code, told["created"]) == (201, True)
        assert answer.headers["location"] == f"/api/orders/{told['order']['id']}"
        assert told["order"] | {"domain": "xn--bcher-kva.nl", "status": "PAID", "total_amount": 995} == told["order"]
        assert told["order"]["started_at"] is None
        assert told["subscription"]["status"] == "INACTIVE"
        assert told["jobs"][0]["type"] == "FULFIL_ORDER"
        run = await started(world, asked["stripePaymentIntentId"])
        assert (run.order_id, run.subscription_id) == (told["order"]["id"], told["subscription"]["id"])
        assert run.inputs.domain == "xn--bcher-kva.nl"
        async with world.db.begin() as session:
            assert (await session.get_one(Order, uuid.UUID(told["order"]["id"]))).started_at is not None
        [line] = [one for one in await world.audit("order.create") if one.target_id == told["order"]["id"]]
        assert (line.actor, line.details["tenant"]) == ("marketing", shop.tenant.slug)

    async def test_snake_case_is_accepted_too(self, world: World, shop: Shop) -> None:
        body = shop.body()
        snake = {
            "tenant_slug": body["tenantSlug"], "price_id": body["priceId"], "customer_email": body["customerEmail"],
            "stripe_payment_intent_id": body["stripePaymentIntentId"], "domain": "",
        }  # fmt: skip
        answer = await post(world, snake)
        assert (answer.status_code, answer.json()["order"]["domain"]) == (201, None)

    async def test_with_temporal_away_the_order_is_kept_and_its_run_is_left_to_the_sweep(
        self, world: World, shop: Shop
    ) -> None:
        world.temporal.trouble = temporal_is_away()
        body = shop.body()
        assert (await post(world, body)).status_code == 201
        async with world.db.begin() as session:
            placed = await orders.of_payment(session, body["stripePaymentIntentId"])
        assert placed is not None
        assert placed.order.started_at is None
        world.temporal.trouble = None
        assert (await post(world, body)).json()["created"] is False
        await started(world, body["stripePaymentIntentId"])


class TestRepeats:
    async def test_a_repeat_gets_200_and_the_same_order(self, world: World, shop: Shop) -> None:
        body = shop.body(domain="again.nl")
        first, second = await post(world, body), await post(world, body | {"domain": "AGAIN.nl"})
        assert (second.status_code, second.json()["created"]) == (200, False)
        assert second.json()["order"]["id"] == first.json()["order"]["id"]
        assert second.headers["location"] == first.headers["location"]

    async def test_other_content_is_refused_by_the_field(self, world: World, shop: Shop) -> None:
        body = shop.body()
        await post(world, body)
        answer = await post(world, body | {"customerEmail": an_email()})
        assert answer.status_code == 409
        assert (answer.json()["code"], answer.json()["field"]) == ("IDEMPOTENCY_MISMATCH", "customerEmail")

    async def test_twenty_at_once_make_one_order(self, world: World, shop: Shop) -> None:
        body = shop.body(domain="once.nl")
        answers = await asyncio.gather(*(post(world, body) for _ in range(20)))
        assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
        assert len({answer.json()["order"]["id"] for answer in answers}) == 1
        async with world.db.begin() as session:
            found = select(func.count()).where(Order.tenant_id == shop.tenant.id)
            assert (await session.execute(found)).scalar_one() == 1


class TestKeys:
    @pytest.mark.parametrize(
        ("headers", "code"),
        [({}, "UNAUTHENTICATED"), ({"x-internal-key": ""}, "INVALID_CREDENTIALS"),
         ({"x-internal-key": INTERNAL_KEY[:-1]}, "INVALID_CREDENTIALS")],
    )  # fmt: skip
    async def test_a_wrong_key_is_401_and_orders_nothing(
        self, world: World, shop: Shop, headers: dict[str, str], code: str
    ) -> None:
        body = shop.body()
        answer = await world.client.post("/api/orders", json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, code)
        async with world.db.begin() as session:
            assert await orders.of_payment(session, body["stripePaymentIntentId"]) is None

    async def test_each_of_several_secrets_opens_while_one_is_replaced(self, make_world: MakeWorld) -> None:
        world = await make_world(marketing_webhook_secret=f"an older key of theirs , {INTERNAL_KEY}")
        shop = await open_shop(world.db)
        for key in ("an older key of theirs", INTERNAL_KEY):
            answer = await world.client.post("/api/orders", json=shop.body(), headers={"x-internal-key": key})
            assert answer.status_code == 201

    async def test_without_a_secret_it_is_503_and_says_so(self, make_world: MakeWorld) -> None:
        world = await make_world(marketing_webhook_secret=None)
        shop = await open_shop(world.db)
        answer = await post(world, shop.body())
        assert (answer.status_code, answer.json()["code"]) == (503, "MISSING_CREDENTIALS")
        assert "MARKETING_WEBHOOK_SECRET" in answer.json()["message"]

    async def test_a_machine_whose_key_may_order_needs_no_internal_key(self, world: World, shop: Shop) -> None:
        other = await open_shop(world.db)
        await as_machine(world, Scope.ORDERS_WRITE, tenant_id=shop.tenant.id)
        answer = await world.client.post("/api/orders", json=shop.body())
        assert answer.status_code == 201
        foreign = other.body()
        answer = await world.client.post("/api/orders", json=foreign)
        assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
        async with world.db.begin() as session:
            assert await orders.of_payment(session, foreign["stripePaymentIntentId"]) is None
        await as_machine(world, Scope.METRICS_READ)
        assert (await world.client.post("/api/orders", json=shop.body())).status_code == 403

    async def test_guessing_is_not_free_and_the_right_key_is_never_throttled(self, make_world: MakeWorld) -> None:
        world = await make_world(rate_limit_max_requests=3)
        shop = await open_shop(world.db)
        wrong = [await world.client.post("/api/orders", json={}, headers={"x-internal-key": "no"}) for _ in range(4)]
        assert [one.status_code for one in wrong] == [401, 401, 401, 429]
        assert [(await post(world, shop.body())).status_code for _ in range(5)] == [201] * 5


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("tenantSlug", {"tenantSlug": "nobody"}),
        ("priceId", {"priceId": str(uuid.UUID(int=0))}),
        ("domain", {"domain": "10.0.0.1"}),
        ("domain", {"domain": "shop.recruitiq.nl"}),
        ("domain", {"domain": "printer.local"}),
        ("domain", {"domain": "a\0b.nl"}),
        ("customerEmail", {"customerEmail": "nobody"}),
        ("stripePaymentIntentId", {"stripePaymentIntentId": "pi_../x"}),
    ],
)
async def test_what_cannot_be_ordered_is_422_by_the_field(
    world: World, shop: Shop, field: str, change: dict[str, Any]
) -> None:
    answer = await post(world, shop.body(**change))
    assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text
