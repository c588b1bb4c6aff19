"""Users, products and the audit log in a real browser, over the real API."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest
from playwright.async_api import expect
from sqlalchemy import delete, select

from db.models import User
from db.models_mail import OutgoingMail
from domain.mails import INVITATION
from domain.statuses import Role
from tests.api.world import PASSWORD
from tests.portal.harbour import Harbour, Visitor

pytestmark = pytest.mark.browser


async def picture(visitor: Visitor, name: str) -> None:
    if folder := os.environ.get("PICTURES"):
        await visitor.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


async def test_a_user_is_added_disabled_and_deleted(operator: Visitor) -> None:
    name = f"ada{uuid.uuid4().hex[:8]}"
    await operator.turn_to("office", "users")
    await operator.at("add-user").click()
    await operator.at("user-name").fill("Ada Lovelace")
    await operator.at("user-email").fill(f"{name}@example.com")
    await operator.at("user-role").select_option("SUPPORT")
    await operator.at("user-dialog-confirm").click()
    await expect(operator.at("made-user")).to_have_text(name)
    first = await operator.at("made-password").inner_text()
    await operator.at("password-dialog-confirm").click()
    row = operator.at(f"user-{name}")
    await expect(row).to_contain_text("Ada Lovelace")
    await picture(operator, "users")
    await operator.at(f"switch-{name}").click()
    await expect(row).to_contain_text("isabled")
    await operator.at(f"delete-{name}").click()
    await operator.at("delete-dialog-confirm").click()
    await expect(row).to_have_count(0)
    assert len(first) >= 12


async def test_a_user_is_invited_by_a_mail(harbour: Harbour, operator: Visitor) -> None:
    name = f"eve{uuid.uuid4().hex[:8]}"
    await operator.open("/users")
    await operator.at("add-user").click()
    await operator.at("user-name").fill("Eve")
    await operator.at("user-email").fill(f"{name}@example.com")
    await operator.at("user-first").select_option("invite")
    await picture(operator, "user-invited")
    await operator.at("user-dialog-confirm").click()
    await expect(operator.page.get_by_text(f"{name} is added; the link goes to {name}@example.com.")).to_be_visible()
    await expect(operator.at(f"user-{name}")).to_be_visible()
    async with harbour.world.db.begin() as session:
        mail = (await session.execute(select(OutgoingMail).filter_by(recipient=f"{name}@example.com"))).scalar_one()
    assert mail.template == INVITATION


async def test_what_the_api_refuses_stands_at_its_field(harbour: Harbour, operator: Visitor) -> None:
    await operator.turn_to("office", "users")
    await operator.at("add-user").click()
    await operator.at("user-name").fill("Twin")
    await operator.at("user-email").fill(f"{harbour.world.username}@example.com")
    await operator.at("user-dialog-confirm").click()
    await expect(operator.at("user-dialog")).to_contain_text("Somebody else has this e-mail.")


async def test_several_users_change_at_once_and_refusals_are_named(harbour: Harbour, operator: Visitor) -> None:
    names = []
    for _ in range(2):
        await harbour.world.sign_in(Role.USER)
        names.append(harbour.world.username)
    kept, gone = names
    await operator.turn_to("office", "users")
    for name in names:
        await operator.at(f"choose-{name}").check()
    await operator.at("bulk-action").select_option("disable")
    await picture(operator, "users-bulk")
    async with harbour.world.db.begin() as session:
        await session.execute(delete(User).where(User.username == gone))
    await operator.at("bulk-apply").click()
    await operator.at("bulk-dialog-confirm").click()
    await expect(operator.at("bulk-results")).to_contain_text("1 of 2 were not changed")
    await expect(operator.at("bulk-results")).to_contain_text(f"{gone}: ")
    await expect(operator.at("bulk-results")).not_to_contain_text("undefined")
    await expect(operator.at(f"user-{kept}")).to_contain_text("isabled")


async def test_a_product_is_added_its_price_changed_and_it_is_retired(operator: Visitor) -> None:
    slug = f"web-{uuid.uuid4().hex[:8]}"
    await operator.turn_to("sales", "products")
    await operator.at("add-product").click()
    await operator.at("product-name").fill("Web Small")
    await operator.at("product-slug").fill(slug)
    await operator.at("price-amount").fill("4.995")
    await operator.at("product-dialog-confirm").click()
    await expect(operator.at("product-dialog")).to_contain_text("Write an amount like 12.50.")
    await operator.at("price-amount").fill("4.99")
    await picture(operator, "product-form")
    await operator.at("product-dialog-confirm").click()
    row = operator.at(f"product-{slug}")
    await expect(row).to_contain_text("4.99")
    await operator.at(f"edit-{slug}").click()
    await operator.at("price-amount").fill("5.99")
    await operator.at("product-dialog-confirm").click()
    await expect(row).to_contain_text("5.99")
    await picture(operator, "products")
    await operator.at(f"retire-{slug}").click()
    await operator.at("retire-dialog-confirm").click()
    await expect(row).to_have_count(0)


async def test_the_audit_says_who_did_what(harbour: Harbour, operator: Visitor) -> None:
    await operator.turn_to("office", "audit")
    await operator.at("filter-actor").fill(harbour.world.username)
    await expect(operator.at("audit")).to_contain_text("auth.login")
    await picture(operator, "audit")


async def test_roles_see_only_the_pages_they_may_read(harbour: Harbour, visitor: Visitor) -> None:
    await harbour.world.sign_in(Role.SUPPORT)
    await visitor.sign_in(harbour.world.username, PASSWORD)
    await expect(visitor.at("nav-audit")).to_be_visible()
    await visitor.at("group-sales").click()
    for page in ("nav-users", "nav-products", "nav-tenants", "group-office"):
        await expect(visitor.at(page)).to_have_count(0)


async def test_the_pages_fit_every_width(sized: Visitor) -> None:
    for page in ("/users", "/products", "/audit"):
        await sized.open(page)
        await expect(sized.page.locator("main h1")).to_be_visible()
        await expect(sized.at(page.strip("/"))).to_be_visible()
        await expect(sized.page.locator("main .skeleton")).to_have_count(0)
        await picture(
            sized, f"{page.strip('/')}-{sized.page.viewport_size['width'] if sized.page.viewport_size else 0}"
        )
        width = await sized.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert width[0] <= width[1], page
