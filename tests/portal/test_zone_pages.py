"""Zones and their records in a real browser, over the real API; what their runs do is said by a stand-in."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest
from playwright.async_api import Browser, expect

import api.zone_access
from db.models_hosting import DnsZone
from db.queries import zone_changes
from domain.statuses import Role
from domain.zones import ChangeKind, ChangeState, ZoneSeen
from tests.api import zones
from tests.api.world import PASSWORD, World
from tests.api.zones import a_subscription, a_zone, changes_of, organization, put_row, values_of
from tests.portal.harbour import Harbour, Visitor
from tests.portal.test_office_pages import picture
from tests.sales import open_shop
from tests.standing import delivered

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a run that a stand-in does not have."""
    monkeypatch.setattr(api.zone_access, "WAIT_SECONDS", 0.2)


def carried_out(harbour: Harbour, *args: Any, **more: Any) -> None:
    """By the application's own thread, with its own connections."""
    world = harbour.world
    zones.carried_out(replace(world, db=world.app.state.services.db), *args, **more)


async def end(world: World, zone: DnsZone, state: ChangeState, message: str = "", trouble: str = "") -> None:
    """What waits ends, as its run writes it."""
    async with world.db.begin() as session:
        while (change := await zone_changes.next_of(session, zone.id)) is not None:
            await zone_changes.end(session, change.id, state, message, trouble=trouble)
            await session.refresh(change)


async def standing(world: World) -> DnsZone:
    """A zone of an order, with sets of its run and one of its customer."""
    owner = await organization(world)
    zone = await a_zone(world, owner, subscription_id=await a_subscription(world, owner), serial=2026112801)
    await put_row(world, zone, "@", "A", "192.0.2.80", managed=True)
    await put_row(world, zone, "@", "MX", "10 mx1.example.net", "20 mx2.example.net", managed=True)
    await put_row(world, zone, "shop", "CNAME", "shops.example.net")
    return zone


class TestList:
    async def test_zones_are_found_by_a_part_of_their_name_with_whose_they_are(
        self, harbour: Harbour, operator: Visitor
    ) -> None:
        owner = await organization(harbour.world)
        own, office = await a_zone(harbour.world, owner), await a_zone(harbour.world)
        await operator.turn_to("sales", "zones")
        await operator.at("filter-search").fill(own.zone_name[1:])
        await expect(operator.at(f"zone-{own.zone_name}")).to_contain_text(f"Firm {owner}")
        await expect(operator.at("zones").locator("tbody tr")).to_have_count(1)
        await operator.at("filter-search").fill(office.zone_name)
        await expect(operator.at(f"zone-{office.zone_name}")).to_contain_text("The office")
        await operator.at(f"zone-{office.zone_name}").locator("a").click()
        await expect(operator.page.locator("main h1")).to_have_text(office.zone_name)

    async def test_a_zone_is_added_and_a_name_that_cannot_be_one_is_refused_at_its_field(
        self, harbour: Harbour, operator: Visitor
    ) -> None:
        carried_out(harbour)
        name = f"n{uuid.uuid4().hex[:10]}.example"
        await operator.open("/zones")
        await operator.at("add-zone").click()
        await operator.at("zone-name").fill("a..example")
        await operator.at("zone-dialog-confirm").click()
        await expect(operator.at("zone-dialog").get_by_text("cannot be a part of a name").first).to_be_visible()
        await expect(operator.at("zone-name")).to_be_focused()
        await operator.at("zone-name").fill(name)
        await operator.at("zone-dialog-confirm").click()
        await expect(operator.page.locator("main h1")).to_have_text(name)
        await expect(operator.at("last-change")).to_contain_text("Published")

    async def test_a_customer_sees_the_own_zones_and_may_not_end_one(self, harbour: Harbour, visitor: Visitor) -> None:
        zone, foreign = await standing(harbour.world), await a_zone(harbour.world)
        await harbour.world.sign_in(Role.USER, organization_id=zone.organization_id)
        await visitor.sign_in(harbour.world.username, PASSWORD)
        await visitor.at("nav-zones").click()
        await expect(visitor.at("add-zone")).to_have_count(0)
        await expect(visitor.at(f"zone-{foreign.zone_name}")).to_have_count(0)
        await visitor.at(f"zone-{zone.zone_name}").locator("a").click()
        await expect(visitor.at(f"record-shop.{zone.zone_name}-CNAME")).to_contain_text("yours")
        for act in ("publish", "remove-zone"):
            await expect(visitor.at(act)).to_have_count(0)


