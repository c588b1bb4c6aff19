"""A forgotten password in a real browser: from the sign-in page to the mail's link and back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.async_api import expect
from sqlalchemy import select

from db.models_mail import OutgoingMail
from db.queries import mails
from domain.mails import PASSWORD_RESET
from tests.portal.harbour import Harbour, Visitor

pytestmark = pytest.mark.browser

NEW = "three unrelated words"


async def mailed(harbour: Harbour) -> str:
    """The token that the newest mail to the harbour's user carries."""
    async with harbour.world.db.begin() as session:
        query = select(OutgoingMail).filter_by(
            template=PASSWORD_RESET, recipient=f"{harbour.world.username}@example.com"
        )
        mail = (await session.execute(query)).scalar_one()
        token = await mails.token_of(session, harbour.world.app.state.services.keys, mail.id)
    assert token is not None
    return token


async def picture(visitor: Visitor, name: str) -> None:
    if folder := os.environ.get("PICTURES"):
        await visitor.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


async def test_a_forgotten_password_is_replaced_by_a_link_from_a_mail(harbour: Harbour, visitor: Visitor) -> None:
    await visitor.at("forgot").click()
    await visitor.at("forgot-send").click()
    await expect(visitor.at("forgot-form")).to_contain_text("Enter the e-mail address")
    await picture(visitor, "forgot")
    await visitor.at("forgot-email").fill(f"{harbour.world.username}@example.com")
    await visitor.at("forgot-send").click()
    await expect(visitor.at("forgot-form")).to_contain_text("If an account has this address")

    await visitor.page.goto(f"{harbour.url}/#/reset?token={await mailed(harbour)}")
    await visitor.at("reset-password").fill(NEW)
    await visitor.at("reset-again").fill("something else")
    await visitor.at("reset-send").click()
    await expect(visitor.at("reset-form")).to_contain_text("differ")
    await visitor.at("reset-again").fill(NEW)
    await picture(visitor, "reset")
    await visitor.at("reset-send").click()
    await expect(visitor.at("reset-form")).to_contain_text("Your password is changed")
    await visitor.page.get_by_text("To the sign-in").click()
    await visitor.sign_in(harbour.world.username, NEW)


async def test_a_link_that_is_over_says_so(visitor: Visitor) -> None:
    await visitor.page.goto(f"{visitor.url}/#/reset?token=nothing")
    await visitor.at("reset-password").fill(NEW)
    await visitor.at("reset-again").fill(NEW)
    await visitor.at("reset-send").click()
    await expect(visitor.at("reset-form-problem")).to_contain_text("does not work any more")
    await picture(visitor, "reset-over")
