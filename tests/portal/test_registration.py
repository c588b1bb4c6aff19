"""An account of one's own in a real browser: from the sign-in page to the mail's link and in."""

from __future__ import annotations

import uuid

import pytest
from playwright.async_api import expect

from tests.api.test_registration import link
from tests.portal.harbour import Harbour, Visitor
from tests.portal.test_office_pages import picture

pytestmark = pytest.mark.browser

PASSWORD = "three unrelated words"


async def test_somebody_registers_and_opens_the_account_by_the_mails_link(harbour: Harbour, visitor: Visitor) -> None:
    harbour.world.app.state.services.settings.registration_open = True
    email = f"r{uuid.uuid4().hex}@example.com"
    await visitor.page.reload()
    await visitor.at("register").click()
    await visitor.at("register-name").fill("Ann")
    await visitor.at("register-email").fill(email)
    await visitor.at("register-password").fill(PASSWORD)
    await visitor.at("register-again").fill("something else")
    await visitor.at("register-send").click()
    await expect(visitor.at("register-form")).to_contain_text("The two passwords differ.")
    await picture(visitor, "register")
    await visitor.at("register-again").fill(PASSWORD)
    await visitor.at("register-send").click()
    await expect(visitor.at("register-form")).to_contain_text("a mail with a link is on its way")

    await visitor.page.goto(f"{harbour.url}/#/register/confirm?token={await link(harbour.world, email)}")
    await visitor.at("confirm-password").fill("not the one I chose")
    await visitor.at("confirm-send").click()
    await expect(visitor.at("confirm-form")).to_contain_text("This is not the password that was chosen.")
    await visitor.at("confirm-password").fill(PASSWORD)
    await picture(visitor, "register-confirm")
    await visitor.at("confirm-send").click()
    await expect(visitor.at("confirm-form")).to_contain_text("Account opened")
    await visitor.page.get_by_text("To the sign-in").click()
    await visitor.sign_in(email, PASSWORD)


async def test_where_nobody_may_register_there_is_no_link_to_it(visitor: Visitor) -> None:
    await expect(visitor.at("forgot")).to_be_visible()
    await expect(visitor.at("register")).to_be_hidden()
    await visitor.page.goto(f"{visitor.url}/#/register")
    await visitor.at("register-name").fill("Ann")
    await visitor.at("register-email").fill("ann@example.com")
    await visitor.at("register-password").fill(PASSWORD)
    await visitor.at("register-again").fill(PASSWORD)
    await visitor.at("register-send").click()
    await expect(visitor.at("register-form-problem")).to_contain_text("ask an administrator for an invitation")
