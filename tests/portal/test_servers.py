"""Bare servers in a real browser: listed, ordered from what a cloud offers, acted on, deleted, and their runs."""

from __future__ import annotations

import os
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Request, expect
from sqlalchemy import func, text, update

from db.models import Deployment, VpsInstance
from db.models_clouds import ProviderCache, ServerAction
from db.queries import servers as queries
from domain.offers import Offer
from domain.statuses import Role
from providers.cloud.base import App, Image, Region, Size, StackScript
from tests.api.world import PASSWORD, temporal_is_away
from tests.offering import account, keep
from tests.portal.harbour import Harbour, Visitor

pytestmark = pytest.mark.browser

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2rB0k0XQ3iZxk9zVn6o9u2fS3l5y8m6l0jJ8cB7a0d ada"
SMALL = Size(id="s-1vcpu-1gb", label="Basic - 1GB", vcpus=1, memory_mb=1024, disk_gb=25, transfer_gb=1000,
             hourly=Decimal("0.00893"), monthly=Decimal("6.00"), regions=["nyc3", "ams3"])  # fmt: skip
LARGE = Size(id="s-2vcpu-4gb", label="Basic - 4GB", vcpus=2, memory_mb=4096, disk_gb=80, transfer_gb=4000,
             hourly=Decimal("0.03571"), monthly=Decimal("24.00"), regions=["nyc3"])  # fmt: skip
NANODE = Size(id="g6-nanode-1", label="Nanode 1GB", vcpus=1, memory_mb=1024, disk_gb=25, transfer_gb=1000,
              hourly=Decimal("0.0075"), monthly=Decimal("5.00"),
              region_prices={"br-gru": (Decimal("0.0105"), Decimal("7.00"))})  # fmt: skip
UBUNTU = Image(id="1", slug="ubuntu-24-04-x64", label="Ubuntu 24.04 (LTS) x64", min_disk_gb=7)
HUGE = Image(id="2", slug="huge-x64", label="Huge x64", min_disk_gb=60)
SNAPSHOT = Image(id="4711", label="before-the-move", kind="custom", public=False)
DEBIAN = Image(id="linode/debian13", slug="linode/debian13", label="Debian 13")
ALPINE = Image(id="linode/alpine3.22", slug="linode/alpine3.22", label="Alpine 3.22")
APP = App(slug="wordpress", name="WordPress", category="CMS", image_slug="wordpress-20-04")
SCRIPT = StackScript(id=12345, label="LAMP", description="Apache, MySQL and PHP", images=["linode/debian13"],
                     fields=[{"name": "hostname", "label": "The host's name", "example": "web.example.com"},
                             {"name": "php", "label": "PHP", "oneof": "8.3,8.4", "default": "8.4"},
                             {"name": "db_password", "label": "Password of the database"}])  # fmt: skip


@pytest.fixture(autouse=True)
async def empty(harbour: Harbour) -> None:
    async with harbour.world.db.begin() as session:
        await session.execute(text("truncate vps_instances, service_providers cascade"))


@pytest.fixture
async def clouds(harbour: Harbour) -> None:
    """Accounts at two clouds, and what these were seen to offer."""
    db = harbour.world.db
    ocean, linode = await account(db, "digitalocean"), await account(db, "linode")
    for ref, resource, items in (
        (ocean, Offer.REGIONS, [Region(id="nyc3", label="New York 3"), Region(id="ams3", label="Amsterdam 3"),
                                Region(id="sfo1", label="San Francisco 1", available=False)]),
        (ocean, Offer.PLANS, [LARGE, SMALL]), (ocean, Offer.IMAGES, [UBUNTU, HUGE, SNAPSHOT]),
        (ocean, Offer.MARKETPLACE, [APP]),
        (linode, Offer.REGIONS, [Region(id="us-east", label="Newark"), Region(id="br-gru", label="Sao Paulo")]),
        (linode, Offer.PLANS, [NANODE]), (linode, Offer.IMAGES, [DEBIAN, ALPINE]),
        (linode, Offer.STACKSCRIPTS, [SCRIPT]),
    ):  # fmt: skip
        await keep(db, ref, resource, items)


