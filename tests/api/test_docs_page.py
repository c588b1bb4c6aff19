"""The API's own documentation in a browser, without any other host and without breaking its own policy."""

from __future__ import annotations

import pytest
from playwright.async_api import async_playwright

from tests.api.world import World
from tests.parts import require


@pytest.mark.browser
async def test_draws_every_operation_and_asks_nobody_else(live: World) -> None:
    require("chromium")
    asked: list[str] = []
    complaints: list[str] = []
    async with async_playwright() as engine:
        browser = await engine.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = await browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        base = str(live.client.base_url)
        await page.goto(f"{base}/docs")
        await page.get_by_text("/api/portal/instances/{deployment_id}/status").first.wait_for()
        shown = await page.locator("#operations summary code").all_inner_texts()
        await page.locator("#operations summary", has_text="/api/portal/instances").first.click()
        text = await page.locator("#operations").inner_text()
        await browser.close()
    paths = (await live.client.get("/openapi.json")).json()["paths"]
    assert sorted(shown) == sorted(path for path, methods in paths.items() for _ in methods)
    assert "Idempotency-Key" in text
    assert "Acme Corp" in text
    assert [url for url in asked if not url.startswith(base)] == []
    assert complaints == []
