"""The portal as people use it: every page, in a real browser, against the real API."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, Route, expect

from domain.provisioning import Plan
from domain.statuses import Role
from domain.steps import PROVISIONING, TERMINATION
from tests.api.world import PASSWORD, temporal_is_away
from tests.portal.harbour import Harbour, Visitor

pytestmark = pytest.mark.browser

HOSTILE = '<img src=x onerror="window.hacked=1"><b>Bold</b>'


async def fill_order(page: Visitor, slug: str, **texts: str) -> None:
    await page.open("/new")
    values = {"organization-name": "Acme Corp", "admin-name": "John Doe", "admin-email": "john@acme.com"} | texts
    for testid, text in values.items():
        await page.at(testid).fill(text)
    await page.at("slug").fill(slug)


class TestSignIn:
    async def test_a_wrong_password_is_said_and_the_form_stays(self, harbour: Harbour, visitor: Visitor) -> None:
        await visitor.at("username").fill(harbour.world.username)
        await visitor.at("password").fill("not the password")
        await visitor.at("sign-in").click()
        await expect(visitor.at("sign-in-error")).to_contain_text("do not belong together")
        await expect(visitor.at("password")).to_be_focused()

    async def test_empty_fields_are_named_without_asking_the_server(self, visitor: Visitor) -> None:
        await visitor.at("sign-in").click()
        await expect(visitor.page.get_by_text("Enter your user name")).to_be_visible()
        await expect(visitor.at("username")).to_have_attribute("aria-invalid", "true")
        await expect(visitor.at("username")).to_be_focused()

    async def test_the_keyboard_is_enough(self, harbour: Harbour, visitor: Visitor) -> None:
        keyboard = visitor.page.keyboard
        await keyboard.type(harbour.world.username)
        await keyboard.press("Tab")
        await keyboard.type(PASSWORD)
        await keyboard.press("Enter")
        await expect(visitor.page.get_by_role("heading", name="Fleet")).to_be_visible()
        await keyboard.press("Tab")
        await expect(visitor.page.locator(":focus")).to_be_visible()

    async def test_an_email_address_signs_in_too(self, harbour: Harbour, visitor: Visitor) -> None:
        await visitor.sign_in(f"{harbour.world.username}@example.com", PASSWORD)
        await expect(visitor.page.get_by_role("heading", name="Fleet")).to_be_visible()

    async def test_a_reload_keeps_the_session_and_only_the_refresh_token_is_stored(
        self, harbour: Harbour, operator: Visitor
    ) -> None:
        await expect(operator.at("instances")).to_be_visible()
        await operator.page.reload()
        await expect(operator.at("instances")).to_be_visible()
        kept = await operator.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
        assert "slipway.refresh" in kept
        assert "eyJ" not in kept  # what every signed token begins with

    async def test_signing_out_forgets_the_session(self, operator: Visitor) -> None:
        await operator.at("sign-out").click()
        await expect(operator.at("sign-in-form")).to_be_visible()
        await operator.page.reload()
        await expect(operator.at("sign-in-form")).to_be_visible()

    async def test_a_given_password_must_be_changed_before_anything_else(
        self, harbour: Harbour, visitor: Visitor
    ) -> None:
        await harbour.world.sign_in(must_change=True)
        await visitor.sign_in(harbour.world.username, PASSWORD)
        await expect(visitor.at("password-form")).to_be_visible()
        await visitor.open("/new")
        await expect(visitor.at("password-form")).to_be_visible()
        for testid, text in (
            ("current-password", PASSWORD),
            ("new-password", "short"),
            ("new-password-again", "short"),
        ):
            await visitor.at(testid).fill(text)
        await visitor.at("change-password").click()
        await expect(visitor.at("new-password")).to_have_attribute("aria-invalid", "true")
        for testid in ("new-password", "new-password-again"):
            await visitor.at(testid).fill("quite another password")
        await visitor.at("change-password").click()
        await expect(visitor.at("password-form")).to_have_count(0)

    async def test_readers_are_offered_no_orders_and_no_decisions(self, harbour: Harbour, visitor: Visitor) -> None:
        ref = await harbour.order(slug="readers")
        await harbour.park(ref, "run_migrations")
        await harbour.world.sign_in(Role.SUPPORT)
        await visitor.sign_in(harbour.world.username, PASSWORD)
        await expect(visitor.at("instances")).to_be_visible()
        await expect(visitor.at("new-instance")).to_have_count(0)
        await visitor.open(f"/instances/{ref}")
        await expect(visitor.at("parked-run_migrations")).to_be_visible()
        await expect(visitor.at("retry-run_migrations")).to_have_count(0)
        await expect(visitor.at("rollback")).to_have_count(0)


class TestFleet:
    async def test_instances_are_listed_and_filtered(self, harbour: Harbour, operator: Visitor) -> None:
        await harbour.order("Noorderlicht", slug="noorderlicht")
        active = await harbour.order("Zeeman", slug="zeeman")
        await harbour.activate(active)
        await operator.page.reload()
        await expect(operator.at("instance-zeeman").get_by_test_id("status-chip")).to_have_text("Active")
        await operator.at("filter-search").fill("noorder")
        await expect(operator.at("instance-zeeman")).to_have_count(0)
        await expect(operator.at("instance-noorderlicht")).to_be_visible()
        await operator.at("filter-search").fill("")
        await operator.at("filter-status").select_option("active")
        await expect(operator.at("instance-noorderlicht")).to_have_count(0)
        await expect(operator.at("instance-zeeman")).to_be_visible()
        assert "status=active" in operator.page.url
        await operator.at("instance-zeeman").get_by_role("link").click()
        await expect(operator.page.get_by_role("heading", name="Zeeman")).to_be_visible()

    async def test_what_could_not_be_asked_for_is_said(self, harbour: Harbour, operator: Visitor) -> None:
        await expect(operator.at("attention-missing")).to_have_count(0)
        harbour.world.temporal.trouble = temporal_is_away()
        harbour.world.app.state.services.failing._answer = None  # what is kept for some seconds
        await operator.page.reload()
        await expect(operator.at("attention-missing")).to_contain_text("Temporal does not answer")

    async def test_what_waits_is_on_top_the_longest_first(self, harbour: Harbour, operator: Visitor) -> None:
        for slug, minutes in (("later", 5), ("sooner", 50)):
            ref = await harbour.order(slug, slug=slug)
            since = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()
            await harbour.park(ref, "create_server", since=since, trouble="QuotaExceeded")
        await operator.page.reload()
        listed = operator.at("attention").locator("li")
        await expect(listed.filter(has_text="sooner")).to_contain_text("Quota exceeded")
        await expect(listed.filter(has_text="sooner")).to_contain_text("Waits for a decision · Create server failed")
        texts = await listed.all_inner_texts()
        order = [
            next(slug for slug in ("sooner", "later") if slug in text)
            for text in texts
            if "oner" in text or "later" in text
        ]
        assert order == ["sooner", "later"]
        await operator.at("decide-sooner").click()
        await expect(operator.at("parked-create_server")).to_be_visible()

    async def test_servers_show_their_places_and_who_lies_there(self, harbour: Harbour, operator: Visitor) -> None:
        server = await harbour.world.server(vps_name="quay-vps-1", current_organizations=1)
        ref = await harbour.order("Havenwerk", slug="havenwerk", deploymentModel="shared", tier="starter")
        await harbour.place_on(ref, server)
        await operator.page.reload()
        shown = operator.at("server-quay-vps-1")
        await expect(shown).to_contain_text("1/4 places used")
        await expect(shown).to_contain_text("Havenwerk")
        await expect(shown).to_contain_text("3 free places")


class TestNewInstance:
    async def test_mistakes_stand_next_to_their_fields(self, operator: Visitor) -> None:
        await operator.open("/new")
        await operator.at("submit-instance").click()
        await expect(operator.page.get_by_text("Enter the organization's name.")).to_be_visible()
        await expect(operator.at("organization-name")).to_be_focused()
        for slug, why in (
            ("Hello", "lower-case"),
            ("-abc", "Begin and end"),
            ("www", "reserved"),
            ("ab--cd", "third and fourth"),
        ):
            await operator.at("slug").fill(slug)
            await operator.at("slug").blur()
            await expect(operator.page.get_by_text(why)).to_be_visible()
        await operator.at("admin-email").fill("nobody")
        await operator.at("admin-email").blur()
        await expect(operator.at("admin-email")).to_have_attribute("aria-invalid", "true")
        await operator.at("generate-password").uncheck()
        await operator.at("admin-password").fill("short")
        await operator.at("submit-instance").click()
        await expect(operator.at("admin-password")).to_have_attribute("aria-invalid", "true")

    async def test_the_address_follows_the_name_until_it_is_chosen(self, operator: Visitor) -> None:
        await operator.open("/new")
        await operator.at("organization-name").fill("Café Zeezicht & Zonen")
        await expect(operator.at("slug")).to_have_value("cafe-zeezicht-zonen")
        await expect(operator.at("slug-preview")).to_have_text("https://cafe-zeezicht-zonen.recruitiq.test")
        await operator.at("slug").fill("zeezicht")
        await operator.at("organization-name").fill("Another name")
        await expect(operator.at("slug")).to_have_value("zeezicht")

    async def test_a_taken_name_is_said_at_its_field(self, harbour: Harbour, operator: Visitor) -> None:
        await harbour.order("Owner", slug="moored")
        await fill_order(operator, "moored")
        await operator.at("submit-instance").click()
        await expect(operator.at("slug")).to_have_attribute("aria-invalid", "true")
        await expect(operator.page.get_by_text("belongs to another organization")).to_be_visible()

    async def test_what_only_the_server_knows_is_said_at_its_field_too(self, operator: Visitor) -> None:
        await fill_order(operator, "refused-mail", **{"admin-email": "john@acme.test"})
        await operator.at("submit-instance").click()
        await expect(operator.at("admin-email")).to_have_attribute("aria-invalid", "true")
        await expect(operator.page.get_by_text("special-use or reserved name")).to_be_visible()

    async def test_pressing_twice_orders_once(self, harbour: Harbour, operator: Visitor) -> None:
        sent: list[str] = []
        operator.page.on("request", lambda request: sent.append(request.method) if request.method == "POST" else None)
        await fill_order(operator, "twice")
        await operator.at("submit-instance").evaluate("button => { button.click(); button.click(); }")
        await expect(operator.at("step-graph").first).to_be_visible()
        assert sent == ["POST"]
        assert await harbour.count("twice") == 1

    async def test_the_preview_shows_the_plan_and_orders_nothing(self, harbour: Harbour, operator: Visitor) -> None:
        harbour.world.temporal.answer_plan = lambda: Plan(
            slug="preview", fqdn="preview.recruitiq.test", access_url="https://preview.recruitiq.test",
            vps_name="preview-vps-1", new_server=True, provider="transip", product="bladevps-x4",
            price_cents_month=2000, steps=[step.name for step in PROVISIONING],
        )  # fmt: skip
        await fill_order(operator, "preview")
        await operator.page.get_by_role("radio", name="Dedicated").check()
        await operator.at("preview-instance").click()
        await expect(operator.at("plan-price")).to_contain_text("€20.00")
        await expect(operator.at("plan")).to_contain_text("preview-vps-1")
        await expect(operator.at("plan-steps").locator("li")).to_have_count(len(PROVISIONING))
        assert await harbour.count("preview") == 0

    async def test_an_order_leads_to_its_run(self, harbour: Harbour, operator: Visitor) -> None:
        server = await harbour.world.server(vps_name="berth-vps-1")
        await fill_order(operator, "ordered")
        await operator.page.get_by_role("radio", name="Shared").check()
        await operator.page.get_by_role("radio", name="Professional").check()
        await operator.at("vps").select_option(server)
        await operator.at("submit-instance").click()
        await expect(operator.page.get_by_role("heading", name="Acme Corp")).to_be_visible()
        row = await harbour.row(operator.page.url.rsplit("/", 1)[1])
        assert (row.slug, row.tier, row.deployment_type, str(row.requested_vps_id)) == (
            "ordered", "professional", "shared", server)  # fmt: skip

    async def test_an_order_whose_answer_is_lost_can_be_sent_again_without_a_second_one(
        self, harbour: Harbour, operator: Visitor
    ) -> None:
        keys: list[str] = []

        async def lose_the_first_answer(route: Route) -> None:
            if route.request.method != "POST":
                await route.continue_()
                return
            keys.append(route.request.headers["idempotency-key"])
            if len(keys) == 1:
                headers = route.request.headers
                async with httpx.AsyncClient(trust_env=False) as client:
                    answer = await client.post(route.request.url, content=route.request.post_data, headers=headers)
                assert answer.status_code == 202
                await route.abort()
            else:
                await route.continue_()

        await fill_order(operator, "lost-answer")
        await operator.page.route("**/api/portal/instances", lose_the_first_answer)
        await operator.at("submit-instance").click()
        await expect(operator.page.get_by_text("cannot be ordered twice")).to_be_visible()
        await operator.at("submit-instance").click()
        await expect(operator.at("step-graph").first).to_be_visible()
        assert len(keys) == 2
        assert keys[0] == keys[1]
        assert await harbour.count("lost-answer") == 1


class TestRun:
    async def test_the_page_follows_events_as_they_are_written(self, harbour: Harbour, operator: Visitor) -> None:
        ref = await harbour.order(slug="followed")
        await operator.open(f"/instances/{ref}")
        await expect(operator.at("connection")).to_have_text("Live")
        await expect(operator.at("step-reserve")).to_have_attribute("data-state", "pending")
        await harbour.steps(ref, ("reserve", "started"), ("reserve", "done"), ("create_server", "started"))
        await harbour.set(ref, status_message="Creating the server at the cloud", seq=3)
        await expect(operator.at("step-reserve")).to_have_attribute("data-state", "done")
        await expect(operator.at("step-create_server")).to_have_attribute("data-state", "running")
        await expect(operator.at("status-message")).to_have_text("Creating the server at the cloud")
        await harbour.write(ref, ("log", "create_server", "out", "order accepted by the cloud"))
        await expect(operator.at("log-terminal")).to_contain_text("order accepted by the cloud")
        await harbour.steps(ref, ("create_server", "done"))
        await harbour.activate(ref)
        await expect(operator.at("status-chip")).to_have_text("Active")
        await expect(operator.at("connection")).to_have_text("Complete")
        await expect(operator.at("open-app")).to_have_attribute("href", "https://followed.recruitiq.test")

    async def test_lines_are_shown_once_and_in_order(self, harbour: Harbour, operator: Visitor) -> None:
        ref = await harbour.order(slug="in-order")
        await harbour.write(ref, *[("log", "set_up_server", "out", f"line {number:04}") for number in range(700)])
        await operator.open(f"/instances/{ref}")
        await expect(operator.at("log-terminal")).to_contain_text("line 0699")
        await harbour.write(ref, *[("log", "set_up_server", "out", f"line {number:04}") for number in range(700, 720)])
        await expect(operator.at("log-terminal")).to_contain_text("line 0719")
        seen = re.findall(r"line (\d{4})", await operator.at("log-terminal").inner_text())
        assert seen == [f"{number:04}" for number in range(720)]

    async def test_without_a_stream_the_page_polls(self, harbour: Harbour, operator: Visitor) -> None:
        ref = await harbour.order(slug="polled")
        await operator.page.route("**/events*", lambda route: route.abort())
        await operator.open(f"/instances/{ref}")
        await expect(operator.at("connection")).to_have_text("Every 5 s")
        await harbour.write(ref, ("log", "reserve", "info", "seen by polling"))
        await harbour.steps(ref, ("reserve", "started"))
        await expect(operator.at("log-terminal")).to_contain_text("seen by polling", timeout=20_000)
        await expect(operator.at("step-reserve")).to_have_attribute("data-state", "running", timeout=20_000)

    async def test_parallel_branches_stand_side_by_side(self, harbour: Harbour, operator: Visitor) -> None:
        ref = await harbour.order(slug="branches")
        await operator.open(f"/instances/{ref}")
        boxes: dict[str, Any] = {}
        for name in ("publish_dns", "await_ssh", "transfer_files", "make_csr", "health_check"):
            await expect(operator.at(f"step-{name}")).to_be_visible()
            boxes[name] = await operator.at(f"step-{name}").bounding_box()
        assert boxes["transfer_files"]["x"] == pytest.approx(boxes["make_csr"]["x"], abs=1)
        assert boxes["publish_dns"]["x"] == pytest.approx(boxes["await_ssh"]["x"], abs=1)
        assert len({round(boxes[name]["y"]) for name in ("publish_dns", "transfer_files", "make_csr")}) == 3
        assert boxes["health_check"]["x"] > boxes["make_csr"]["x"]

    async def test_scrolling_up_stops_following_until_asked_again(self, harbour: Harbour, operator: Visitor) -> None:
        ref = await harbour.order(slug="scrolled")
        await harbour.write(ref, *[("log", "set_up_server", "out", f"line {number}") for number in range(120)])
        await operator.open(f"/instances/{ref}")
        log = operator.at("log-terminal")
        await expect(log).to_contain_text("line 119")
        await log.evaluate("log => { log.scrollTop = 0; }")
        await expect(operator.at("log-follow")).to_have_attribute("aria-pressed", "false")
        await harbour.write(ref, ("log", "set_up_server", "out", "the newest line"))
        await expect(log).to_contain_text("the newest line")
        assert await log.evaluate("log => log.scrollTop") == 0
        await operator.at("log-follow").click()
        assert await log.evaluate("log => log.scrollHeight - log.scrollTop - log.clientHeight") < 2

    async def test_a_step_shows_its_own_lines(self, harbour: Harbour, operator: Visitor) -> None:
        ref = await harbour.order(slug="picked")
        await harbour.write(ref, ("log", "reserve", "info", "about names"), ("log", "publish_dns", "info", "about DNS"))
        await operator.open(f"/instances/{ref}")
        await expect(operator.at("log-terminal")).to_contain_text("about DNS")
        await operator.at("step-reserve").click()
        await expect(operator.at("log-terminal")).not_to_contain_text("about DNS")
        await expect(operator.at("log-terminal")).to_contain_text("about names")

    async def test_data_is_text_and_a_script_is_no_address(self, harbour: Harbour, operator: Visitor) -> None:
        ref = await harbour.order(HOSTILE, slug="hostile")
        await harbour.write(ref, ("log", "reserve", "out", HOSTILE))
        await harbour.park(ref, "reserve", message=HOSTILE, editable=["product"], current={"product": HOSTILE})
        await operator.page.reload()
        await expect(operator.at("instance-hostile")).to_contain_text("<b>Bold</b>")
        await operator.open(f"/instances/{ref}")
        await expect(operator.at("log-terminal")).to_contain_text("<b>Bold</b>")
        await expect(operator.at("parked-reserve")).to_contain_text("<b>Bold</b>")
        await harbour.activate(ref)
        await harbour.set(ref, access_url="javascript:window.hacked=1", parked=[])
        await operator.page.reload()
        await expect(operator.at("open-app")).to_have_attribute("href", "#")
        assert await operator.page.evaluate("window.hacked") is None

    async def test_an_unknown_instance_is_said(self, operator: Visitor) -> None:
        await operator.open("/instances/00000000-0000-7000-8000-000000000000")
        await expect(operator.page.get_by_text("There is no such instance.")).to_be_visible()


class TestDecisions:
    async def test_a_retry_sends_only_what_was_corrected(self, harbour: Harbour, operator: Visitor) -> None:
        ref = await harbour.order(slug="corrected")
        current = {"migration_command": ["npm", "run", "migrate"], "environment": {"TZ": "UTC", "MODE": "full"}}
        await harbour.park(ref, "run_migrations", editable=list(current), current=current)
        await operator.open(f"/instances/{ref}")
        await expect(operator.at("parked-run_migrations")).to_contain_text("relation tenants exists already")
        await expect(operator.at("input-migration_command")).to_have_value("npm\nrun\nmigrate")
        await operator.at("add-environment").click()
        await operator.at("kv-name").last.fill("SKIP")
        await operator.at("kv-value").last.fill("0042")
        harbour.world.temporal.answer_update = lambda: "run_migrations"
        await operator.at("retry-run_migrations").click()
        await expect(operator.at("toast")).to_contain_text("is tried again")
        _, update, sent, _ = harbour.world.temporal.updates[-1]
        assert (update, sent.step) == ("retry_step", "run_migrations")
        assert sent.changes == {"environment": {"TZ": "UTC", "MODE": "full", "SKIP": "0042"}}

    async def test_what_is_typed_survives_news_of_the_run(self, harbour: Harbour, operator: Visitor) -> None:
        ref = await harbour.order(slug="typed")
        await harbour.park(ref, "create_server", editable=["product"], current={"product": "bladevps-x4"})
        await operator.open(f"/instances/{ref}")
        await operator.at("input-product").fill("bladevps-x8")
        await harbour.steps(ref, ("reserve", "started"), ("reserve", "done"))
        await harbour.set(ref, status_message="still waiting", seq=99)
        await expect(operator.at("status-message")).to_have_text("still waiting")
        await expect(operator.at("input-product")).to_have_value("bladevps-x8")
        await expect(operator.at("input-product")).to_be_focused()

    async def test_a_rollback_says_what_it_undoes_before_it_is_sent(self, harbour: Harbour, operator: Visitor) -> None:
        ref = await harbour.order(slug="undone")
        await harbour.steps(ref, ("reserve", "done"), ("create_server", "started"), ("create_server", "done"))
        await harbour.park(ref, "run_migrations")
        await operator.open(f"/instances/{ref}")
        await operator.at("rollback").click()
        dialog = operator.at("rollback-dialog")
        await expect(dialog).to_contain_text("The server is cancelled at the cloud")
        await expect(dialog).to_contain_text("may bill")
        await operator.page.keyboard.press("Escape")
        await expect(dialog).to_have_count(0)
        assert harbour.world.temporal.updates == []
        await expect(operator.at("rollback")).to_be_focused()
        await operator.at("rollback").click()
        await operator.at("rollback-reason").fill("wrong customer")
        await operator.at("rollback-dialog-confirm").click()
        await expect(dialog).to_have_count(0)
        assert harbour.world.temporal.updates[-1][2].reason == "wrong customer"

    async def test_a_rolled_back_run_keeps_its_own_graph_and_lists_its_proofs(
        self, harbour: Harbour, operator: Visitor
    ) -> None:
        ref = await harbour.order(slug="taken-back")
        await harbour.steps(ref, ("reserve", "started"), ("reserve", "done"), ("create_server", "started"))
        await harbour.steps(
            ref, ("create_server", "undoing"), ("create_server", "undone"), ("prove_absence", "undoing")
        )
        proofs = [{"what": "Name", "evidence": "NXDOMAIN", "at": "2025-01-19T10:30:00Z"}]
        await harbour.set(
            ref, status="failed", phase="rolled_back", ended_at=datetime.now(UTC), absence={"proofs": proofs}
        )
        await operator.open(f"/instances/{ref}")
        await expect(operator.at("status-chip")).to_have_text("Rolled back")
        await expect(operator.at("step-create_server")).to_have_attribute("data-state", "undone")
        await expect(operator.at("step-withdraw_dns")).to_have_count(0)
        await expect(operator.at("absence")).to_contain_text("NXDOMAIN")
        await expect(operator.at("terminate")).to_have_count(0)

    async def test_a_running_order_can_be_cancelled(self, harbour: Harbour, operator: Visitor) -> None:
        ref = await harbour.order(slug="stopped")
        await operator.open(f"/instances/{ref}")
        await operator.at("cancel-run").click()
        await operator.at("cancel-dialog-confirm").click()
        await expect(operator.at("cancel-dialog")).to_have_count(0)
        assert harbour.world.temporal.cancelled == [f"provision/{ref}"]

    async def test_termination_asks_for_the_name_and_shows_its_proofs(
        self, harbour: Harbour, operator: Visitor
    ) -> None:
        ref = await harbour.order(slug="gone-soon")
        await harbour.activate(ref)
        await operator.open(f"/instances/{ref}")
        await operator.at("terminate").click()
        confirm = operator.at("terminate-dialog-confirm")
        await expect(confirm).to_be_disabled()
        await operator.at("terminate-slug").fill("gone-soon")
        await confirm.click()
        await expect(operator.at("terminate-dialog")).to_have_count(0)
        assert f"terminate/{ref}" in harbour.world.temporal.started
        await harbour.write(ref, ("step", "withdraw_dns", "started", "Withdrawing DNS records"))
        await harbour.set(ref, phase="terminating", status_message="Withdrawing DNS records")
        await expect(operator.at("status-chip")).to_have_text("Terminating", timeout=15_000)
        for step in TERMINATION:
            await expect(operator.at(f"step-{step.name}")).to_be_visible()
        proofs = [{"what": "Server gone-soon-vps-1", "evidence": "404 at the cloud", "at": "2025-01-19T10:30:00Z"}]
        await harbour.set(ref, phase="terminated", ended_at=datetime.now(UTC),
                          absence={"proofs": proofs, "still_billed": "The contract", "billed_until": None})  # fmt: skip
        await expect(operator.at("absence")).to_contain_text("404 at the cloud")
        await expect(operator.at("absence")).to_contain_text("Still billed")

    async def test_credentials_are_shown_once(self, harbour: Harbour, operator: Visitor) -> None:
        ref = await harbour.order(slug="handed-over")
        await harbour.activate(ref)
        await operator.open(f"/instances/{ref}")
        await operator.at("reveal-credentials").click()
        await expect(operator.at("credential-password")).to_have_text("SecurePassword123!")
        await expect(operator.at("credential-email")).to_have_text("admin@acme.com")
        await operator.page.reload()
        await expect(operator.at("status-chip")).to_have_text("Active")
        await expect(operator.at("reveal-credentials")).to_be_hidden()

    async def test_a_refused_decision_is_said_with_its_request(self, harbour: Harbour, operator: Visitor) -> None:
        ref = await harbour.order(slug="refused")
        await harbour.park(ref, "run_migrations")
        await operator.open(f"/instances/{ref}")
        await expect(operator.at("retry-run_migrations")).to_be_visible()
        await harbour.world.set_row(ref, phase="rolled_back")
        await operator.at("retry-run_migrations").click()
        await expect(operator.at("toast")).to_contain_text("has been rolled back already")
        await expect(operator.at("toast")).to_contain_text("Request ")


class TestShape:
    async def test_no_page_is_wider_than_its_window(self, harbour: Harbour, sized: Visitor) -> None:
        tag = uuid.uuid4().hex[:6]
        await harbour.world.server(vps_name=f"a-server-with-quite-a-long-name-{tag}-vps-1")
        ref = await harbour.order("Zeeman Uitzendbureau Rotterdam en Omstreken", slug=f"s{tag}{'wide' * 10}")
        message = "Error: " + "unbroken" * 40
        await harbour.park(ref, "run_migrations", message=message, editable=["environment", "migration_command"],
                           current={"environment": {"A_RATHER_LONG_NAME": "value" * 30}})  # fmt: skip
        await harbour.write(ref, ("log", "run_migrations", "err", message))
        for place, mark in (("/new", "new-instance-form"), ("/", "attention"), (f"/instances/{ref}", "timeline"),
                            ("/password", "password-form"), ("/nowhere", "nav-fleet")):  # fmt: skip
            await sized.open(place)
            await expect(sized.at(mark)).to_be_visible()
            assert await sized.overflow() <= 0, place

    async def test_a_chosen_theme_stays(self, operator: Visitor) -> None:
        for wanted in ("light", "dark"):
            await operator.at("theme").click()
            await expect(operator.page.locator("html")).to_have_attribute("data-theme", wanted)
        await operator.page.reload()
        await expect(operator.page.locator("html")).to_have_attribute("data-theme", "dark")

    async def test_two_tabs_share_one_session_without_spending_a_token_twice(
        self, harbour: Harbour, operator: Visitor, browser: Browser
    ) -> None:
        copy = await operator.page.evaluate("sessionStorage.getItem('slipway.refresh')")
        second = await operator.page.context.new_page()
        await second.add_init_script(
            f"sessionStorage.getItem('slipway.refresh') ?? sessionStorage.setItem('slipway.refresh', '{copy}')"
        )
        await second.goto(operator.url)
        await expect(second.get_by_test_id("instances")).to_be_visible()
        await operator.page.reload()
        await expect(operator.at("instances")).to_be_visible()
        await expect(second.get_by_test_id("instances")).to_be_visible()