async def ordered(harbour: Harbour, label: str = "web-1", kind: str = "digitalocean", **changes: Any) -> dict[str, Any]:
    provider = await account(harbour.world.db, kind)
    body = {"provider_type": kind, "provider_id": str(provider), "label": label, "type": "s-1vcpu-1gb",
            "region": "nyc3", "image": "ubuntu-24-04-x64", "sshKeys": [KEY]} | changes  # fmt: skip
    answer = await harbour.world.client.post("/api/vps", json=body)
    assert answer.status_code == 202, answer.text
    made: dict[str, Any] = answer.json()["instance"]
    return made


async def stands(harbour: Harbour, server: dict[str, Any], **columns: Any) -> None:
    """As the run leaves it."""
    values = {"lifecycle": "active", "power_state": "running", "provider_instance_id": f"d-{uuid.uuid4().hex[:8]}",
              "vps_ip": "192.0.2.17", "ipv6_address": "2001:db8::17", "seen_at": datetime.now(UTC) + timedelta(hours=1),
              "specs": {"cpu": 1, "ram_mb": 1024, "disk_gb": 25, "transfer_gb": 1000}, "price_cents_month": 600,
              "currency": "USD", "hourly_rate": Decimal("0.00893")}  # fmt: skip
    ref = uuid.UUID(server["id"])
    async with harbour.world.db.begin() as session:
        await session.execute(update(VpsInstance).where(VpsInstance.id == ref).values(values | columns))
        run = {"phase": "active", "status": "active", "status_message": "Server ready"}
        await session.execute(update(Deployment).where(Deployment.vps_id == ref).values(run))


async def asked(harbour: Harbour, server: dict[str, Any], action: str, **columns: Any) -> None:
    async with harbour.world.db.begin() as session:
        made = await queries.ask(session, uuid.UUID(server["id"]), action, "ada")
        assert made is not None
        if columns:
            await session.execute(update(ServerAction).where(ServerAction.id == made.id).values(**columns))


async def shot(page: Visitor, name: str) -> None:
    if folder := os.environ.get("SLIPWAY_SCREENSHOTS"):
        await page.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def sent_to(page: Visitor, place: str) -> list[dict[str, Any]]:
    """The bodies of POSTs to one address, from now on."""
    bodies: list[dict[str, Any]] = []

    def note(request: Request) -> None:
        if request.method == "POST" and request.url.endswith(place):
            bodies.append(request.post_data_json or {})

    page.page.on("request", note)
    return bodies