class TestRecords:
    async def test_what_runs_keep_is_told_from_the_customers_and_cannot_be_changed(
        self, harbour: Harbour, operator: Visitor
    ) -> None:
        zone = await standing(harbour.world)
        await operator.open(f"/zones/{zone.id}")
        ours, theirs = operator.at(f"record-{zone.zone_name}-MX"), operator.at(f"record-shop.{zone.zone_name}-CNAME")
        await expect(ours).to_contain_text("kept by Slipway")
        await expect(ours).to_contain_text("20 mx2.example.net")
        await expect(ours.locator("button")).to_have_count(0)
        await expect(theirs).to_contain_text("the customer's")
        await operator.at("filter-type").select_option("CNAME")
        await expect(ours).to_have_count(0)
        await operator.at("filter-search").fill("nothing")
        await expect(operator.page.get_by_text("No record sets fit these filters")).to_be_visible()

    async def test_a_set_is_added_after_what_is_wrong_was_said_at_its_field(
        self, harbour: Harbour, operator: Visitor
    ) -> None:
        carried_out(harbour)
        zone = await standing(harbour.world)
        await operator.open(f"/zones/{zone.id}")
        await operator.at("add-records").click()
        await operator.at("record-name").fill("www")
        await operator.at("record-values").fill("192.0.2.1\nthe web server")
        await operator.at("record-dialog-confirm").click()
        await expect(operator.at("record-dialog")).to_contain_text("'the web server' is not an IP address")
        await expect(operator.at("record-values")).to_be_focused()
        await picture(operator, "record-form")
        await operator.at("record-values").fill("192.0.2.2\n192.0.2.1\n")
        await operator.at("record-ttl").fill("soon")
        await operator.at("record-dialog-confirm").click()
        await expect(operator.at("record-dialog")).to_contain_text("Write a whole number of seconds.")
        await operator.at("record-ttl").fill("300")
        await operator.at("record-dialog-confirm").click()
        await expect(operator.page.get_by_text("is published at every name server.")).to_be_visible()
        row = operator.at(f"record-www.{zone.zone_name}-A")
        await expect(row).to_contain_text("A · 5 min · the customer's")
        await expect(row).to_contain_text("Published")
        assert (await values_of(harbour.world, zone))[f"www.{zone.zone_name}", "A"] == ("192.0.2.1", "192.0.2.2")

    async def test_an_addition_takes_no_other_sets_place(self, harbour: Harbour, operator: Visitor) -> None:
        zone = await standing(harbour.world)
        await put_row(harbour.world, zone, "www", "A", "192.0.2.7")
        await operator.open(f"/zones/{zone.id}")
        await operator.at("add-records").click()
        for name in ("WWW", f"www.{zone.zone_name}."):
            await operator.at("record-name").fill(name)
            await operator.at("record-values").fill("192.0.2.8")
            await operator.at("record-dialog-confirm").click()
            await expect(operator.at("record-dialog")).to_contain_text(f"There are A records at www.{zone.zone_name}")
        assert await changes_of(harbour.world, zone.id) == []

    async def test_a_change_is_followed_until_it_is_seen_everywhere(self, harbour: Harbour, operator: Visitor) -> None:
        zone = await standing(harbour.world)
        name = f"shop.{zone.zone_name}"
        await operator.open(f"/zones/{zone.id}")
        await operator.at(f"change-{name}-CNAME").click()
        await expect(operator.at("record-name")).to_be_disabled()
        await operator.at("record-values").fill("others.example.net")
        await operator.at("record-dialog-confirm").click()
        row = operator.at(f"record-{name}-CNAME")
        await expect(row).to_contain_text("Being published")
        await expect(row).to_contain_text("others.example.net")
        await end(harbour.world, zone, ChangeState.PUBLISHED)
        await expect(row).to_contain_text("Published", timeout=15_000)
        await expect(row).not_to_contain_text("Being published")

    async def test_one_that_could_not_be_published_says_why_and_is_asked_for_again(
        self, harbour: Harbour, operator: Visitor
    ) -> None:
        carried_out(harbour, ChangeState.FAILED, trouble="Transient", message="192.0.2.54 does not answer")
        zone = await standing(harbour.world)
        name = f"shop.{zone.zone_name}"
        await operator.open(f"/zones/{zone.id}")
        await operator.at(f"remove-{name}-CNAME").click()
        await operator.at("remove-records-dialog-confirm").click()
        await expect(operator.at("remove-records-dialog")).to_contain_text("192.0.2.54 does not answer")
        await operator.page.keyboard.press("Escape")
        row = operator.at(f"record-{name}-CNAME")
        await expect(row).to_contain_text("Not taken away")
        await expect(row).to_contain_text("Wanted no more")
        await picture(operator, "zone-failed")
        carried_out(harbour)
        await operator.at(f"again-{name}-CNAME").click()
        await expect(row).to_have_count(0)
        assert [change.state for change in await changes_of(harbour.world, zone.id)] == ["failed", "published"]

    async def test_a_look_tells_what_the_name_servers_answer_and_is_forgotten_of_what_changes(
        self, harbour: Harbour, operator: Visitor
    ) -> None:
        zone = await standing(harbour.world)
        name = f"shop.{zone.zone_name}"
        harbour.world.temporal.answer_plan = lambda: ZoneSeen(
            serial=7, differing={f"{name} CNAME": "a set that is not ours is there"},
            unlisted=[f"old.{zone.zone_name} A"], behind="192.0.2.54:53 has serial 6")  # fmt: skip
        await operator.open(f"/zones/{zone.id}")
        await operator.at("look").click()
        answer = operator.at("look-answer")
        for said in ("Not everywhere", "192.0.2.54:53 has serial 6", "1 set differs", f"old.{zone.zone_name} A"):
            await expect(answer).to_contain_text(said)
        row = operator.at(f"record-{name}-CNAME")
        await expect(row).to_contain_text("At the name server: a set that is not ours is there")
        await expect(operator.at(f"record-{zone.zone_name}-A")).to_contain_text("Seen there")
        await picture(operator, "zone-look")
        await put_row(harbour.world, zone, "shop", "CNAME", "others.example.net")
        await expect(row).not_to_contain_text("At the name server", timeout=15_000)
        await operator.at("look-close").click()
        await expect(operator.at("look")).to_be_focused()
        await expect(answer).to_have_count(0)


