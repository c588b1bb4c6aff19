"""The portal in Chromium, served by the real API over a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from playwright.async_api import Browser, async_playwright
from temporalio.client import Client

from api.app import create_app
from db.session import Database
from tests.api.world import PASSWORD, StandInTemporal, World, make_settings
from tests.parts import require
from tests.portal.harbour import Harbour, Visitor, client_of, served

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    require("chromium")
    async with async_playwright() as engine:
        started = await engine.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        await started.close()


@pytest.fixture
async def harbour(db: Database, pg_url: str) -> AsyncIterator[Harbour]:
    temporal = StandInTemporal()
    settings = make_settings(pg_url, base_domain="recruitiq.test")
    app = create_app(settings, temporal=cast(Client, temporal))
    async with served(app) as url, client_of(url) as client:
        world = World(app, client, db, temporal, settings)
        await world.sign_in()
        yield Harbour(url, world)


@pytest.fixture
async def visitor(harbour: Harbour, browser: Browser) -> AsyncIterator[Visitor]:
    """A page at the sign-in form."""
    made = await Visitor.arrive(browser, harbour.url)
    await made.enter()
    yield made
    await made.leave()


@pytest.fixture
async def operator(harbour: Harbour, visitor: Visitor) -> Visitor:
    """A page signed in as an administrator."""
    await visitor.sign_in(harbour.world.username, PASSWORD)
    return visitor


@pytest.fixture(params=[{"width": 360, "height": 740}, {"width": 1600, "height": 1000}], ids=["phone", "wide"])
async def sized(harbour: Harbour, browser: Browser, request: Any) -> AsyncIterator[Visitor]:
    made = await Visitor.arrive(browser, harbour.url, viewport=request.param)
    await made.sign_in(harbour.world.username, PASSWORD)
    yield made
    await made.leave()