class TestList:
    async def test_no_server_is_said_and_one_can_be_ordered(self, operator: Visitor) -> None:
        await operator.at("group-servers").click()
        await expect(operator.at("servers-list")).to_contain_text("from the moment it is ordered until it is deleted")
        await operator.at("servers-list").get_by_role("link", name="New server").click()
        await expect(operator.at("new-server-form")).to_be_visible()

    async def test_servers_of_all_clouds_stand_there_and_are_filtered(
        self, harbour: Harbour, operator: Visitor
    ) -> None:
        web, mail = await ordered(harbour, "web-1"), await ordered(harbour, "mail-1", "linode", region="us-east")
        await ordered(harbour, "new-1", "linode", region="us-east")
        await stands(harbour, web)
        await stands(harbour, mail, power_state="stopped")
        await asked(harbour, mail, "shutdown", state="done", ended_at=func.now())
        await operator.open("/servers")
        for what in ("DigitalOcean, nyc3", "Running", "s-1vcpu-1gb", "1 vCPU, 1 GB, 25 GB disk", "192.0.2.17", "$6.00"):
            await expect(operator.at("vps-web-1")).to_contain_text(what)
        await expect(operator.at("vps-mail-1").get_by_test_id("server-chip")).to_have_text("Stopped")
        await expect(operator.at("vps-mail-1")).to_contain_text("Shutdown")
        await expect(operator.at("vps-new-1").get_by_test_id("server-chip")).to_have_text("Being made")
        await expect(operator.at("vps-new-1")).to_contain_text("No address yet")
        await shot(operator, "servers")
        await operator.at("filter-provider_type").select_option("digitalocean")
        await expect(operator.at("vps-mail-1")).to_have_count(0)
        await expect(operator.at("vps-web-1")).to_be_visible()
        assert "provider_type=digitalocean" in operator.page.url
        await operator.at("filter-lifecycle").select_option("terminated")
        await expect(operator.at("servers-list")).to_contain_text("No servers fit these filters")

    async def test_a_customer_orders_and_sees_no_berths(self, harbour: Harbour, visitor: Visitor) -> None:
        await harbour.world.sign_in(Role.USER)
        await visitor.sign_in(harbour.world.username, PASSWORD)
        await visitor.open("/servers")
        await expect(visitor.at("new-server")).to_be_visible()

    async def test_who_only_looks_is_offered_nothing(self, harbour: Harbour, visitor: Visitor) -> None:
        server = await ordered(harbour)
        await stands(harbour, server)
        await harbour.world.sign_in(Role.SUPPORT)
        await visitor.sign_in(harbour.world.username, PASSWORD)
        await visitor.open("/servers")
        await expect(visitor.at("vps-web-1")).to_be_visible()
        await expect(visitor.at("new-server")).to_have_count(0)
        await visitor.open(f"/servers/{server['id']}")
        await expect(visitor.at("server-facts")).to_be_visible()
        await expect(visitor.at("server-actions-card")).to_be_hidden()


