"""The operators' list in a real browser: jobs of orders and cases of payment, which no instance belongs to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import expect

from db.base import new_id
from db.models_jobs import Job
from db.models_sales import PaymentEvent
from db.queries import orders
from tests.api.test_instances import parked
from tests.portal.harbour import Harbour, Visitor
from tests.portal.test_office_pages import picture
from tests.sales import open_shop

pytestmark = pytest.mark.browser


async def test_a_job_that_waits_is_named_by_its_order_and_tried_again(harbour: Harbour, operator: Visitor) -> None:
    world = harbour.world
    shop = await open_shop(world.db)
    async with world.db.begin() as session:
        made = await orders.place(session, shop.asked(domain="bakery.nl"))
        row = await session.get_one(Job, made.jobs[1].id)
        wait = parked(since=datetime.now(UTC) - timedelta(minutes=12))
        row.attention, row.parked = "awaiting_operator", [wait | {"step": "publish_zone"}]
    await operator.page.reload()
    name = f"{shop.tenant.slug}/bakery.nl"
    item = operator.at("attention").locator("li").filter(has_text=name)
    await expect(item).to_contain_text("Waits for a decision · DNS of an order: Create zone failed")
    await picture(operator, "attention-job")
    await operator.at(f"retry-{name}").click()
    await expect(operator.page.get_by_text("DNS of an order is tried again.")).to_be_visible()
    [(workflow_id, update, request, _)] = world.temporal.updates
    assert (workflow_id, update, request.step) == (made.jobs[1].workflow_id, "retry_step", "publish_zone")


async def test_a_case_of_payment_is_settled_with_a_note(harbour: Harbour, operator: Visitor) -> None:
    ref, payment = f"evt_{new_id().hex}", f"pi_{new_id().hex}"
    async with harbour.world.db.begin() as session:
        session.add(PaymentEvent(
            id=ref, type="payment_intent.succeeded", happened_at=datetime.now(UTC), livemode=False, outcome="case",
            message="The payment tells no usable e-mail of the customer.",
            facts={"kind": "paid", "payment_intent": payment, "amount": 995, "currency": "EUR"}))  # fmt: skip
    await operator.page.reload()
    item = operator.at("attention").locator("li").filter(has_text=payment)
    await expect(item).to_contain_text("Money without an order")
    await operator.at(f"settle-{payment}").click()
    await operator.at("settle-confirm").click()
    await expect(operator.page.get_by_text("Say how it was dealt with.")).to_be_visible()
    await operator.at("settle-note").fill("Paid back by hand.")
    await picture(operator, "attention-case")
    await operator.at("settle-confirm").click()
    await expect(item).to_have_count(0)
    [entry] = [one for one in await harbour.world.audit("payment_case.settle") if one.target_id == ref]
    assert entry.details["note"] == "Paid back by hand."
