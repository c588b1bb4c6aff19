"""What the portal's tests stand on: the real API behind a socket, and a browser page that notes every complaint."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from playwright.async_api import Browser, ConsoleMessage, Locator, Page, expect
from sqlalchemy import func, select, update

from db.base import new_id
from db.models import Deployment
from db.queries.journal import CHANNEL
from tests.api.world import World

# Interfaces of the lab come and go on the same machine; Chromium then aborts what it is loading.
_NOT_OURS = ("net::ERR_NETWORK_CHANGED", "net::ERR_FAILED", "Failed to load resource")
ENTRY_TRIES = 5

_CATCH_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (e) =>
  window.violations.push(`${e.violatedDirective} ${e.blockedURI}`));
"""


@contextlib.asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """The application in a thread with its own loop, on a free port; yields its address."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", ws="none", lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="portal-under-test", daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the API did not start")
        await asyncio.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await asyncio.to_thread(thread.join, 20)


@dataclass
class Visitor:
    """One browser page. `complaints` must be empty when a test ends."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    @classmethod
    async def arrive(cls, browser: Browser, url: str, **context: Any) -> Visitor:
        options: dict[str, Any] = {"viewport": {"width": 1600, "height": 1000}, "reduced_motion": "reduce"} | context
        made = await browser.new_context(**options)
        visitor = cls(await made.new_page(), url)
        visitor.page.on("console", visitor._said)
        visitor.page.on("pageerror", lambda error: visitor.complaints.append(f"uncaught: {error}"))
        await visitor.page.add_init_script(_CATCH_VIOLATIONS)
        return visitor

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(text in message.text for text in _NOT_OURS):
            self.complaints.append(f"{message.type}: {message.text}")

    def at(self, testid: str) -> Locator:
        return self.page.get_by_test_id(testid)

    async def enter(self) -> None:
        """Load the portal until the sign-in form stands there."""
        for last in [*[False] * (ENTRY_TRIES - 1), True]:
            with contextlib.suppress(Exception) if not last else contextlib.nullcontext():
                await self.page.goto(self.url)
                await self.at("sign-in-form").wait_for(timeout=8_000)
                return

    async def sign_in(self, name: str, password: str) -> None:
        if not await self.at("sign-in-form").is_visible():
            await self.enter()
        await self.at("username").fill(name)
        await self.at("password").fill(password)
        await self.at("sign-in").click()
        await expect(self.at("sign-in-form")).to_have_count(0)

    async def open(self, place: str) -> None:
        await self.page.evaluate("place => { location.hash = place }", place)

    async def turn_to(self, group: str, place: str) -> None:
        """By the bar, as people do."""
        await self.at(f"group-{group}").click()
        await self.at(f"nav-{place}").click()

    async def leave(self) -> None:
        self.complaints += await self.page.evaluate("window.violations ?? []")
        await self.page.context.close()
        assert self.complaints == []

    async def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        return int(
            await self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        )


@dataclass
class Harbour:
    """The API under test, and the rows that stage what a page shows."""

    url: str
    world: World

    async def order(self, name: str = "Kade & Zonen", **changes: Any) -> str:
        made = await self.world.create(organizationName=name, **changes)
        return str(made["deploymentId"])

    async def row(self, ref: str) -> Deployment:
        return await self.world.deployment(ref)

    async def set(self, ref: str, **columns: Any) -> None:
        await self.world.set_row(ref, **columns)
        await self._notify(ref)

    async def steps(self, ref: str, *rows: tuple[str, str]) -> None:
        """Step events as (step, state), now."""
        await self.write(ref, *[("step", step, state, f"{step}: {state}") for step, state in rows])

    async def write(self, ref: str, *rows: tuple[str, str, str, str]) -> None:
        await self.world.write_events(ref, *rows, at=datetime.now(UTC) - timedelta(seconds=len(rows)))
        await self._notify(ref)

    async def park(self, ref: str, step: str, **more: Any) -> None:
        now = datetime.now(UTC)
        wait: dict[str, Any] = {
            "step": step, "trouble": "MigrationFailed", "message": "relation tenants exists already",
            "since": (now - timedelta(minutes=12)).isoformat(), "until": (now + timedelta(hours=23)).isoformat(),
            "owner": "operator", "undoing": False, "editable": [], "current": {},
        }  # fmt: skip
        await self.steps(ref, (step, "started"), (step, "parked"))
        await self.set(ref, status="deploying", attention="awaiting_operator", parked=[wait | more])

    async def activate(self, ref: str) -> None:
        row = await self.row(ref)
        await self.set(ref, status="active", phase="active", status_message="Deployment complete",
                       access_url=f"https://{row.assigned_subdomain}", activated_at=datetime.now(UTC))  # fmt: skip

    async def count(self, slug: str) -> int:
        async with self.world.db.begin() as session:
            found = await session.execute(select(func.count()).select_from(Deployment).where(Deployment.slug == slug))
            return int(found.scalar_one())

    async def place_on(self, ref: str, server: str) -> None:
        async with self.world.db.begin() as session:
            from db.models import Placement

            session.add(Placement(id=new_id(), vps_id=uuid.UUID(server), deployment_id=uuid.UUID(ref), place=0))
            await session.execute(
                update(Deployment).where(Deployment.id == uuid.UUID(ref)).values(vps_id=uuid.UUID(server))
            )

    async def _notify(self, ref: str) -> None:
        async with self.world.db.begin() as session:
            await session.execute(select(func.pg_notify(CHANNEL, ref)))


def client_of(url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, trust_env=False)
