"""POST /api/webhooks/stripe: what each message leads to, once, and what is refused."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import uuid
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from db.base import new_id
from db.models_jobs import Job
from db.models_mail import OutgoingMail
from db.models_sales import Customer, Order, PaymentEvent, Refund, Subscription
from db.queries import orders
from db.queries.orders import Placed
from tests.api import stripe_events as stripe
from tests.api.conftest import MakeWorld
from tests.api.stripe_events import DAY, T0, Event, bought, signed
from tests.api.world import INTERNAL_KEY, World, temporal_is_away
from tests.sales import Shop, a_payment, an_email, open_shop

PERIOD_2 = (T0 + 400 * DAY, T0 + 430 * DAY)
PERIOD_3 = (T0 + 430 * DAY, T0 + 460 * DAY)


@pytest.fixture
async def shop(world: World) -> Shop:
    del world.client.headers["Authorization"]
    return await open_shop(world.db)


async def tell(world: World, told: Event) -> httpx.Response:
    body, headers = signed(told)
    return await world.client.post("/api/webhooks/stripe", content=body, headers=headers)


async def outcome(world: World, told: Event) -> str:
    answer = await tell(world, told)
    assert answer.status_code == 200, answer.text
    assert answer.json()["outcome"] == (await kept(world, told)).outcome
    return str(answer.json()["outcome"])


async def kept(world: World, told: Event) -> PaymentEvent:
    async with world.db.begin() as session:
        return await session.get_one(PaymentEvent, told["id"])


async def order_of(world: World, payment: str) -> Placed | None:
    async with world.db.begin() as session:
        return await orders.of_payment(session, payment)


async def subscription_of(world: World, payment: str) -> Subscription:
    placed = await order_of(world, payment)
    assert placed is not None
    return placed.subscription


async def set_row(world: World, table: type[Any], ref: uuid.UUID, **columns: Any) -> None:
    async with world.db.begin() as session:
        row = await session.get_one(table, ref)
        for name, value in columns.items():
            setattr(row, name, value)


async def ordered(world: World, shop: Shop, *, subscription: str | None = None, status: str = "ACTIVE") -> Placed:
    """An order that was delivered, whose subscription the payment service knows."""
    asked = shop.asked()
    async with world.db.begin() as session:
        placed = await orders.place(session, asked)
    await set_row(world, Job, placed.jobs[0].id, ended_at=datetime.now(UTC), status="SUCCESS")
    columns: dict[str, Any] = {"status": status, "stripe_subscription_id": subscription}
    if status in ("PAST_DUE", "SUSPENDED"):
        columns["past_due_since"] = stripe_time(T0)
    if status == "SUSPENDED":
        columns["suspended_at"] = stripe_time(T0 + DAY)
    await set_row(world, Subscription, placed.subscription.id, **columns)
    return placed


async def letters(world: World, placed: Placed) -> list[str]:
    query = select(OutgoingMail.template).where(OutgoingMail.recipient == placed.customer.email)
    async with world.db.begin() as session:
        return list((await session.execute(query.order_by(OutgoingMail.id))).scalars())


def stripe_time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def a_ref(kind: str) -> str:
    return f"{kind}_{uuid.uuid4().hex}"


class TestPaid:
    @pytest.mark.parametrize("kind", ["payment", "session"])
    async def test_makes_an_order_and_starts_its_run(self, world: World, shop: Shop, kind: str) -> None:
        ref, email = a_payment(), an_email()
        told = getattr(stripe, kind)(ref, bought(shop, email, "Bücher.nl"))
        assert await outcome(world, told) == "done"
        placed = await order_of(world, ref)
        assert placed is not None
        assert (placed.order.source, placed.order.domain_name) == ("stripe", "xn--bcher-kva.nl")
        assert placed.customer.email == email
        assert world.temporal.started[f"order/{ref}"][0] == "Fulfilment"
        assert (await kept(world, told)).order_id == placed.order.id

    async def test_two_messages_of_one_payment_make_one_order(self, world: World, shop: Shop) -> None:
        ref, metadata = a_payment(), bought(shop, an_email())
        for told in (stripe.session(ref, metadata), stripe.payment(ref, metadata)):
            assert await outcome(world, told) == "done"
        async with world.db.begin() as session:
            number = select(func.count()).where(Order.tenant_id == shop.tenant.id)
            assert (await session.execute(number)).scalar_one() == 1

    async def test_an_order_of_the_marketing_site_is_found_and_its_words_count(self, world: World, shop: Shop) -> None:
        body = shop.body(domain="mine.nl")
        ref = body["stripePaymentIntentId"]
        await world.client.post("/api/orders", json=body, headers={"x-internal-key": INTERNAL_KEY})
        assert await outcome(world, stripe.payment(ref, bought(shop, an_email(), "other.nl"))) == "done"
        placed = await order_of(world, ref)
        assert placed is not None
        assert (placed.order.source, placed.order.domain_name) == ("marketing", "mine.nl")

    async def test_told_first_by_the_payment_service_the_marketing_site_gets_the_same_order(
        self, world: World, shop: Shop
    ) -> None:
        body = shop.body(domain="mine.nl")
        metadata = bought(shop, body["customerEmail"], "mine.nl")
        await outcome(world, stripe.payment(body["stripePaymentIntentId"], metadata))
        answer = await world.client.post("/api/orders", json=body, headers={"x-internal-key": INTERNAL_KEY})
        assert (answer.status_code, answer.json()["created"]) == (200, False)

    async def test_with_temporal_away_it_is_kept_all_the_same(self, world: World, shop: Shop) -> None:
        world.temporal.trouble = temporal_is_away()
        ref = a_payment()
        assert await outcome(world, stripe.payment(ref, bought(shop, an_email()))) == "done"
        placed = await order_of(world, ref)
        assert placed is not None
        assert placed.order.started_at is None

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"tenantSlug": None}, "metadata names no"),
            ({"tenantSlug": "nobody"}, "no active tenant"),
            ({"priceId": str(uuid.UUID(int=0))}, "names no price"),
            ({"priceId": "not an id"}, "names no price"),
            ({"customerEmail": "nobody"}, "no usable e-mail"),
            ({"customerEmail": None}, "no usable e-mail"),
            ({"domain": "x.local"}, "reserved name"),
        ],
    )
    async def test_money_that_no_order_can_be_made_of_is_a_case(
        self, world: World, shop: Shop, change: dict[str, str | None], said: str
    ) -> None:
        metadata = bought(shop, an_email()) | change
        told = stripe.payment(a_payment(), {name: value for name, value in metadata.items() if value is not None})
        assert await outcome(world, told) == "case"
        assert said in (await kept(world, told)).message

    @pytest.mark.parametrize("change", [{"amount": 994}, {"currency": "usd"}])
    async def test_another_amount_or_currency_than_the_prices_is_a_case(
        self, world: World, shop: Shop, change: dict[str, Any]
    ) -> None:
        ref = a_payment()
        told = stripe.payment(ref, bought(shop, an_email()), **change)
        assert await outcome(world, told) == "case"
        assert "the price is 995 EUR" in (await kept(world, told)).message
        assert await order_of(world, ref) is None

    async def test_too_little_for_an_order_that_is_there_is_a_case_of_that_order(
        self, world: World, shop: Shop
    ) -> None:
        placed = await ordered(world, shop)
        told = stripe.payment(placed.order.stripe_payment_intent_id, {}, amount=1)
        assert await outcome(world, told) == "case"
        assert (await kept(world, told)).order_id == placed.order.id

    async def test_a_case_is_over_when_the_order_comes_after_all(self, world: World, shop: Shop) -> None:
        body = shop.body()
        told = stripe.payment(body["stripePaymentIntentId"], {})
        assert await outcome(world, told) == "case"
        await world.client.post("/api/orders", json=body, headers={"x-internal-key": INTERNAL_KEY})
        assert ((await kept(world, told)).outcome, (await kept(world, told)).message) == ("done", "")

    async def test_what_is_not_paid_yet_or_costs_nothing_is_ignored(self, world: World, shop: Shop) -> None:
        metadata = bought(shop, an_email())
        assert await outcome(world, stripe.session(a_payment(), metadata, status="unpaid")) == "ignored"
        assert await outcome(world, stripe.session(None, metadata, amount=0)) == "ignored"

    async def test_a_payment_that_fails_after_the_order_is_a_case_until_it_succeeds(
        self, world: World, shop: Shop
    ) -> None:
        placed = await ordered(world, shop)
        ref = placed.order.stripe_payment_intent_id
        failed = stripe.session_failed(ref)
        assert await outcome(world, failed) == "case"
        assert await outcome(world, stripe.payment(ref, {})) == "done"
        assert (await kept(world, failed)).outcome == "done"
        assert await outcome(world, stripe.session_failed(a_payment())) == "ignored"


class TestOnce:
    async def test_a_repeat_changes_nothing_and_is_answered_alike(self, world: World, shop: Shop) -> None:
        told = stripe.payment(a_payment(), bought(shop, an_email()))
        answers = [(await tell(world, told)).json()["outcome"] for _ in range(3)]
        assert answers == ["done"] * 3

    async def test_twenty_deliveries_at_once_make_one_order(self, world: World, shop: Shop) -> None:
        ref = a_payment()
        told = stripe.payment(ref, bought(shop, an_email(), "once.nl"))
        answers = await asyncio.gather(*(tell(world, told) for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200}
        async with world.db.begin() as session:
            number = select(func.count()).where(Order.stripe_payment_intent_id == ref)
            assert (await session.execute(number)).scalar_one() == 1

    async def test_webhook_and_marketing_site_at_once_make_one_order(self, world: World, shop: Shop) -> None:
        body = shop.body(domain="both.nl")
        metadata = bought(shop, body["customerEmail"], "both.nl")
        post = [world.client.post("/api/orders", json=body, headers={"x-internal-key": INTERNAL_KEY}) for _ in range(8)]
        hooks = [tell(world, stripe.payment(body["stripePaymentIntentId"], metadata)) for _ in range(8)]
        answers = await asyncio.gather(*post, *hooks)
        assert {answer.status_code for answer in answers} <= {200, 201}
        placed = await order_of(world, body["stripePaymentIntentId"])
        assert placed is not None
        async with world.db.begin() as session:
            number = select(func.count()).where(Order.tenant_id == shop.tenant.id)
            assert (await session.execute(number)).scalar_one() == 1


class TestPeriods:
    async def test_a_paid_invoice_renews_and_is_never_undone_by_an_older_one(self, world: World, shop: Shop) -> None:
        ref = a_ref("sub")
        placed = await ordered(world, shop, subscription=ref)
        newer = stripe.invoice(
            "invoice.paid", ref, at=PERIOD_3[0], ref="in_3" + ref, start=PERIOD_3[0], end=PERIOD_3[1]
        )
        older = stripe.invoice(
            "invoice.paid", ref, at=PERIOD_2[0], ref="in_2" + ref, start=PERIOD_2[0], end=PERIOD_2[1]
        )
        for told in (newer, older):
            assert await outcome(world, told) == "done"
        row = await subscription_of(world, placed.order.stripe_payment_intent_id)
        assert (row.current_period_start, row.current_period_end) == tuple(map(stripe_time, PERIOD_3))
        assert (await kept(world, older)).subscription_id == placed.subscription.id

    async def test_a_failed_invoice_makes_past_due_and_its_payment_makes_good(self, world: World, shop: Shop) -> None:
        ref = a_ref("sub")
        placed = await ordered(world, shop, subscription=ref)
        payment = placed.order.stripe_payment_intent_id
        failed = stripe.invoice("invoice.payment_failed", ref, at=PERIOD_2[0], ref="in_2" + ref)
        assert await outcome(world, failed) == "done"
        row = await subscription_of(world, payment)
        assert (row.status, row.past_due_since) == ("PAST_DUE", stripe_time(PERIOD_2[0]))
        paid = stripe.invoice(
            "invoice.paid", ref, at=PERIOD_2[0] + DAY, ref="in_2" + ref, start=PERIOD_2[0], end=PERIOD_2[1]
        )
        await outcome(world, paid)
        row = await subscription_of(world, payment)
        assert (row.status, row.past_due_since, row.current_period_end) == ("ACTIVE", None, stripe_time(PERIOD_2[1]))

    async def test_each_unpaid_invoice_is_one_letter_and_its_payment_another(self, world: World, shop: Shop) -> None:
        ref, start = a_ref("sub"), PERIOD_2[0]
        placed = await ordered(world, shop, subscription=ref)

        def told(kind: str, number: int, day: int) -> Event:
            return stripe.invoice(f"invoice.{kind}", ref, at=start + day * DAY, ref=f"in_{number}{ref}", start=start,
                                  end=PERIOD_2[1])  # fmt: skip

        first = told("payment_failed", 1, 0)
        assert await asyncio.gather(*(outcome(world, first) for _ in range(3))) == ["done"] * 3
        assert await letters(world, placed) == ["payment-due"]
        await outcome(world, told("payment_failed", 1, 3))  # Stripe's next try
        assert await letters(world, placed) == ["payment-due"]
        await outcome(world, told("payment_failed", 2, 30))
        assert await letters(world, placed) == ["payment-due", "payment-due"]
        paid = told("paid", 2, 31)
        for _ in range(2):
            await outcome(world, paid)
        assert await letters(world, placed) == ["payment-due", "payment-due", "payment-received"]

    async def test_what_the_sweep_has_written_about_is_not_told_again(self, world: World, shop: Shop) -> None:
        ref = a_ref("sub")
        placed = await ordered(world, shop, subscription=ref, status="PAST_DUE")
        await outcome(world, stripe.invoice("invoice.payment_failed", ref, at=T0 + DAY, ref="in_1" + ref))
        assert await letters(world, placed) == []
        await outcome(world, stripe.invoice("invoice.payment_failed", ref, at=T0 + 31 * DAY, ref="in_2" + ref))
        assert await letters(world, placed) == ["payment-due"]

    @pytest.mark.parametrize("status", ["INACTIVE", "SUSPENDED"])
    async def test_one_that_is_not_up_gets_no_letter_of_an_unpaid_invoice(
        self, world: World, shop: Shop, status: str
    ) -> None:
        ref = a_ref("sub")
        placed = await ordered(world, shop, subscription=ref, status=status)
        await outcome(world, stripe.invoice("invoice.payment_failed", ref, at=T0 + 5 * DAY, ref="in_1" + ref))
        assert await letters(world, placed) == []

    async def test_a_failure_older_than_a_payment_does_not_make_past_due(self, world: World, shop: Shop) -> None:
        ref = a_ref("sub")
        placed = await ordered(world, shop, subscription=ref)
        await outcome(world, stripe.invoice("invoice.paid", ref, at=PERIOD_2[0] + DAY, ref="in_2" + ref,
                                            start=PERIOD_2[0], end=PERIOD_2[1]))  # fmt: skip
        await outcome(world, stripe.invoice("invoice.payment_failed", ref, at=PERIOD_2[0], ref="in_2" + ref))
        assert (await subscription_of(world, placed.order.stripe_payment_intent_id)).status == "ACTIVE"
        assert await letters(world, placed) == []

    async def test_a_payment_resumes_what_was_suspended_for_the_lack_of_it(self, world: World, shop: Shop) -> None:
        ref = a_ref("sub")
        placed = await ordered(world, shop, subscription=ref, status="SUSPENDED")
        told = stripe.invoice("invoice.paid", ref, at=T0 + 5 * DAY, ref="in_1" + ref, end=PERIOD_2[1])
        assert await outcome(world, told) == "done"
        async with world.db.begin() as session:
            query = select(Job).where(Job.subscription_id == placed.subscription.id, Job.type == "RESUME")
            job = (await session.execute(query)).scalar_one()
        workflow, change, _ = world.temporal.started[f"job/{job.id}"]
        assert (workflow, change.job_type, change.subscription_id) == (
            "SubscriptionChange", "RESUME", str(placed.subscription.id),
        )  # fmt: skip
        assert job.requested_by == "stripe"
        later = stripe.invoice("invoice.paid", ref, at=T0 + 6 * DAY, ref="in_2" + ref, end=PERIOD_3[1])
        assert await outcome(world, later) == "done"
        async with world.db.begin() as session:
            assert len((await session.execute(query)).scalars().all()) == 1

    async def test_a_payment_does_not_resume_what_was_suspended_for_another_reason(
        self, world: World, shop: Shop
    ) -> None:
        ref = a_ref("sub")
        placed = await ordered(world, shop, subscription=ref, status="SUSPENDED")
        await set_row(world, Subscription, placed.subscription.id, past_due_since=None, suspended_for="abuse")
        await outcome(world, stripe.invoice("invoice.payment_failed", ref, at=T0 + DAY, ref="in_1" + ref))
        await outcome(world, stripe.invoice("invoice.paid", ref, at=T0 + 5 * DAY, ref="in_1" + ref))
        async with world.db.begin() as session:
            query = select(Job).where(Job.subscription_id == placed.subscription.id, Job.type == "RESUME")
            assert (await session.execute(query)).scalar_one_or_none() is None

    async def test_paid_while_another_run_is_at_work_it_is_a_case(self, world: World, shop: Shop) -> None:
        ref = a_ref("sub")
        placed = await ordered(world, shop, subscription=ref, status="SUSPENDED")
        await set_row(world, Job, placed.jobs[0].id, ended_at=None, status="WAITING")
        told = stripe.invoice("invoice.paid", ref, at=T0 + 5 * DAY, ref="in_1" + ref, end=PERIOD_2[1])
        assert await outcome(world, told) == "case"
        assert "resume it by hand" in (await kept(world, told)).message

    async def test_money_for_what_has_ended_is_a_case(self, world: World, shop: Shop) -> None:
        ref = a_ref("sub")
        placed = await ordered(world, shop, subscription=ref)
        await set_row(world, Subscription, placed.subscription.id, status="TERMINATED", ended_at=stripe_time(T0))
        assert await outcome(world, stripe.invoice("invoice.paid", ref, at=T0 + DAY, ref="in_1" + ref)) == "case"

    async def test_a_subscription_is_tied_to_its_order_by_the_first_invoice(self, world: World, shop: Shop) -> None:
        ref, payment, cus = a_ref("sub"), a_payment(), a_ref("cus")
        first = stripe.invoice("invoice.paid", ref, at=T0, ref="in_1" + ref, payment=payment, customer=cus,
                               reason="subscription_create", end=PERIOD_2[1])  # fmt: skip
        assert await outcome(world, first) == "ignored"
        assert await outcome(world, stripe.payment(payment, bought(shop, an_email()), customer=cus)) == "done"
        row = await subscription_of(world, payment)
        assert (row.stripe_subscription_id, row.current_period_end) == (ref, stripe_time(PERIOD_2[1]))
        assert (await kept(world, first)).outcome == "done"
        async with world.db.begin() as session:
            assert (await session.get_one(Customer, row.customer_id)).stripe_customer_id == cus
        # A renewal's own payment says nothing of what was bought, and is no case.
        assert await outcome(world, stripe.payment(a_payment(), {}, customer=cus, at=T0 + DAY)) == "ignored"

    async def test_the_first_invoice_of_a_subscription_that_says_what_was_bought_makes_the_order(
        self, world: World, shop: Shop
    ) -> None:
        ref, payment = a_ref("sub"), a_payment()
        told = stripe.invoice("invoice.paid", ref, at=T0, ref="in_1" + ref, payment=payment, end=PERIOD_2[1],
                              reason="subscription_create", metadata=bought(shop, an_email()))  # fmt: skip
        assert await outcome(world, told) == "done"
        assert (await subscription_of(world, payment)).stripe_subscription_id == ref

    async def test_what_is_told_of_a_strangers_subscription_is_ignored(self, world: World, shop: Shop) -> None:
        ref = a_ref("sub")
        for told in (
            stripe.invoice("invoice.paid", ref, at=T0, ref="in_1" + ref),
            stripe.invoice("invoice.payment_failed", ref, at=T0, ref="in_2" + ref),
            stripe.subscription("updated", ref, at=T0, cancel=True),
        ):
            assert await outcome(world, told) == "ignored"

    async def test_a_subscription_that_is_told_to_end_or_has_ended_is_marked(self, world: World, shop: Shop) -> None:
        ref, other = a_ref("sub"), a_ref("sub")
        placed, ended = [await ordered(world, shop, subscription=one) for one in (ref, other)]
        await outcome(world, stripe.subscription("updated", ref, at=T0 + 1, cancel=True))
        await outcome(world, stripe.subscription("updated", ref, at=T0, cancel=False))
        assert (await subscription_of(world, placed.order.stripe_payment_intent_id)).cancel_at_period_end
        await outcome(world, stripe.subscription("updated", ref, at=T0 + 2, cancel=False))
        assert not (await subscription_of(world, placed.order.stripe_payment_intent_id)).cancel_at_period_end
        await outcome(world, stripe.subscription("deleted", other, at=T0, status="canceled"))
        assert (await subscription_of(world, ended.order.stripe_payment_intent_id)).cancel_at_period_end

    async def test_a_mark_of_our_own_stays_when_nothing_was_said_of_an_end(self, world: World, shop: Shop) -> None:
        ref = a_ref("sub")
        placed = await ordered(world, shop, subscription=ref)
        await set_row(world, Subscription, placed.subscription.id, cancel_at_period_end=True)
        await outcome(world, stripe.subscription("updated", ref, at=T0))
        assert (await subscription_of(world, placed.order.stripe_payment_intent_id)).cancel_at_period_end


class TestMoneyBack:
    async def refunding(self, world: World, shop: Shop) -> tuple[str, uuid.UUID]:
        placed, ref = await ordered(world, shop), new_id()
        async with world.db.begin() as session:
            session.add(Refund(id=ref, order_id=placed.order.id, amount_cents=995, currency="EUR"))
        return placed.order.stripe_payment_intent_id, ref

    @pytest.mark.parametrize(
        ("statuses", "final"),
        [(["pending", "succeeded"], "SUCCEEDED"), (["succeeded", "pending"], "SUCCEEDED"),
         (["succeeded", "failed"], "FAILED"), (["failed", "succeeded"], "FAILED"), (["canceled"], "FAILED")],
    )  # fmt: skip
    async def test_a_refund_of_ours_follows_what_is_told_of_it(
        self, world: World, shop: Shop, statuses: list[str], final: str
    ) -> None:
        payment, ref = await self.refunding(world, shop)
        there = a_ref("re")
        for status in statuses:
            assert await outcome(world, stripe.refund(there, payment, status, key=str(ref))) == "done"
        async with world.db.begin() as session:
            row = await session.get_one(Refund, ref)
            order = await session.get_one(Order, row.order_id)
        assert order.status == ("REFUNDED" if final == "SUCCEEDED" else "REFUNDING")
        assert (row.status, row.stripe_refund_id, row.ended_at) == (final, there, stripe_time(T0))

    async def test_money_that_went_back_by_another_hand_is_a_case(self, world: World, shop: Shop) -> None:
        placed = await ordered(world, shop)
        told = stripe.refund(a_ref("re"), placed.order.stripe_payment_intent_id, "succeeded")
        assert await outcome(world, told) == "case"
        assert await outcome(world, stripe.refund(a_ref("re"), a_payment(), "succeeded")) == "ignored"

    async def test_a_dispute_is_a_case_until_it_is_won(self, world: World, shop: Shop) -> None:
        placed, ref = await ordered(world, shop), a_ref("dp")
        payment = placed.order.stripe_payment_intent_id
        told = stripe.dispute(ref, payment, "needs_response")
        assert await outcome(world, told) == "case"
        assert await outcome(world, stripe.dispute(ref, payment, "won", kind="closed", at=T0 + DAY)) == "done"
        assert (await kept(world, told)).outcome == "done"
        lost = stripe.dispute(a_ref("dp"), payment, "lost", kind="closed")
        assert await outcome(world, lost) == "case"


class TestRefusals:
    async def test_what_is_not_signed_is_400_and_is_not_kept(self, world: World, shop: Shop) -> None:
        told = stripe.payment(a_payment(), bought(shop, an_email()))
        body, good = signed(told)
        old = signed(told, at=1_700_000_000)[1]
        for headers in (
            good | {"Stripe-Signature": signed(told, secret="whsec_of_somebody")[1]["Stripe-Signature"]},
            {"Content-Type": "application/json"},
            good | {"Stripe-Signature": "t=1"},
            old,
        ):
            answer = await world.client.post("/api/webhooks/stripe", content=body, headers=headers)
            assert answer.status_code == 400, answer.text
        changed = await world.client.post("/api/webhooks/stripe", content=body + b" ", headers=good)
        assert changed.status_code == 400
        async with world.db.begin() as session:
            assert await session.get(PaymentEvent, told["id"]) is None

    async def test_a_signed_body_that_is_no_event_is_400(self, world: World, shop: Shop) -> None:
        assert (await tell(world, {"object": "event"})).status_code == 400

    async def test_an_event_that_cannot_be_read_is_a_case_and_not_told_again(self, world: World, shop: Shop) -> None:
        told = stripe.event("payment_intent.succeeded", {"object": "payment_intent", "id": "pi_x"})
        assert await outcome(world, told) == "case"
        assert "cannot be read" in (await kept(world, told)).message

    async def test_what_we_do_not_act_on_is_kept_and_ignored(self, world: World, shop: Shop) -> None:
        assert (
            await outcome(world, stripe.event("customer.created", {"object": "customer", "id": "cus_1"})) == "ignored"
        )

    async def test_without_a_secret_it_is_503(self, make_world: MakeWorld) -> None:
        world = await make_world(stripe_webhook_secret=None)
        answer = await tell(world, stripe.payment(a_payment(), {}))
        assert (answer.status_code, answer.json()["code"]) == (503, "MISSING_CREDENTIALS")

    async def test_each_of_several_secrets_verifies_while_one_is_replaced(self, make_world: MakeWorld) -> None:
        world = await make_world(stripe_webhook_secret="whsec_old, whsec_new")
        for secret in ("whsec_old", "whsec_new"):
            body, headers = signed(stripe.event("customer.created", {"object": "customer"}), secret=secret)
            assert (await world.client.post("/api/webhooks/stripe", content=body, headers=headers)).status_code == 200

    async def test_a_large_event_is_taken_and_one_without_measure_is_not(self, world: World, shop: Shop) -> None:
        large = stripe.event("customer.created", {"object": "customer", "note": "x" * 200_000})
        assert await outcome(world, large) == "ignored"
        body, headers = signed(stripe.event("customer.created", {"object": "customer", "note": "x" * 1_100_000}))
        answer = await world.client.post("/api/webhooks/stripe", content=body, headers=headers)
        assert answer.status_code == 413

    async def test_facts_hold_no_more_than_we_act_on(self, world: World, shop: Shop) -> None:
        told = stripe.payment(a_payment(), bought(shop, an_email()) | {"card": "4242"})
        await outcome(world, told)
        assert "4242" not in json.dumps((await kept(world, told)).facts)


class TestTwoOfOneCustomer:
    """Two subscriptions at one price. Since 2025 neither invoice tells which payment paid it."""

    def told(
        self, shop: Shop, *, later: int = 0, domains: tuple[str, str] = ("", ""), tells: bool = False
    ) -> tuple[list[str], list[str], list[Event]]:
        """(payments, the payment service's subscriptions, its messages)."""
        email, cus = an_email(), a_ref("cus")
        payments, refs, events = [a_payment(), a_payment()], sorted([a_ref("sub"), a_ref("sub")]), list[Event]()
        for number, (payment, ref) in enumerate(zip(payments, refs, strict=True)):
            at, bears = T0 + number * later, bought(shop, email, domains[number] or None)
            events += [
                stripe.payment(payment, bears, at=at, customer=cus),
                stripe.invoice("invoice.paid", ref, at=at + 1, ref=f"in_1{ref}", customer=cus, end=PERIOD_2[0],
                               reason="subscription_create", metadata=bears if tells else None),
            ]  # fmt: skip
        return payments, refs, events

    async def tied(self, world: World, payments: list[str]) -> list[str | None]:
        return [(await subscription_of(world, payment)).stripe_subscription_id for payment in payments]

    @pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[::5])
    async def test_bought_on_two_days_each_is_its_own_in_any_order(
        self, world: World, shop: Shop, order: tuple[int, ...]
    ) -> None:
        payments, refs, events = self.told(shop, later=2 * DAY)
        for number in order:
            await outcome(world, events[number])
        assert await self.tied(world, payments) == refs
        assert {(await kept(world, one)).outcome for one in events} == {"done"}

    @pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[::5])
    async def test_bought_at_once_the_names_that_were_bought_tell_them_apart(
        self, world: World, shop: Shop, order: tuple[int, ...]
    ) -> None:
        payments, refs, events = self.told(shop, domains=("Bücher.nl", "brot.nl"), tells=True)
        for event in (events[number] for number in order):
            await outcome(world, event)
        assert await self.tied(world, payments) == refs
        assert "case" not in {(await kept(world, one)).outcome for one in events}

    async def test_bought_at_once_without_a_name_they_are_a_case_until_the_metadata_tells(
        self, world: World, shop: Shop
    ) -> None:
        payments, refs, events = self.told(shop)
        await outcome(world, events[0])
        await outcome(world, events[2])
        assert await outcome(world, events[1]) == "case"
        assert await outcome(world, events[3]) == "case"
        assert await self.tied(world, payments) == [None, None]
        rows = [await subscription_of(world, payment) for payment in payments]
        message = (await kept(world, events[1])).message
        assert refs[0] in message
        assert all(str(row.id) in message for row in rows)
        failed = stripe.invoice("invoice.payment_failed", refs[1], at=PERIOD_2[0], ref=f"in_2{refs[1]}")
        assert await outcome(world, failed) == "case"
        # The other way round than they came, so that no order of arrival could have done it.
        marked = stripe.subscription("updated", refs[0], at=T0 + DAY, metadata={"slipwaySubscription": str(rows[1].id)})
        assert await outcome(world, marked) == "done"
        assert await self.tied(world, payments) == [refs[1], refs[0]]
        assert {(await kept(world, one)).outcome for one in (*events, failed)} == {"done"}

    async def test_an_id_of_another_customers_ties_nothing(self, world: World, shop: Shop) -> None:
        other = await ordered(world, shop)
        _, refs, events = self.told(shop)
        await outcome(world, events[0])
        marked = stripe.subscription("updated", refs[0], at=T0 + DAY, customer=a_ref("cus"),
                                     metadata={"slipwaySubscription": str(other.subscription.id)})  # fmt: skip
        await outcome(world, marked)
        row = await subscription_of(world, other.order.stripe_payment_intent_id)
        assert row.stripe_subscription_id is None


