"""A sale as the marketing site makes it: our API and our webhook hear of the same payment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse

from providers.payments.events import Paid
from sandbox.embedded import Embedded
from sandbox.stripe.shop import Order, Shop
from tests.sandbox.stripe.receiver import Receiver, receiving, running

ORDER = Order(tenant_slug="acme", price_id="p-1", email="jane@acme.example", domain="acme.example")


class Orders:
    """Answers as `POST /api/orders` is documented to: 201, and 200 where the payment is known."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.bodies: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        self.keys.add(request.headers.get("x-internal-key"))
        body = json.loads(await request.body())
        if self.answers:
            await JSONResponse({}, self.answers.pop(0))(scope, receive, send)
            return
        new = body not in self.bodies
        self.bodies.append(body)
        await JSONResponse({"created": new}, 201 if new else 200)(scope, receive, send)


async def sold(tmp_path: Path, orders: Orders, receiver: Receiver, **how: Any) -> Any:
    async with (
        running(tmp_path, webhook=receiver.endpoint(copies=3, shuffle=True)) as server,
        Embedded(orders, "127.0.0.1:0") as http,
        Shop(server.url, orders_url=f"http://127.0.0.1:{http.port}/api/orders", internal_key=SecretStr("k")) as shop,
    ):
        return await shop.delivered(await shop.sell(ORDER, **how))


async def test_api_and_webhook_hear_of_one_payment(tmp_path: Path) -> None:
    orders = Orders()
    async with receiving() as receiver:
        sale = await sold(tmp_path, orders, receiver, calls=2)
    assert (sale.answers, orders.keys) == ([201, 200], {"k"})
    assert orders.bodies[0] == {
        "tenantSlug": "acme", "priceId": "p-1", "customerEmail": "jane@acme.example", "domain": "acme.example",
        "stripePaymentIntentId": sale.payment_intent,
    }  # fmt: skip
    paid = [told for told in receiver.told() if isinstance(told, Paid)]
    assert {told.payment_intent for told in paid} == {sale.payment_intent}
    assert {told.ordered.domain for told in paid if told.ordered} == {"acme.example"}
    assert set(sale.events) <= {event.id for event in receiver.events}


@pytest.mark.parametrize(("refusals", "answers"), [([500, 429], [500, 429, 201]), ([422], [422]), ([401], [401])])
async def test_the_site_repeats_what_may_still_become_an_order(
    tmp_path: Path, refusals: list[int], answers: list[int]
) -> None:
    orders = Orders()
    orders.answers = refusals
    async with receiving() as receiver:
        sale = await sold(tmp_path, orders, receiver)
    assert sale.answers == answers
    assert (sale.order is not None) == (answers[-1] == 201)


async def test_without_the_site_the_webhook_alone_tells_the_order(tmp_path: Path) -> None:
    async with receiving() as receiver:
        async with running(tmp_path, webhook=receiver.endpoint()) as server, Shop(server.url) as shop:
            sale = await shop.delivered(await shop.sell(ORDER))
        assert sale.answers == []
        assert {told.payment_intent for told in receiver.told() if isinstance(told, Paid)} == {sale.payment_intent}


async def test_who_waits_for_an_endpoint_that_refuses_is_told(tmp_path: Path) -> None:
    nobody = Receiver()
    nobody.url = "http://127.0.0.1:9/"
    async with running(tmp_path, webhook=nobody.endpoint(retries=[60.0])) as server, Shop(server.url) as shop:
        sale = await shop.sell(ORDER)
        with pytest.raises(TimeoutError):
            await shop.delivered(sale, patience=0.2)
