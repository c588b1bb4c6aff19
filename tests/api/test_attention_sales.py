"""The operators' list of sales: what waits, was not started, was paid for nothing, is owed, or was not sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db.base import new_id
from db.models_jobs import Job
from db.models_mail import OutgoingMail
from db.models_sales import PaymentEvent, Refund
from db.queries import orders
from db.queries.orders import Placed
from domain.statuses import Role
from tests.api.test_attention import listed, metric
from tests.api.test_instances import parked
from tests.api.world import World
from tests.sales import Shop, open_shop

NOW = datetime.now(UTC)
MEMBERS = {
    "deployment_id", "slug", "organization_name", "deployment_type", "tier", "phase", "attention", "price_cents_month",
    "currency", "temporal_url", "kind", "what", "step", "trouble", "message", "since", "until", "owner", "editable",
    "current", "label", "job_id", "order_id", "subscription_id",
}  # fmt: skip


@pytest.fixture
async def shop(world: World) -> Shop:
    return await open_shop(world.db)


async def placed(world: World, shop: Shop, *, started: bool = True) -> Placed:
    async with world.db.begin() as session:
        made = await orders.place(session, shop.asked(domain="needs.nl"))
        if started:
            (await session.get_one(Job, made.jobs[0].id)).started_at = NOW
        return made


async def items(world: World, **wanted: Any) -> list[dict[str, Any]]:
    found = [one for one in (await listed(world))["items"] if all(one.get(name) == wanted[name] for name in wanted)]
    assert all(one.keys() >= MEMBERS for one in found)
    return found


async def case(world: World, **columns: Any) -> str:
    ref = f"evt_{new_id().hex}"
    async with world.db.begin() as session:
        session.add(PaymentEvent(id=ref, type="payment_intent.succeeded", happened_at=NOW, livemode=False,
                                 outcome="case", message="The payment's metadata names no tenantSlug and priceId.",
                                 facts={"kind": "paid", "payment_intent": "pi_1", "amount": 995, "currency": "EUR"},
                                 **columns))  # fmt: skip
    return ref


async def test_a_part_that_waits_is_listed_with_the_order_it_belongs_to(world: World, shop: Shop) -> None:
    made = await placed(world, shop)
    wait = parked(since=NOW - timedelta(hours=1)) | {"step": "publish_zone"}
    async with world.db.begin() as session:
        row = await session.get_one(Job, made.jobs[1].id)
        row.attention, row.parked = "awaiting_operator", [wait]
    [one] = await items(world, job_id=str(made.jobs[1].id))
    assert (one["kind"], one["what"]) == ("waits_for_operator", "DNS of an order: Create zone failed")
    assert (one["order_id"], one["subscription_id"]) == (str(made.order.id), str(made.subscription.id))
    assert one["label"] == one["slug"] == f"{shop.tenant.slug}/needs.nl"
    assert (one["deployment_id"], one["step"]) == (None, "publish_zone")
    assert made.order.stripe_payment_intent_id in one["temporal_url"]
    assert await metric(world, "waits_for_operator") != "0.0"


async def test_an_order_that_was_not_started_is_listed_once(world: World, shop: Shop) -> None:
    made = await placed(world, shop, started=False)
    assert await items(world, order_id=str(made.order.id)) == []  # the front door is about to
    async with world.db.begin() as session:
        (await session.get_one(Job, made.jobs[0].id)).created_at = NOW - timedelta(hours=1)
    [one] = await items(world, order_id=str(made.order.id))
    assert (one["kind"], one["what"]) == ("not_started", "Delivery of an order: the run was not started")


async def test_a_case_of_payment_is_listed_until_it_is_settled(world: World, shop: Shop) -> None:
    ref = await case(world)
    [one] = await items(world, event_id=ref)
    assert (one["kind"], one["owner"], one["slug"], one["amount"]) == ("payment_case", "billing", "pi_1", 995)
    assert "names no tenantSlug" in one["message"]
    await world.sign_in(Role.BILLING)
    where = f"/api/operator/payment-cases/{ref}/settle"
    answer = await world.client.post(where, json={"note": "Paid back by hand."})
    assert answer.status_code == 200
    assert answer.json()["event"]["settled_by"] == world.username
    assert await items(world, event_id=ref) == []
    assert (await world.client.post(where, json={"note": "again"})).status_code == 409
    [entry] = [one for one in await world.audit("payment_case.settle") if one.outcome == "ok" and one.target_id == ref]
    assert (entry.actor, entry.details["note"]) == (world.username, "Paid back by hand.")


async def test_a_case_of_an_order_is_called_as_the_order_is(world: World, shop: Shop) -> None:
    made = await placed(world, shop)
    ref = await case(world, order_id=made.order.id, subscription_id=made.subscription.id)
    [one] = await items(world, event_id=ref)
    assert (one["label"], one["order_id"]) == (f"{shop.tenant.slug}/needs.nl", str(made.order.id))


async def test_settling_asks_for_a_note_and_a_case(world: World) -> None:
    ref = await case(world)
    where = "/api/operator/payment-cases/{}/settle"
    assert (await world.client.post(where.format(ref), json={"note": " "})).status_code == 422
    assert (await world.client.post(where.format("evt_none"), json={"note": "x"})).status_code == 404
    assert (await world.client.post(where.format("%00"), json={"note": "x"})).status_code == 404
    for role in (Role.SUPPORT, Role.USER):
        await world.sign_in(role)
        assert (await world.client.post(where.format(ref), json={"note": "x"})).status_code == 403


async def test_a_refund_that_failed_is_listed_until_another_is_under_way(world: World, shop: Shop) -> None:
    made = await placed(world, shop)
    values = {"order_id": made.order.id, "amount_cents": 995, "currency": "EUR"}
    async with world.db.begin() as session:
        session.add(Refund(id=new_id(), status="FAILED", ended_at=NOW, **values))
    [one] = await items(world, order_id=str(made.order.id))
    assert (one["kind"], one["trouble"]) == ("refund_failed", "RefundFailed")
    async with world.db.begin() as session:
        session.add(Refund(id=new_id(), **values))
    assert await items(world, order_id=str(made.order.id)) == []


async def test_a_mail_that_was_given_up_is_listed_for_a_week(world: World) -> None:
    recent, old = new_id(), new_id()
    async with world.db.begin() as session:
        for ref, days in ((recent, 1), (old, 8)):
            session.add(OutgoingMail(id=ref, recipient=f"{ref}@example.com", template="site-live", state="failed",
                                     last_error="refused", created_at=NOW - timedelta(days=days)))  # fmt: skip
    [one] = await items(world, slug=f"{recent}@example.com")
    assert (one["kind"], one["message"]) == ("mail_given_up", "refused")
    assert await items(world, slug=f"{old}@example.com") == []
    assert await metric(world, "mail_given_up") == "1.0"