class TestZone:
    async def test_one_that_failed_is_published_again(self, harbour: Harbour, operator: Visitor) -> None:
        zone = await a_zone(harbour.world, status="PENDING")
        async with harbour.world.db.begin() as session:
            await zone_changes.ask(session, zone, ChangeKind.ZONE, "ada")
        await end(harbour.world, zone, ChangeState.FAILED, "another zone of that name is there", "Conflict")
        await operator.open(f"/zones/{zone.id}")
        await expect(operator.at("status-chip")).to_have_text("Not published")
        await expect(operator.at("status-message")).to_have_text("another zone of that name is there")
        carried_out(harbour)
        await operator.at("publish").click()
        await expect(operator.page.get_by_text("is published as its rows say.")).to_be_visible()
        await expect(operator.at("last-change")).to_contain_text("Published")

    async def test_the_end_asks_for_the_name_and_one_of_an_order_has_none(
        self, harbour: Harbour, operator: Visitor
    ) -> None:
        zone, ordered = await a_zone(harbour.world), await standing(harbour.world)
        await operator.open(f"/zones/{ordered.id}")
        await expect(operator.at("publish")).to_be_visible()
        await expect(operator.at("remove-zone")).to_have_count(0)
        await operator.open(f"/zones/{zone.id}")
        await operator.at("remove-zone").click()
        await operator.at("remove-confirm").fill(ordered.zone_name)
        await expect(operator.at("remove-dialog-confirm")).to_be_disabled()
        await operator.at("remove-confirm").fill(zone.zone_name)
        await operator.at("remove-dialog-confirm").click()
        await expect(operator.at("status-chip")).to_have_text("Being taken away")

    async def test_one_that_is_gone_keeps_its_last_export(self, harbour: Harbour, operator: Visitor) -> None:
        zone = await a_zone(harbour.world, status="REMOVED", last_export="www\t3600\tIN\tA\t192.0.2.1\n")
        await operator.open(f"/zones/{zone.id}")
        await expect(operator.at("last-export")).to_contain_text("192.0.2.1")
        await expect(operator.at("records")).to_have_count(0)

    async def test_a_subscription_and_an_order_lead_to_it(self, harbour: Harbour, operator: Visitor) -> None:
        made = await delivered(harbour.world.db, await open_shop(harbour.world.db))
        await operator.open(f"/orders/{made.order.id}")
        await operator.at("to-zone").click()
        await operator.at("to-subscription").click()
        await operator.at(f"zone-{made.order.domain_name}").click()
        await expect(operator.page.locator("main h1")).to_have_text(str(made.order.domain_name))