def story(shop: Shop, number: int) -> list[Event | dict[str, Any]]:
    """All that comes of one customer: the marketing site's word, and the payment service's over two years."""
    payment, ref, email = a_payment(), a_ref("sub"), an_email()
    domain = f"customer-{number}.nl"
    metadata = bought(shop, email, domain)
    second = a_payment()
    return [
        shop.body(customerEmail=email, domain=domain, stripePaymentIntentId=payment),
        stripe.payment(payment, metadata),
        stripe.session(payment, metadata),
        stripe.invoice("invoice.paid", ref, at=T0, ref=f"in_1{ref}", payment=payment, reason="subscription_create",
                       start=T0, end=PERIOD_2[0]),
        stripe.subscription("created", ref, at=T0),
        stripe.invoice("invoice.payment_failed", ref, at=PERIOD_2[0], ref=f"in_2{ref}"),
        stripe.invoice("invoice.paid", ref, at=PERIOD_2[0] + DAY, ref=f"in_2{ref}", payment=second,
                       start=PERIOD_2[0], end=PERIOD_2[1]),
        stripe.payment(second, {}, at=PERIOD_2[0] + DAY),
        stripe.subscription("updated", ref, at=PERIOD_2[0] + DAY, cancel=True),
        stripe.invoice("invoice.payment_failed", ref, at=PERIOD_3[0], ref=f"in_3{ref}"),
        stripe.subscription("deleted", ref, at=PERIOD_3[1], status="canceled"),
    ]  # fmt: skip


