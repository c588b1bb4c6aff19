"""The sandbox's Stripe and a marketing site over real connections: both tell of a payment, many times, in any order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select, text
from temporalio.testing import ActivityEnvironment

from activities._context import Deps
from activities.payment_events import PaymentEventActivities
from db.models_jobs import Job
from db.models_sales import Order, PaymentEvent, Subscription
from db.queries import orders, payment_catch_up
from domain.config import RunConfig
from providers.payments.stripe import Stripe
from sandbox.stripe.payments import Purchase
from sandbox.stripe.records import Endpoint
from sandbox.stripe.shop import Order as Wanted
from sandbox.stripe.shop import Shop
from sandbox.stripe_server import StripeConfig, StripeServer
from tests.api.world import INTERNAL_KEY, WEBHOOK_SECRET, World
from tests.sales import an_email, open_shop


@pytest.fixture
async def stripe(live: World, tmp_path: Path) -> AsyncIterator[StripeServer]:
    async with live.db.begin() as session:  # each sandbox begins its ids anew
        await session.execute(text("truncate payment_events, customers cascade"))
    endpoint = Endpoint(url=f"{live.client.base_url}/api/webhooks/stripe", secrets=["whsec_older", WEBHOOK_SECRET],
                        copies=3, shuffle=True, jitter=0.3)  # fmt: skip
    config = StripeConfig(state_dir=tmp_path, listen="127.0.0.1:0", webhook=endpoint)
    async with StripeServer(config) as server:
        yield server


async def settled(server: StripeServer) -> None:
    async with asyncio.timeout(60):
        while server.account.journal.pending():
            await asyncio.sleep(0.05)


async def outcomes(world: World) -> dict[str, int]:
    async with world.db.begin() as session:
        query = select(PaymentEvent.outcome, func.count().label("number")).group_by(PaymentEvent.outcome)
        return {row.outcome: row.number for row in await session.execute(query)}


async def test_each_of_many_sales_is_one_order_whoever_tells_first(live: World, stripe: StripeServer) -> None:
    shop = await open_shop(live.db)
    where = f"{live.client.base_url}/api/orders"
    async with Shop(stripe.url, orders_url=where, internal_key=SecretStr(INTERNAL_KEY)) as site:
        wanted = [Wanted(tenant_slug=shop.tenant.slug, price_id=str(shop.price.id), email=an_email(),
                         domain=f"sale-{number}.nl", amount=995) for number in range(12)]  # fmt: skip
        sales = await asyncio.gather(*(site.sell(one, calls=2) for one in wanted))
        await settled(stripe)
    assert {status for sale in sales for status in sale.answers} <= {200, 201}
    async with live.db.begin() as session:
        found = (await session.execute(select(Order).where(Order.tenant_id == shop.tenant.id))).scalars().all()
        assert len((await session.execute(select(Job.id).where(Job.type == "FULFIL_ORDER"))).all()) == 12
    assert sorted(order.stripe_payment_intent_id for order in found) == sorted(sale.payment_intent for sale in sales)
    assert {order.domain_name for order in found} == {one.domain for one in wanted}
    assert set(live.temporal.started) == {f"order/{sale.payment_intent}" for sale in sales}
    assert "case" not in await outcomes(live)


async def test_a_subscription_at_stripe_is_tied_renewed_past_due_and_made_good(
    live: World, stripe: StripeServer
) -> None:
    shop = await open_shop(live.db)
    asked = shop.asked()
    metadata = {"tenantSlug": shop.tenant.slug, "priceId": str(shop.price.id), "customerEmail": asked.customer_email}
    begun = stripe.account.subscriptions.begin(Purchase(amount=995, email=asked.customer_email, metadata=metadata))
    payment = stripe.account.subscriptions.invoice(begun.latest_invoice or "").payment
    body = shop.body(customerEmail=asked.customer_email, stripePaymentIntentId=payment)
    answer = await live.client.post("/api/orders", json=body, headers={"x-internal-key": INTERNAL_KEY})
    assert answer.status_code == 201, answer.text
    await settled(stripe)

    async def row() -> Subscription:
        async with live.db.begin() as session:
            placed = await orders.of_payment(session, payment)
            assert placed is not None
            return placed.subscription

    tied = await row()
    assert tied.stripe_subscription_id == begun.id
    async with live.db.begin() as session:
        (await session.get_one(Subscription, tied.id)).status = "ACTIVE"
    renewed = stripe.account.subscriptions.renew(begun.id, succeeds=True)
    await settled(stripe)
    end = (await row()).current_period_end
    assert end is not None
    assert int(end.timestamp()) == renewed.period_end
    # Stripe's times have seconds only, and a failure of the same second as a payment is taken for made good by it.
    await asyncio.sleep(1.1)
    stripe.account.subscriptions.renew(begun.id, succeeds=False)
    await settled(stripe)
    assert (await row()).status == "PAST_DUE"
    stripe.account.subscriptions.recover(begun.id, succeeds=True)
    await settled(stripe)
    assert ((await row()).status, (await row()).past_due_since) == ("ACTIVE", None)
    stripe.account.subscriptions.set_cancel(begun.id, True)
    await settled(stripe)
    assert (await row()).cancel_at_period_end
    assert "case" not in await outcomes(live)


async def test_what_was_sold_while_the_front_door_was_down_is_one_order_each(live: World, stripe: StripeServer) -> None:
    shop, journal = await open_shop(live.db), stripe.account.journal
    reachable = journal.endpoint()
    assert reachable is not None
    async with live.db.begin() as session:
        await payment_catch_up.reached(session, payment_catch_up.STRIPE, datetime.now(UTC), 0)

    async def sell(number: int) -> str:
        metadata = {"tenantSlug": shop.tenant.slug, "priceId": str(shop.price.id), "customerEmail": an_email()}
        return stripe.account.payments.buy(Purchase(amount=995, email=f"{number}@shop.example", metadata=metadata)).id

    before = [await sell(number) for number in range(2)]
    await settled(stripe)
    journal.set_endpoint(reachable.model_copy(update={"enabled": False}))  # given up after three days
    missed = [await sell(number) for number in range(2, 5)]
    journal.set_endpoint(reachable)
    after = [await sell(number) for number in range(5, 7)]
    nothing: Any = None
    client = Stripe(api_key=SecretStr("sk_test_sandbox"), base_url=stripe.url)
    held = Deps(RunConfig(), live.db, live.app.state.services.keys, nothing, nothing, nothing, nothing, nothing, client)
    sweep = ActivityEnvironment().run(PaymentEventActivities(held).fetch_payment_events)
    await asyncio.gather(sweep, settled(stripe))
    await client.close()
    async with live.db.begin() as session:
        query = select(Order.stripe_payment_intent_id).where(Order.tenant_id == shop.tenant.id)
        assert sorted((await session.execute(query)).scalars()) == sorted(before + missed + after)
    assert "case" not in await outcomes(live)
    numbers = (await live.client.get("/metrics")).text
    assert 'slipway_payment_events_behind_seconds{service="stripe"}' in numbers
    fetched = numbers.partition('slipway_payment_events_fetched{service="stripe"} ')[2].partition("\n")[0]
    assert float(fetched) >= 6
