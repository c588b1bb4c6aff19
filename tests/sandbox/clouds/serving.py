"""Emulators on real sockets, and what tests of all clouds ask of them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import httpx
import uvicorn
from starlette.types import ASGIApp

from tests.sandbox.clouds.judge import Judged
from tests.sandbox.transip.memory_driver import MemoryDriver

App = TypeVar("App")

SSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2rB0k0XQ3iZxk9zVn6o9u2fS3l5y8m6l0jJ8cB7a0d slipway"


@contextlib.asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """The address of a served application, without a slash at its end."""
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(
            uvicorn.Config(app, log_level="warning", lifespan="on", timeout_graceful_shutdown=1, server_header=False)
        )
        server.capture_signals = contextlib.nullcontext  # the test runner keeps its own
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            if task.done():
                await task
                raise RuntimeError("the emulator did not start")
            await asyncio.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


@dataclass
class Emulator(Generic[App]):
    """A running cloud: `url` is what its clients take, `http` speaks to its API with the first account's token."""

    url: str
    tokens: dict[str, str]
    driver: MemoryDriver
    app: App
    judge: Judged
    admin: httpx.AsyncClient
    http: httpx.AsyncClient

    def caller(self, account: str) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self.tokens[account]}"}
        return httpx.AsyncClient(base_url=self.http.base_url, headers=headers, trust_env=False, timeout=10)

    async def fault(self, do: str, *, method: str = ".*", path: str = ".*", **more: Any) -> None:
        rule = {"match": {"method": method, "path": path}, "do": do, **more}
        (await self.admin.post("/_sandbox/faults", json=rule)).raise_for_status()

    async def state(self) -> dict[str, Any]:
        return (await self.admin.get("/_sandbox/state")).raise_for_status().json()