async def deliver(world: World, one: Event | dict[str, Any]) -> None:
    if "stripePaymentIntentId" in one:
        answer = await world.client.post("/api/orders", json=one, headers={"x-internal-key": INTERNAL_KEY})
    else:
        answer = await tell(world, one)
    assert answer.status_code in (200, 201), answer.text


@pytest.mark.parametrize("seed", range(6))
async def test_any_order_of_arrival_and_three_deliveries_each_lead_to_the_same_rows(
    world: World, shop: Shop, seed: int
) -> None:
    chance = random.Random(seed)
    stories = [story(shop, number) for number in range(4)]
    posted = [one for told in stories for one in told for _ in range(3)]
    chance.shuffle(posted)
    for begin in range(0, len(posted), 8):
        await asyncio.gather(*(deliver(world, one) for one in posted[begin : begin + 8]))
    async with world.db.begin() as session:
        numbers = [
            (await session.execute(select(func.count()).select_from(table).where(table.tenant_id == shop.tenant.id)))
            .scalar_one()
            for table in (Order, Subscription, Customer)
        ]  # fmt: skip
    assert numbers == [4, 4, 4]
    for told in stories:
        row = await subscription_of(world, told[0]["stripePaymentIntentId"])
        assert row.stripe_subscription_id == told[4]["data"]["object"]["id"]
        assert (row.current_period_start, row.current_period_end) == tuple(map(stripe_time, PERIOD_2))
        assert row.cancel_at_period_end
        assert row.past_due_since == stripe_time(PERIOD_3[0])
        outcomes = [(await kept(world, one)).outcome for one in told[1:]]
        assert outcomes == ["done"] * 6 + ["ignored"] + ["done"] * 3
