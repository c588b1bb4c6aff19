"""The inventory page in a real browser: what it shows, what it lets one decide, and to whom it is shown."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect
from sqlalchemy import delete, insert, update

from db.base import new_id
from db.models import VpsInstance
from db.models_inventory import CloudResource, InventorySweep
from domain.statuses import Role
from tests.api.world import PASSWORD
from tests.portal.harbour import Harbour, Visitor

pytestmark = pytest.mark.browser
NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)


@pytest.fixture
async def ledger(harbour: Harbour) -> None:
    async with harbour.world.db.begin() as session:
        for table in (CloudResource, InventorySweep):
            await session.execute(delete(table))
        await session.execute(update(VpsInstance).values(provider_instance_id=None))
    ref = await harbour.order("Havenwerk", slug=f"h{new_id().hex[-10:]}")
    server = await harbour.world.server(
        vps_name=f"quay-{new_id().hex[-6:]}", provider_instance_id="demo-vps1", price_cents_month=2000
    )
    await harbour.place_on(ref, server)
    rows: list[dict[str, Any]] = [
        {"provider_ref": "demo-vps1", "state": "explained", "verdict": "explained", "vps_id": server,
         "price_cents_month": 2000},
        {"provider_ref": "demo-vps2", "state": "quarantined", "verdict": "surplus", "vps_id": server,
         "price_cents_month": 2000, "quarantined_at": NOW, "delete_after": NOW + timedelta(hours=72)},
        {"provider_ref": "demo-vps3", "state": "unexplained", "verdict": "foreign", "label": "<b>minecraft</b>" * 3},
    ]  # fmt: skip
    async with harbour.world.db.begin() as session:
        for row in rows:
            shape = {"id": new_id(), "provider": "transip", "product": "bladevps-x4", "address": "203.0.113.10"}
            await session.execute(insert(CloudResource).values(shape | row))
        reason = "the list may be short; known and not in it any more: 1"
        session.add(InventorySweep(id=new_id(), provider="transip", outcome="held", complete=True, listed=3,
                                   ended_at=NOW, reason=reason))  # fmt: skip


@pytest.mark.usefixtures("ledger")
class TestInventory:
    async def test_shows_the_bill_the_verdict_and_whom_each_server_is_for(self, operator: Visitor) -> None:
        await operator.turn_to("servers", "inventory")
        await expect(operator.at("inventory-totals")).to_contain_text("€40.00 a month for 3 servers, €20.00")
        await expect(operator.at("inventory-totals")).to_contain_text("1 without a known price")
        await expect(operator.at("inventory-sweep")).to_contain_text("transip: Nothing was touched")
        await expect(operator.at("inventory-sweep")).to_contain_text("not in it any more: 1")
        await expect(operator.at("resource-demo-vps1")).to_contain_text("Havenwerk")
        await expect(operator.at("resource-demo-vps2")).to_contain_text("Deleted after")
        await expect(operator.at("resource-demo-vps3")).to_contain_text("<b>minecraft</b>")
        for missing in ("adopt-demo-vps1", "release-demo-vps1", "release-demo-vps3"):
            await expect(operator.at(missing)).to_have_count(0)
        if folder := os.environ.get("SLIPWAY_SCREENSHOTS"):
            await operator.page.screenshot(path=Path(folder) / "inventory.png", full_page=True)

    async def test_a_deletion_asks_for_the_name_first(self, operator: Visitor) -> None:
        await operator.open("/inventory")
        await operator.at("release-demo-vps2").click()
        await expect(operator.at("release-dialog-confirm")).to_be_disabled()
        await operator.at("release-name").fill("demo-vps2")
        await operator.at("release-note").fill("proven by hand")
        await operator.at("release-dialog-confirm").click()
        await expect(operator.at("resource-demo-vps2")).to_contain_text("To be deleted")
        await expect(operator.at("resource-demo-vps2")).to_contain_text("proven by hand")

    async def test_leaving_alone_and_sweeping(self, harbour: Harbour, operator: Visitor) -> None:
        await operator.open("/inventory")
        await operator.at("adopt-demo-vps3").click()
        await operator.at("adopt-dialog-confirm").click()
        await expect(operator.at("resource-demo-vps3")).to_contain_text("Left alone")
        await operator.at("sweep-now").click()
        await expect(operator.at("toast").last).to_contain_text("A sweep has begun")
        assert "inventory/transip" in harbour.world.temporal.started

    async def test_a_refused_list_can_be_vouched_for(self, harbour: Harbour, operator: Visitor) -> None:
        refused = {"outcome": "refused", "complete": False, "reason": "the cloud lists no server at all; known: 3"}
        async with harbour.world.db.begin() as session:
            await session.execute(update(InventorySweep).values(**refused))
        await operator.open("/inventory")
        await operator.at("vouch").click()
        await operator.at("vouch-dialog-confirm").click()
        await expect(operator.at("toast").last).to_contain_text("A sweep has begun")
        _, call, _ = harbour.world.temporal.started["inventory/transip"]
        assert call.vouched

    async def test_is_no_wider_than_its_window(self, sized: Visitor) -> None:
        await sized.open("/inventory")
        await expect(sized.at("resource-demo-vps3")).to_be_visible()
        if folder := os.environ.get("SLIPWAY_SCREENSHOTS"):
            width = (sized.page.viewport_size or {})["width"]
            await sized.page.screenshot(path=Path(folder) / f"inventory-{width}.png", full_page=True)
        assert await sized.overflow() <= 0

    async def test_is_not_offered_to_others(self, harbour: Harbour, visitor: Visitor) -> None:
        await harbour.world.sign_in(Role.OPERATOR)
        await visitor.sign_in(harbour.world.username, PASSWORD)
        await expect(visitor.at("new-instance")).to_be_visible()
        await expect(visitor.at("nav-inventory")).to_have_count(0)
        await visitor.open("/inventory")
        await expect(visitor.page.get_by_text("shown to administrators")).to_be_visible()
