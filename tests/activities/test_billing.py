"""What the payment service is told of a change of price: once, and back again by what it had charged for."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities._context import Deps
from activities.billing import BillingActivities
from db.base import new_id
from db.keyring import KeyRing
from db.models_jobs import Job
from db.models_sales import Subscription
from db.models_shop import Price
from db.queries import jobs, orders
from db.session import Database
from domain.config import RunConfig
from domain.fulfilment import FulfilmentInputs, JobCall
from domain.sales import JobType
from providers.payments.stripe import Stripe
from sandbox.stripe import records
from sandbox.stripe.payments import Purchase
from sandbox.stripe_server import StripeConfig, StripeServer
from tests.sales import open_shop

KEY = "sk_test_sandbox"


@dataclass
class Sold:
    """A subscription of ours that Stripe charges 9.95 for, and a job that moves it to 24.00."""

    db: Database
    server: StripeServer
    billing: BillingActivities
    call: JobCall
    ref: str

    async def do(self, activity: Callable[[JobCall], Any]) -> None:
        await ActivityEnvironment().run(activity, self.call)

    @property
    def price(self) -> str:
        return self.server.account.subscriptions.get(self.ref).price

    def changes(self) -> int:
        return sum(one.type == "customer.subscription.updated" for one in self.server.account.journal.events())


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[StripeServer]:
    async with StripeServer(StripeConfig(state_dir=tmp_path, listen="127.0.0.1:0", api_keys=[KEY])) as running:
        yield running


@pytest.fixture
async def sold(db: Database, keys: KeyRing, server: StripeServer) -> AsyncIterator[Sold]:
    shop, bigger = await open_shop(db), new_id()
    begun = server.account.subscriptions.begin(Purchase(amount=995, email="jane@example.org", price="price_small"))
    with server.account.journal.store.transaction():
        server.account.subscriptions.offer(records.Price(id="price_big", amount=2400, currency="eur", interval="month"))
    async with db.begin() as session:
        placed = await orders.place(session, shop.asked())
        (await session.get_one(Job, placed.jobs[0].id)).ended_at = placed.order.created_at
        # Each sandbox begins its ids anew; the rows stay.
        placed.subscription.stripe_subscription_id = begun.id
        session.add(Price(id=bigger, product_id=shop.product.id, interval="month", currency="EUR", amount_cents=2400,
                          active=False, stripe_price_id="price_big"))  # fmt: skip
        await session.flush()
        job = await jobs.request(session, placed.subscription.id, JobType.CHANGE_LIMITS, reason="", requested_by="ada")
        assert job is not None
    client = Stripe(api_key=SecretStr(KEY), base_url=server.url)
    nothing: Any = None
    held = Deps(RunConfig(), db, keys, nothing, nothing, nothing, nothing, nothing, client)
    call = JobCall(job_id=str(job.id), subscription_id=str(placed.subscription.id),
                   inputs=FulfilmentInputs(price_id=str(bigger)))  # fmt: skip
    yield Sold(db, server, BillingActivities(held), call, begun.id)
    await client.close()
    async with db.begin() as session:
        (await session.get_one(Subscription, placed.subscription.id)).stripe_subscription_id = None


async def test_the_new_price_is_charged_for_once_however_often_it_is_told(sold: Sold) -> None:
    for _ in range(3):
        await sold.do(sold.billing.change_price)
    assert (sold.price, sold.changes()) == ("price_big", 1)


async def test_taken_back_what_was_charged_for_before_is_charged_for_again(sold: Sold) -> None:
    for _ in range(2):
        await sold.do(sold.billing.change_price)
    for _ in range(2):
        await sold.do(sold.billing.restore_price)
    assert (sold.price, sold.changes()) == ("price_small", 2)


async def test_what_was_never_begun_needs_no_way_back(sold: Sold) -> None:
    await sold.do(sold.billing.restore_price)
    assert (sold.price, sold.changes()) == ("price_small", 0)


async def test_what_the_payment_service_refuses_has_a_name_and_changes_nothing(sold: Sold) -> None:
    async with sold.db.begin() as session:
        price = await session.get_one(Price, uuid.UUID(sold.call.inputs.price_id))
        price.stripe_price_id = "price_of_another_account"
    with pytest.raises(ApplicationError) as raised:
        await sold.do(sold.billing.change_price)
    assert (raised.value.type, raised.value.non_retryable) == ("NotFound", True)
    await sold.do(sold.billing.restore_price)
    assert (sold.price, sold.changes()) == ("price_small", 0)


async def test_a_price_that_the_payment_service_was_not_told_of_waits_for_somebody(sold: Sold) -> None:
    async with sold.db.begin() as session:
        (await session.get_one(Price, uuid.UUID(sold.call.inputs.price_id))).stripe_price_id = None
    with pytest.raises(ApplicationError) as raised:
        await sold.do(sold.billing.change_price)
    assert (raised.value.type, raised.value.non_retryable) == ("MissingSetting", True)


async def test_one_that_nobody_charges_for_is_passed_over(sold: Sold) -> None:
    async with sold.db.begin() as session:
        (await session.get_one(Subscription, uuid.UUID(sold.call.subscription_id))).stripe_subscription_id = None
    await sold.do(sold.billing.change_price)
    await sold.do(sold.billing.restore_price)
    assert (sold.price, list(sold.server.account.calls)) == ("price_small", [])