@pytest.mark.usefixtures("clouds")
class TestOrder:
    async def test_a_digitalocean_order_is_sent_as_documented(self, harbour: Harbour, operator: Visitor) -> None:
        bodies = sent_to(operator, "/api/vps")
        await operator.open("/servers/new")
        await operator.at("server-label").fill("web-1")
        await expect(operator.at("server-size").locator("option")).to_have_count(2)
        await operator.at("server-region").select_option("ams3")
        await expect(operator.at("server-size").locator("option")).to_have_count(1)
        await operator.at("server-region").select_option("nyc3")
        await expect(operator.at("server-region").locator("option[value=sfo1]")).to_be_disabled()
        await expect(operator.at("server-image").locator("option[value=huge-x64]")).to_be_disabled()
        await operator.at("server-size").select_option("s-2vcpu-4gb")
        await expect(operator.at("server-price")).to_contain_text("$24.00 a month")
        await expect(operator.at("server-price")).to_contain_text("$0.03571")
        await operator.at("server-image").select_option("4711")
        await operator.at("server-keys").fill(f"{KEY}\n\n12345\n")
        await operator.at("server-monitoring").check()
        await operator.at("server-tags").fill("production, web")
        await operator.at("server-user-data").fill("#cloud-config\npackages: [htop]\n")
        await shot(operator, "new-server")
        await operator.at("submit-server").click()
        await expect(operator.page.get_by_role("heading", name="web-1")).to_be_visible()
        await expect(operator.at("server-chip")).to_have_text("Being made")
        assert bodies == [{
            "provider_type": "digitalocean", "label": "web-1", "type": "s-2vcpu-4gb", "region": "nyc3", "image": "4711",
            "sshKeys": [KEY, "12345"], "tags": ["production", "web"], "backups": False, "monitoring": True,
            "ipv6": False, "userData": "#cloud-config\npackages: [htop]\n",
        }]  # fmt: skip

    async def test_an_application_comes_in_place_of_the_image(self, operator: Visitor) -> None:
        bodies = sent_to(operator, "/api/vps")
        await operator.open("/servers/new")
        await operator.at("server-label").fill("blog-1")
        await operator.at("server-app").select_option("wordpress")
        await expect(operator.at("server-image")).to_be_hidden()
        await operator.at("server-password").fill("SecurePassword123!")
        await operator.at("submit-server").click()
        await expect(operator.page.get_by_role("heading", name="blog-1")).to_be_visible()
        (body,) = bodies
        assert (body["appSlug"], body["image"], body["rootPassword"]) == ("wordpress", None, "SecurePassword123!")

    async def test_a_stackscript_asks_for_its_fields(self, operator: Visitor) -> None:
        bodies = sent_to(operator, "/api/vps")
        await operator.open("/servers/new")
        await operator.page.get_by_role("radio", name="Linode").check()
        await operator.at("server-label").fill("lamp-1")
        await operator.at("server-region").select_option("br-gru")
        await expect(operator.at("server-price")).to_contain_text("$7.00 a month")
        await operator.at("server-image").select_option("linode/alpine3.22")
        await expect(operator.at("server-stackscript").locator("option")).to_have_count(1)
        await operator.at("server-image").select_option("linode/debian13")
        await operator.at("server-stackscript").select_option("12345")
        await operator.at("server-keys").fill(KEY)
        await operator.at("submit-server").click()
        await expect(operator.at("stackscript-hostname")).to_have_attribute("aria-invalid", "true")
        await operator.at("stackscript-hostname").fill("lamp.example.com")
        await operator.at("stackscript-db_password").fill("hush-hush")
        await expect(operator.at("stackscript-db_password")).to_have_attribute("type", "password")
        await operator.at("server-privateIP").check()
        await shot(operator, "new-server-linode")
        await operator.at("submit-server").click()
        await expect(operator.page.get_by_role("heading", name="lamp-1")).to_be_visible()
        (body,) = bodies
        data = {"hostname": "lamp.example.com", "php": "8.4", "db_password": "hush-hush"}
        assert (body["stackscriptId"], body["stackscriptData"], body["privateIP"]) == (12345, data, True)
        assert "monitoring" not in body

    async def test_mistakes_stand_at_their_fields(self, operator: Visitor) -> None:
        bodies = sent_to(operator, "/api/vps")
        await operator.open("/servers/new")
        await operator.at("submit-server").click()
        await expect(operator.at("server-label")).to_be_focused()
        await expect(operator.page.get_by_text("nobody could sign in otherwise")).to_be_visible()
        await operator.at("server-tags").fill("no/slashes")
        await operator.at("server-password").fill("short")
        await operator.at("submit-server").click()
        for field in ("server-tags", "server-password"):
            await expect(operator.at(field)).to_have_attribute("aria-invalid", "true")
        assert bodies == []

    async def test_what_only_the_api_refuses_is_said_at_its_field_too(self, operator: Visitor) -> None:
        await operator.open("/servers/new")
        await operator.at("server-label").fill("web-1")
        await operator.at("server-keys").fill("x" * 5001)
        await operator.at("server-vpc").fill("nonsense")
        await operator.at("submit-server").click()
        for field in ("server-keys", "server-vpc"):
            await expect(operator.at(field)).to_have_attribute("aria-invalid", "true")
        await expect(operator.at("new-server-form")).to_be_visible()

    async def test_old_and_missing_lists_are_said_and_free_text_is_taken(
        self, harbour: Harbour, operator: Visitor
    ) -> None:
        harbour.world.temporal.answer_plan = _away
        await account(harbour.world.db, "transip", configuration={"default_region": "ams0"})
        async with harbour.world.db.begin() as session:
            old = {"fresh_until": datetime.now(UTC) - timedelta(minutes=1)}
            await session.execute(update(ProviderCache).values(old))
        bodies = sent_to(operator, "/api/vps")
        await operator.open("/servers/new")
        await operator.page.get_by_role("radio", name="DigitalOcean").check()
        await expect(operator.at("server-size-note")).to_contain_text("This list could not be renewed")
        await expect(operator.at("server-size").locator("option")).to_have_count(2)
        await operator.page.get_by_role("radio", name="TransIP").check()
        await expect(operator.at("server-size-note-free")).to_contain_text("Write it as the cloud spells it")
        await expect(operator.at("server-region").locator("option")).to_have_count(1)
        await operator.at("server-label").fill("web-1")
        await operator.at("server-size-free").fill("vps-bladevps-x4")
        await operator.at("server-image-free").fill("Debian 13")
        await operator.at("server-keys").fill(KEY)
        await shot(operator, "new-server-free")
        await operator.at("submit-server").click()
        await expect(operator.at("server-image-free")).to_have_attribute("aria-invalid", "true")
        await operator.at("server-image-free").fill("debian-13")
        await operator.at("submit-server").click()
        await expect(operator.page.get_by_role("heading", name="web-1")).to_be_visible()
        assert (bodies[-1]["type"], bodies[-1]["image"], bodies[-1]["region"]) == (
            "vps-bladevps-x4", "debian-13", "ams0")  # fmt: skip


