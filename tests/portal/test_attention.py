"""The operators' list in a real browser: jobs of orders and cases of payment, which no instance belongs to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import expect

from db.base import new_id
from db.models_jobs import Job
from db.models_sales import PaymentEvent
from db.queries import orders
from domain.zones import ChangeState
from tests.api.test_attention_zones import asked
from tests.api.test_instances import parked
from tests.api.zones import a_zone, changes_of
from tests.portal.harbour import Harbour, Visitor
from tests.portal.test_office_pages import picture
from tests.portal.test_zone_pages import carried_out
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


async def test_a_zones_change_that_failed_is_tried_again_or_settled(harbour: Harbour, operator: Visitor) -> None:
    mended, given_up = [await a_zone(harbour.world) for _ in range(2)]
    for zone in (mended, given_up):
        await asked(harbour.world, zone)
    await operator.page.reload()
    lines = operator.at("attention").locator("li")
    await expect(lines.filter(has_text=mended.zone_name)).to_contain_text("Name servers are not as wished")
    await picture(operator, "attention-zones")
    carried_out(harbour)
    await operator.at(f"retry-{mended.zone_name}").click()
    await expect(lines.filter(has_text=mended.zone_name)).to_have_count(0)
    assert [one.state for one in await changes_of(harbour.world, mended.id)] == [
        ChangeState.FAILED, ChangeState.PUBLISHED]  # fmt: skip
    await operator.at(f"settle-{given_up.zone_name}").click()
    await operator.at("settle-note").fill("Not wanted any more.")
    await operator.at("settle-confirm").click()
    await expect(lines.filter(has_text=given_up.zone_name)).to_have_count(0)
    assert [one.settled_by for one in await changes_of(harbour.world, given_up.id)] == [harbour.world.username]