async def test_a_set_is_added_with_the_keyboard_alone(harbour: Harbour, operator: Visitor) -> None:
    carried_out(harbour)
    zone = await standing(harbour.world)
    await operator.open(f"/zones/{zone.id}")
    await expect(operator.page.locator("main h1")).to_be_focused()
    keys = operator.page.keyboard
    await operator.at("add-records").focus()
    await keys.press("Enter")
    await expect(operator.at("record-name")).to_be_focused()
    await keys.type("api")
    await keys.press("Tab")
    await keys.press("ArrowDown")
    await keys.press("Tab")
    await keys.press("Tab")
    await keys.type("2001:db8::1")
    await keys.press("Tab")
    await keys.press("Tab")
    await expect(operator.at("record-dialog-confirm")).to_be_focused()
    await keys.press("Enter")
    await expect(operator.at(f"record-api.{zone.zone_name}-AAAA")).to_contain_text("2001:db8::1")
    await expect(operator.at("add-records")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
async def test_the_pages_fit_and_can_be_read(harbour: Harbour, browser: Browser, scheme: str, width: int) -> None:
    visitor = await Visitor.arrive(browser, harbour.url, viewport={"width": width, "height": 900}, color_scheme=scheme)
    await visitor.sign_in(harbour.world.username, PASSWORD)
    zone = await standing(harbour.world)
    await put_row(harbour.world, zone, "_dmarc", "TXT", "v=DMARC1; p=reject; " + "rua=mailto:reports@example.net; " * 5)
    harbour.world.temporal.answer_plan = lambda: ZoneSeen(serial=7, published="everywhere")
    await visitor.open("/zones")
    await expect(visitor.at(f"zone-{zone.zone_name}")).to_be_visible()
    await picture(visitor, f"zones-{width}-{scheme}")
    assert await visitor.overflow() <= 0
    await visitor.open(f"/zones/{zone.id}")
    await visitor.at("look").click()
    await expect(visitor.at(f"record-{zone.zone_name}-A")).to_contain_text("Seen there")
    await picture(visitor, f"zone-{width}-{scheme}")
    assert await visitor.overflow() <= 0
    await visitor.at("add-records").click()
    await expect(visitor.at("record-dialog")).to_be_in_viewport(ratio=1)
    await picture(visitor, f"record-{width}-{scheme}")
    assert await visitor.overflow() <= 0
    await visitor.leave()