def _away() -> None:
    raise temporal_is_away()


class TestServer:
    async def test_an_action_is_confirmed_sent_and_followed_to_its_end(
        self, harbour: Harbour, operator: Visitor
    ) -> None:
        server = await ordered(harbour)
        await stands(harbour, server)
        await operator.open(f"/servers/{server['id']}")
        await expect(operator.at("server-facts")).to_contain_text("US$6.00 / month, US$0.00893 / hour")
        await expect(operator.at("action-power_on")).to_be_disabled()
        await operator.at("action-power_cycle").click()
        await expect(operator.at("action-dialog")).to_contain_text("what is not written to disk is lost")
        await shot(operator, "server-dialog")
        await operator.page.keyboard.press("Escape")
        assert "ServerActions" not in str(harbour.world.temporal.started)
        await operator.at("action-reboot").click()
        await operator.at("action-dialog-confirm").click()
        await expect(operator.at("done-reboot")).to_contain_text("Waiting")
        await expect(operator.at("action-shutdown")).to_be_disabled()
        await expect(operator.at("delete-server")).to_be_disabled()
        async with harbour.world.db.begin() as session:
            failed = {"state": "failed", "ended_at": func.now(), "error_code": "API_ERROR",
                      "error_message": "The cloud said no."}  # fmt: skip
            await session.execute(update(ServerAction).values(failed))
        await expect(operator.at("done-reboot")).to_contain_text("The cloud said no.", timeout=20_000)
        await expect(operator.at("action-shutdown")).to_be_enabled()
        await shot(operator, "server")

    async def test_power_cycle_is_digitaloceans_alone_and_a_stopped_server_is_started_at_once(
        self, harbour: Harbour, operator: Visitor
    ) -> None:
        server = await ordered(harbour, kind="linode")
        await stands(harbour, server, power_state="stopped")
        await operator.open(f"/servers/{server['id']}")
        await expect(operator.at("action-power_on")).to_be_enabled()
        await expect(operator.at("action-power_cycle")).to_be_hidden()
        await operator.at("action-power_on").click()
        await expect(operator.at("done-power_on")).to_be_visible()

    async def test_a_refused_action_is_said_in_its_question(self, harbour: Harbour, operator: Visitor) -> None:
        server = await ordered(harbour)
        await stands(harbour, server)
        await operator.open(f"/servers/{server['id']}")
        await operator.at("action-shutdown").click()
        await asked(harbour, server, "reboot")
        await operator.at("action-dialog-confirm").click()
        await expect(operator.at("action-dialog")).to_contain_text("busy with reboot")

    async def test_a_deletion_asks_for_the_name_first(self, harbour: Harbour, operator: Visitor) -> None:
        server = await ordered(harbour)
        await stands(harbour, server)
        await operator.open(f"/servers/{server['id']}")
        await operator.at("delete-server").click()
        confirm = operator.at("delete-server-dialog-confirm")
        await expect(confirm).to_be_disabled()
        await operator.at("delete-label").fill("web-2")
        await expect(confirm).to_be_disabled()
        await operator.at("delete-label").fill("web-1")
        await confirm.click()
        await expect(operator.at("delete-server-dialog")).to_have_count(0)
        assert f"terminate/{server['deployment_id']}" in harbour.world.temporal.started

    async def test_a_cloud_that_is_silent_and_a_server_that_is_gone_are_said(
        self, harbour: Harbour, operator: Visitor
    ) -> None:
        server = await ordered(harbour)
        await stands(harbour, server, seen_at=datetime(2026, 8, 1, 12, tzinfo=UTC))
        harbour.world.temporal.answer_plan = _away
        await operator.open(f"/servers/{server['id']}")
        await expect(operator.at("server-notes")).to_contain_text("This may be old.")
        await expect(operator.at("server-notes")).to_contain_text("Last seen 1 Aug 2026")
        await operator.open("/servers/00000000-0000-7000-8000-000000000000")
        await expect(operator.page.get_by_text("There is no such server.")).to_be_visible()

    async def test_a_server_with_instances_on_it_names_them_and_is_not_deleted(
        self, harbour: Harbour, operator: Visitor
    ) -> None:
        ref = await harbour.world.server(vps_name="quay-vps-1", seen_at=datetime.now(UTC) + timedelta(hours=1))
        run = await harbour.order("Havenwerk", slug=f"h{uuid.uuid4().hex[:10]}")
        await harbour.place_on(run, ref)
        await operator.page.reload()
        await operator.at("server-quay-vps-1").get_by_role("link", name="quay-vps-1").click()
        await operator.at("server-notes").get_by_role("link", name="Havenwerk").wait_for()
        await expect(operator.at("delete-server")).to_be_hidden()
        await operator.at("action-reboot").click()
        await expect(operator.at("action-dialog")).to_contain_text("they are down meanwhile")


