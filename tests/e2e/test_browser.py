"""A person at the portal, on the whole stack: sign in, order, watch, correct a stuck step, take the credentials."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.e2e.stack import Running
from tests.parts import require
from tests.portal.harbour import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

PATIENCE = 240_000  # milliseconds
SHOTS = os.environ.get("SLIPWAY_SCREENSHOTS")  # a folder: keep pictures for the documentation


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    require("chromium")
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking",
                  "--disable-component-update", "--disable-sync", "--no-first-run"],
        )  # fmt: skip
        yield launched
        await launched.close()


async def shot(page: Page, name: str) -> None:
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


async def sign_in(browser: Browser, stack: Running) -> Visitor:
    visitor = await Visitor.arrive(browser, stack.details["portal"])
    await visitor.enter()
    await visitor.at("username").fill(stack.details["username"])
    await visitor.at("password").fill(stack.details["password"])
    await visitor.at("sign-in").click()
    await expect(visitor.at("nav-new")).to_be_visible(timeout=30_000)
    return visitor


async def test_one_form_becomes_a_running_server(emulated: Running, browser: Browser) -> None:
    visitor = await sign_in(browser, emulated)
    page = visitor.page
    await visitor.at("nav-new").click()
    await visitor.at("organization-name").fill("Harbour Bakery")
    await expect(visitor.at("slug")).to_have_value("harbour-bakery")
    await page.get_by_role("radio", name="Dedicated").check()
    await visitor.at("admin-name").fill("Ada Baker")
    await visitor.at("admin-email").fill("ada@harbour-bakery.com")
    await visitor.at("preview-instance").click()
    await expect(visitor.at("plan-price")).to_contain_text("€", timeout=30_000)
    await shot(page, "order")
    await visitor.at("submit-instance").click()
    await expect(visitor.at("step-graph").first).to_be_visible(timeout=30_000)
    begun = re.compile("running|done")
    await expect(visitor.at("step-set_up_server").first).to_have_attribute("data-state", begun, timeout=PATIENCE)
    await shot(page, "run")
    await expect(visitor.at("log-terminal")).to_contain_text("Step 1/7: Setting up VPS")
    await expect(visitor.at("step-activate").first).to_have_attribute("data-state", "done", timeout=PATIENCE)
    await expect(visitor.at("open-app")).to_have_attribute("href", "https://harbour-bakery.slipway.test:8443")
    await visitor.at("reveal-credentials").click()
    await expect(visitor.at("credential-email")).to_contain_text("ada@harbour-bakery.com")
    await shot(page, "active")
    assert visitor.complaints == []


async def test_a_stuck_step_is_corrected_in_the_portal(emulated: Running, browser: Browser) -> None:
    deployment = emulated.order("rope-works", environment={"MIGRATION_TARGET": "no-such-version"})
    visitor = await sign_in(browser, emulated)
    emulated.until_parked(deployment, "run_migrations")
    await visitor.page.goto(f"{emulated.details['portal']}#/instances/{deployment}")
    await expect(visitor.at("parked-run_migrations")).to_be_visible(timeout=30_000)
    await shot(visitor.page, "parked")
    await visitor.at("kv-value").first.fill("")
    await visitor.at("kv-name").first.fill("")
    await visitor.at("retry-run_migrations").click()
    await expect(visitor.at("step-activate").first).to_have_attribute("data-state", "done", timeout=PATIENCE)
    assert visitor.complaints == []
