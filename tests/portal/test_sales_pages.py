"""Orders, subscriptions, jobs and servers of the house in a real browser, over the real API."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Route, expect
from sqlalchemy import func, select, update

from db.models_hosting import Server
from db.models_jobs import ApiKey, Job
from db.models_sales import Order, PaymentEvent, Refund, Tenant
from db.queries import orders
from db.queries.orders import Placed
from domain.fulfilment import ChangeOrder
from domain.sales import NON_PAYMENT
from domain.statuses import Role
from tests.api.test_house_servers import HOST_KEY, registered
from tests.api.test_instances import parked
from tests.api.test_jobs import write
from tests.api.world import PASSWORD, World
from tests.portal.harbour import Harbour, Visitor
from tests.portal.test_office_pages import picture
from tests.sales import Shop, open_shop
from tests.standing import delivered

pytestmark = pytest.mark.browser

NOW = datetime.now(UTC)


@pytest.fixture
async def shop(harbour: Harbour) -> Shop:
    return await open_shop(harbour.world.db)


async def placed(world: World, shop: Shop, **changes: Any) -> Placed:
    async with world.db.begin() as session:
        return await orders.place(session, shop.asked(domain=f"d{uuid.uuid4().hex[:10]}.example", **changes))


async def tell(world: World, job: Job, *rows: tuple[str, str, str, str], **columns: Any) -> None:
    """The story of a job, as its journal writes it with the row."""
    await write(world, job.id, *rows)
    await set_job(world, job, position=len(rows), started_at=NOW, **columns)


async def set_job(world: World, job: Job, **columns: Any) -> None:
    async with world.db.begin() as session:
        await session.execute(update(Job).where(Job.id == job.id).values(**columns))


async def under_way(world: World, shop: Shop) -> Placed:
    """Names are claimed; DNS is made, hosting waits for somebody, mail runs."""
    made = await placed(world, shop)
    whole, dns, hosting, mail = made.jobs
    await tell(world, whole, ("step", "claim_names", "started", "Claiming the name"),
               ("step", "claim_names", "done", ""),
               *[("step", f"provision_{part}", "started", f"Making {part}") for part in ("dns", "hosting", "mail")],
               ("step", "provision_dns", "done", ""), status="RUNNING", status_message="Making the site")  # fmt: skip
    await tell(world, dns, ("step", "publish_zone", "started", "Creating the zone"),
               ("step", "publish_zone", "done", ""), ("step", "publish_records", "started", "Publishing"),
               ("log", "publish_records", "out", "serial 2026112801"),
               ("step", "publish_records", "done", ""), status="SUCCESS", ended_at=NOW)  # fmt: skip
    wait = parked(since=NOW - timedelta(minutes=12)) | {
        "step": "create_account", "trouble": "NoRoom", "message": "no active web server has room",
        "editable": ["web_server_id"], "current": {"web_server_id": ""},
    }  # fmt: skip
    await tell(world, hosting, ("step", "create_account", "started", "Creating the account"),
               ("step", "create_account", "parked", "no active web server has room"),
               status="WAITING", attention="awaiting_operator", parked=[wait])  # fmt: skip
    await tell(world, mail, ("step", "create_mailbox", "started", "Creating the mailbox"), status="RUNNING")
    return made


class TestOrders:
    async def test_are_found_by_words_state_and_tenant(self, harbour: Harbour, operator: Visitor, shop: Shop) -> None:
        paid, done = [await placed(harbour.world, shop) for _ in range(2)]
        async with harbour.world.db.begin() as session:
            await session.execute(update(Order).where(Order.id == done.order.id).values(status="FULFILLED"))
        await operator.turn_to("sales", "orders")
        await operator.at("filter-tenant").fill(shop.tenant.slug)
        rows = operator.at("orders").locator("tbody tr")
        await expect(rows).to_have_count(2)
        await expect(rows.first).to_contain_text("9.95 EUR")
        await operator.at("filter-status").select_option("FULFILLED")
        await expect(rows).to_have_count(1)
        await expect(operator.at(f"order-{done.order.id}")).to_contain_text("Delivered")
        await operator.at("filter-status").select_option("")
        await operator.at("filter-search").fill(paid.order.stripe_payment_intent_id)
        await operator.at(f"order-{paid.order.id}").locator("a").click()
        await expect(operator.page.locator("main h1")).to_have_text(str(paid.order.domain_name))

    async def test_one_shows_its_three_parts_side_by_side_and_the_log_of_all(
        self, harbour: Harbour, operator: Visitor, shop: Shop
    ) -> None:
        made = await under_way(harbour.world, shop)
        await operator.open(f"/orders/{made.order.id}")
        await expect(operator.at("status-chip")).to_have_text("Needs a decision")
        tops = [await operator.at(f"part-PROVISION_{part}").bounding_box() for part in ("DNS", "HOSTING", "MAIL")]
        assert len({box["y"] for box in tops if box}) == 1
        await expect(operator.at("part-PROVISION_DNS")).to_contain_text("Done")
        await expect(operator.at("part-PROVISION_HOSTING")).to_contain_text("Needs a decision")
        await expect(operator.at("step-graph").first).to_contain_text("Claim names")
        await expect(operator.at("log-terminal")).to_contain_text("serial 2026112801")
        await operator.at("step-publish_records").click()
        await expect(operator.at("log-terminal")).not_to_contain_text("Claiming the name")
        await picture(operator, "order")

    async def test_what_waits_is_retried_with_a_correction(
        self, harbour: Harbour, operator: Visitor, shop: Shop
    ) -> None:
        made = await under_way(harbour.world, shop)
        await operator.open(f"/orders/{made.order.id}")
        await operator.at("input-web_server_id").fill("a-server")
        await operator.at("retry-create_account").click()
        await expect(operator.page.get_by_text("Create account is tried again.")).to_be_visible()
        [(workflow_id, verb, request, _)] = harbour.world.temporal.updates
        assert (workflow_id, verb) == (made.jobs[2].workflow_id, "retry_step")
        assert (request.step, request.changes) == ("create_account", {"web_server_id": "a-server"})

    async def test_one_is_taken_back_with_a_reason_after_saying_what_goes_back(
        self, harbour: Harbour, operator: Visitor, shop: Shop
    ) -> None:
        made = await under_way(harbour.world, shop)
        await operator.open(f"/orders/{made.order.id}")
        await operator.at("rollback").click()
        await expect(operator.at("rollback-dialog")).to_contain_text(f"9.95 EUR to {made.customer.email}")
        await operator.at("rollback-reason").fill("sold out")
        await operator.at("rollback-dialog-confirm").click()
        await expect(operator.page.get_by_text("The order is being taken back.")).to_be_visible()
        [(_, verb, request, _)] = harbour.world.temporal.updates
        assert (verb, request.reason) == ("roll_back", "sold out")

    async def test_refunds_and_what_the_payment_service_said_are_shown_and_a_case_is_settled(
        self, harbour: Harbour, operator: Visitor, shop: Shop
    ) -> None:
        made = await placed(harbour.world, shop)
        ref = f"evt_{uuid.uuid4().hex}"
        async with harbour.world.db.begin() as session:
            session.add_all([
                Refund(id=uuid.uuid4(), order_id=made.order.id, amount_cents=995, currency="EUR", reason="sold out"),
                PaymentEvent(id=ref, type="charge.dispute.created", happened_at=NOW, livemode=True, outcome="case",
                             message="The customer disputes the payment.", order_id=made.order.id),
            ])  # fmt: skip
        await operator.open(f"/orders/{made.order.id}")
        await expect(operator.at("refunds")).to_contain_text("On its way")
        events = operator.at("payment-events")
        await expect(events).to_contain_text("The customer disputes the payment.")
        await operator.at(f"settle-{ref}").click()
        await operator.at("settle-note").fill("Answered by hand.")
        await operator.at("settle-confirm").click()
        await expect(events).to_contain_text("Settled")

    async def test_one_that_is_not_there_is_said(self, operator: Visitor) -> None:
        await operator.open(f"/orders/{uuid.uuid4()}")
        await expect(operator.page.get_by_text("There is no such order.")).to_be_visible()


class TestSubscriptions:
    async def test_are_listed_by_state_with_what_comes_next(
        self, harbour: Harbour, operator: Visitor, shop: Shop
    ) -> None:
        late = await delivered(harbour.world.db, shop, status="PAST_DUE", past_due_since=NOW)
        gone = await delivered(harbour.world.db, shop, status="SUSPENDED", past_due_since=NOW, suspended_at=NOW,
                               suspended_for=NON_PAYMENT)  # fmt: skip
        await operator.turn_to("sales", "subscriptions")
        await operator.at("filter-tenant").fill(shop.tenant.slug)
        await expect(operator.at(f"subscription-{late.subscription.id}")).to_contain_text("Is suspended")
        await expect(operator.at(f"subscription-{gone.subscription.id}")).to_contain_text("Ends")
        await operator.at("filter-status").select_option("PAST_DUE")
        await expect(operator.at(f"subscription-{gone.subscription.id}")).to_have_count(0)
        await operator.at(f"subscription-{late.subscription.id}").locator("a").click()
        await expect(operator.page.get_by_text("A payment is missing")).to_be_visible()

    async def test_one_shows_what_it_holds_and_is_suspended_with_a_reason(
        self, harbour: Harbour, operator: Visitor, shop: Shop
    ) -> None:
        made = await delivered(harbour.world.db, shop)
        name, ref = str(made.order.domain_name), made.subscription.id
        await operator.open(f"/subscriptions/{ref}")
        await expect(operator.at("site-link")).to_have_attribute("href", f"https://{name}")
        await expect(operator.at("mailboxes")).to_contain_text(f"info@{name}")
        await picture(operator, "subscription")
        await operator.at("change-suspend").click()
        await expect(operator.at("change-dialog-confirm")).to_be_disabled()
        await operator.at("change-reason").fill("Spam was sent.")
        await operator.at("change-dialog-confirm").click()
        await expect(operator.page.get_by_text(f"{name} is being suspended.")).to_be_visible()
        await expect(operator.page.get_by_role("link", name="Look at it")).to_be_visible()
        await expect(operator.at("change-suspend")).to_have_count(0)
        [(kind, order, _)] = [one for one in harbour.world.temporal.started.values() if isinstance(one[1], ChangeOrder)]
        assert (kind, order.job_type, order.reason) == ("SubscriptionChange", "SUSPEND", "Spam was sent.")

    async def test_the_end_asks_for_the_name(self, harbour: Harbour, operator: Visitor, shop: Shop) -> None:
        made = await delivered(harbour.world.db, shop)
        await operator.open(f"/subscriptions/{made.subscription.id}")
        await operator.at("change-terminate").click()
        await operator.at("change-confirm").fill("another.example")
        await expect(operator.at("change-dialog-confirm")).to_be_disabled()
        await operator.at("change-confirm").fill(str(made.order.domain_name))
        await operator.at("change-dialog-confirm").click()
        await expect(operator.at("subscription-jobs")).to_contain_text("End")

    async def test_a_customer_sees_the_own_ones_and_may_cancel_and_keep(
        self, harbour: Harbour, visitor: Visitor, shop: Shop
    ) -> None:
        own, foreign = [await delivered(harbour.world.db, shop) for _ in range(2)]
        await harbour.world.sign_in(Role.USER, organization_id=own.customer.organization_id)
        await visitor.sign_in(harbour.world.username, PASSWORD)
        await visitor.at("nav-subscriptions").click()
        await expect(visitor.at(f"subscription-{own.subscription.id}")).to_be_visible()
        await expect(visitor.at(f"subscription-{foreign.subscription.id}")).to_have_count(0)
        await visitor.at(f"subscription-{own.subscription.id}").locator("a").click()
        await expect(visitor.at("change-cancel")).to_be_visible()
        for verb in ("suspend", "refund", "terminate", "change"):
            await expect(visitor.at(f"change-{verb}")).to_have_count(0)
        await visitor.at("change-cancel").click()
        await visitor.at("change-dialog-confirm").click()
        await expect(visitor.page.get_by_text("is cancelled.")).to_be_visible()
        await visitor.open(f"/subscriptions/{foreign.subscription.id}")
        await expect(visitor.page.get_by_text("There is no such subscription.")).to_be_visible()

    async def test_a_customer_chooses_the_mailboxs_password(
        self, harbour: Harbour, visitor: Visitor, shop: Shop
    ) -> None:
        own = await delivered(harbour.world.db, shop)
        await harbour.world.sign_in(Role.USER, organization_id=own.customer.organization_id)
        await visitor.sign_in(harbour.world.username, PASSWORD)
        await visitor.open(f"/subscriptions/{own.subscription.id}")
        await visitor.at(f"password-info@{own.order.domain_name}").click()
        await visitor.at("access-password").fill("short")
        await visitor.at("access-dialog-confirm").click()
        await expect(visitor.at("access-dialog")).to_contain_text("At least 12 characters")
        await visitor.at("access-password").fill("tide harbour rope")
        await visitor.at("access-dialog-confirm").click()
        await expect(visitor.at("subscription-jobs")).to_contain_text("Mailbox password")
        assert "tide harbour rope" not in await visitor.page.content()


class TestHouseServers:
    async def test_one_is_registered_and_its_key_shown(self, harbour: Harbour, operator: Visitor) -> None:
        name = f"w{uuid.uuid4().hex[:10]}.example.com"
        await operator.turn_to("servers", "house")
        await operator.at("register-server").click()
        await operator.at("server-hostname").fill("web1")
        await operator.at("server-ip").fill("203.0.113.10")
        await operator.at("server-host-key").fill(HOST_KEY)
        await operator.at("server-dialog-confirm").click()
        await expect(operator.at("server-dialog")).to_contain_text("must be a full host name")
        await operator.at("server-hostname").fill(name)
        await operator.at("server-dialog-confirm").click()
        await expect(operator.at("key-dialog").get_by_test_id("public-key")).to_contain_text("ssh-ed25519 ")
        await operator.at("key-dialog-confirm").click()
        await expect(operator.page.locator("main h1")).to_have_text(name)
        await expect(operator.at("step-set_up_house_server")).to_be_visible()
        assert [one[0] for one in harbour.world.temporal.started.values()] == ["SetUpServer"]

    async def test_the_list_shows_room_and_one_is_drained_and_opened_again(
        self, harbour: Harbour, operator: Visitor
    ) -> None:
        server = await registered(harbour.world, maxAccounts=4)
        async with harbour.world.db.begin() as session:
            row = await session.get_one(Server, uuid.UUID(server["id"]))
            row.status = "ACTIVE"
            await session.execute(update(Job).where(Job.server_id == row.id).values(
                status="SUCCESS", phase="done", ended_at=func.now()))  # fmt: skip
        await operator.open("/house-servers")
        await expect(operator.at(f"house-{server['hostname']}")).to_contain_text("0 of 4, 4 free")
        await operator.open(f"/house-servers/{server['id']}")
        await operator.at("drain").click()
        await expect(operator.at("status-chip").first).to_have_text("Takes nothing new")
        await operator.at("open-again").click()
        await expect(operator.at("status-chip").first).to_have_text("Active")


class TestOffice:
    async def test_a_tenant_is_added_and_stops_selling(self, harbour: Harbour, operator: Visitor) -> None:
        slug = f"brand-{uuid.uuid4().hex[:8]}"
        await operator.turn_to("sales", "tenants")
        await operator.at("add-tenant").click()
        await operator.at("tenant-name").fill("A Brand")
        await operator.at("tenant-slug").fill(slug)
        await operator.at("tenant-dialog-confirm").click()
        await operator.at(f"edit-{slug}").click()
        await operator.at("tenant-active").uncheck()
        await operator.at("tenant-dialog-confirm").click()
        await expect(operator.at(f"tenant-{slug}")).to_contain_text("Takes no orders")
        async with harbour.world.db.begin() as session:
            row = (await session.execute(select(Tenant).where(Tenant.slug == slug))).scalar_one()
        assert (row.name, row.is_active) == ("A Brand", False)

    async def test_a_key_is_made_shown_once_and_revoked(self, harbour: Harbour, operator: Visitor) -> None:
        name = f"shop-{uuid.uuid4().hex[:8]}"
        await operator.turn_to("office", "keys")
        await operator.at("add-key").click()
        await operator.at("key-name").fill(name)
        await operator.at("key-dialog-confirm").click()
        await expect(operator.at("key-dialog").get_by_text("Choose what it may do.").first).to_be_visible()
        await operator.at("scope-orders:write").check()
        await operator.at("key-dialog-confirm").click()
        await expect(operator.at("made-key")).to_contain_text("slw_")
        await operator.at("made-dialog-confirm").click()
        await operator.at(f"revoke-{name}").click()
        await operator.at("revoke-dialog-confirm").click()
        await expect(operator.at(f"key-{name}")).to_contain_text("Revoked")
        async with harbour.world.db.begin() as session:
            row = (await session.execute(select(ApiKey).where(ApiKey.name == name))).scalar_one()
        assert row.scopes == ["orders:write"]


async def test_the_operators_list_leads_to_the_order(harbour: Harbour, operator: Visitor, shop: Shop) -> None:
    made = await under_way(harbour.world, shop)
    await operator.page.reload()
    await operator.at(f"look-{shop.tenant.slug}/{made.order.domain_name}").click()
    await expect(operator.at("parked-create_account")).to_be_visible()


async def test_an_order_is_decided_with_the_keyboard_alone(harbour: Harbour, operator: Visitor, shop: Shop) -> None:
    made = await under_way(harbour.world, shop)
    await operator.open(f"/orders/{made.order.id}")
    await expect(operator.page.locator("main h1")).to_be_focused()
    await operator.at("rollback").focus()
    await operator.page.keyboard.press("Enter")
    await expect(operator.at("rollback-dialog")).to_be_visible()
    await operator.page.keyboard.press("Escape")
    await expect(operator.at("rollback")).to_be_focused()
    await operator.at("step-publish_zone").focus()
    await operator.page.keyboard.press("Enter")
    await expect(operator.at("log-filter")).to_have_value("publish_zone")


async def test_a_page_that_comes_late_takes_the_focus_from_nobody(
    harbour: Harbour, operator: Visitor, shop: Shop
) -> None:
    made = await under_way(harbour.world, shop)
    release = asyncio.Event()

    async def late(route: Route) -> None:
        await release.wait()
        await route.continue_()

    await operator.page.route("**/logs*", late)
    await operator.open(f"/orders/{made.order.id}")
    await operator.at("rollback").focus()
    release.set()
    await expect(operator.at("log-terminal").get_by_text("Claiming the name")).to_be_visible()
    await expect(operator.at("rollback")).to_be_focused()


async def test_the_pages_fit_every_width(harbour: Harbour, sized: Visitor, shop: Shop) -> None:
    order = await under_way(harbour.world, shop)
    standing = await delivered(harbour.world.db, shop)
    server = await registered(harbour.world)
    pages = {
        "/orders": "orders", f"/orders/{order.order.id}": "parts", "/jobs": "jobs",
        f"/jobs/{order.jobs[2].id}": "log-terminal", "/subscriptions": "subscriptions",
        f"/subscriptions/{standing.subscription.id}": "mailboxes", "/house-servers": "house-servers",
        f"/house-servers/{server['id']}": "public-key", "/tenants": "tenants", "/api-keys": "api-keys",
    }  # fmt: skip
    for page, shown in pages.items():
        await sized.open(page)
        await expect(sized.at(shown)).to_be_visible()
        await expect(sized.page.locator("main .skeleton")).to_have_count(0)
        assert await sized.overflow() <= 0, page