class TestRun:
    async def test_its_run_has_only_its_steps_and_leads_back(self, harbour: Harbour, operator: Visitor) -> None:
        server = await ordered(harbour)
        run = server["deployment_id"]
        await harbour.steps(run, ("reserve", "started"), ("reserve", "done"))
        await harbour.park(run, "create_server", trouble="QuotaExceeded", message="No room in nyc3")
        await operator.open(f"/servers/{server['id']}")
        await expect(operator.at("server-chip")).to_have_text("Needs a decision")
        await operator.at("server-run").click()
        await expect(operator.page.get_by_role("heading", name="web-1")).to_be_visible()
        await expect(operator.at("parked-create_server")).to_contain_text("No room in nyc3")
        await expect(operator.at("step-graph").first.locator("li")).to_have_count(4)
        await expect(operator.at("step-publish_dns")).to_have_count(0)
        await shot(operator, "server-run")
        await operator.at("rollback").click()
        await expect(operator.at("rollback-dialog")).to_contain_text("The reserved name and price are released")
        await operator.page.keyboard.press("Escape")
        await operator.at("open-server").click()
        await expect(operator.at("server-facts")).to_be_visible()

    async def test_a_bare_server_stands_in_the_fleet_under_its_own_name(
        self, harbour: Harbour, operator: Visitor
    ) -> None:
        server = await ordered(harbour, "berthless-1")
        await operator.open("/")
        await operator.at("filter-deployment_type").select_option("server")
        run = await harbour.row(server["deployment_id"])
        await expect(operator.at(f"instance-{run.slug}")).to_contain_text("Bare server")
        await operator.at("filter-search").fill("berthless")
        await expect(operator.at("instances").locator("tbody tr")).to_have_count(1)
        await shot(operator, "fleet-bare")


@pytest.mark.usefixtures("clouds")
class TestElsewhere:
    async def test_other_places_are_sent_in_their_order(self, harbour: Harbour, operator: Visitor) -> None:
        await account(harbour.world.db, "transip", configuration={"default_region": "ams0"})
        bodies = sent_to(operator, "/api/portal/instances")
        await operator.open("/new")
        slug = f"e{uuid.uuid4().hex[:10]}"
        for testid, typed in (("organization-name", f"Org {slug}"), ("slug", slug), ("admin-name", "John Doe"),
                              ("admin-email", "john@acme.com")):  # fmt: skip
            await operator.at(testid).fill(typed)
        await operator.page.get_by_role("radio", name="Dedicated").check()
        await operator.at("provider").select_option("linode")
        await expect(operator.page.get_by_text("bladevps-x2")).to_be_hidden()
        await operator.at("provider").select_option("transip")
        await expect(operator.page.get_by_text("bladevps-x2")).to_be_visible()
        for number, (cloud, region) in enumerate((("digitalocean", "ams3"), ("linode", ""), ("linode", "br-gru"))):
            await operator.at("add-fallback").click()
            await operator.at("fallback-provider").nth(number).select_option(cloud)
            await operator.at("fallback-region").nth(number).select_option(region)
        await operator.at("fallback-up").nth(2).click()
        await shot(operator, "new-instance")
        await operator.at("fallback-remove").nth(0).click()
        await operator.at("submit-instance").click()
        await expect(operator.at("step-graph").first).to_be_visible()
        assert bodies[0]["fallbacks"] == [{"provider": "linode", "region": "br-gru"}, {"provider": "linode"}]
        row = await harbour.row(operator.page.url.rsplit("/", 1)[1])
        kept = [(place["provider"], place["availability_zone"]) for place in row.inputs["fallbacks"]]
        assert kept == [("linode", "br-gru"), ("linode", "")]

    async def test_five_are_enough(self, operator: Visitor) -> None:
        await operator.open("/new")
        for _ in range(5):
            await operator.at("add-fallback").click()
        await expect(operator.at("add-fallback")).to_be_disabled()


@pytest.mark.parametrize("width", [360, 390, 1280])
@pytest.mark.usefixtures("clouds")
async def test_no_page_is_wider_than_its_window(harbour: Harbour, browser: Browser, width: int) -> None:
    page = await Visitor.arrive(browser, harbour.url, viewport={"width": width, "height": 900})
    await page.sign_in(harbour.world.username, PASSWORD)
    server = await ordered(harbour, "a-server-with-quite-a-long-name.rotterdam.example.com")
    await stands(harbour, server)
    await asked(harbour, server, "reboot", state="done", ended_at=func.now())
    await asked(harbour, server, "shutdown", state="failed", ended_at=func.now(), error_message="unbroken" * 30)
    for place, mark, name in (("/servers", "servers-list", "list"), ("/servers/new", "server-price", "order"),
                              (f"/servers/{server['id']}", "done-shutdown", "one"),
                              (f"/instances/{server['deployment_id']}", "timeline", "run"),
                              ("/new", "add-fallback", "instance")):  # fmt: skip
        await page.open(place)
        await expect(page.at(mark)).to_be_visible()
        if name == "instance":
            await page.at(mark).click()
            await page.at(mark).click()
        if name == "order":
            await expect(page.at("server-price")).to_contain_text("a month")
        if name == "list":
            await expect(page.page.get_by_role("link", name="a-server-with")).to_be_visible()
        await shot(page, f"{width}-{name}")
        assert await page.overflow() <= 0, place
    await page.leave()


async def test_the_bar_fits_at_every_width(operator: Visitor) -> None:
    await operator.open("/servers")
    await expect(operator.at("new-server")).to_be_visible()
    for width in range(360, 1100, 20):
        await operator.page.set_viewport_size({"width": width, "height": 800})
        assert await operator.overflow() <= 0, width
        await expect(operator.at("nav-servers")).to_be_in_viewport(ratio=1)
