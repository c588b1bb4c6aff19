"""The front of a sandbox cloud as an ASGI application: the way of every call, from faults to the cloud's own handling.

Behind it are real hosts of a driver; in front of it the product's own client, which knows of no sandbox.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from abc import ABC, abstractmethod
from collections import deque
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive, Scope, Send

from sandbox.clouds.admin import LOOPBACK, Admin
from sandbox.clouds.faults import Faults, again, cut, handled_unheard, send_text
from sandbox.clouds.life import Life
from sandbox.clouds.records import Server
from sandbox.clouds.store import Store
from sandbox.faults.effects import Effect
from sandbox.faults.machine import Call, Machine
from sandbox.hosts.driver import HostDriver

S = TypeVar("S", bound=Server)
I = TypeVar("I", bound=BaseModel)  # noqa: E741 - an invoice

REMEMBERED_CALLS = 2000
# Names the run a call is made for, so that its faults can be drawn from that run's seed. No product sends it.
RUN_HEADER = b"x-sandbox-run"


class CloudApp(ABC, Generic[S, I]):
    """Opens the driver when it starts up (ASGI lifespan) and closes it when it shuts down."""

    prefix: str  # the version, with which every path begins
    garbage: str  # the beginning of an answer, cut in the middle

    def __init__(
        self, store: Store, driver: HostDriver, life: Life[S], servers: type[S], invoices: type[I],
        machine: Machine | None,
    ) -> None:  # fmt: skip
        self._store = store
        self._driver = driver
        self._life = life
        self._kinds = servers, invoices
        self._drawn = machine
        self._faults = Faults(store, self.prefix)
        self._calls: deque[dict[str, Any]] = deque(maxlen=REMEMBERED_CALLS)
        self._admin = Admin(driver, self._faults, self._told)

    # ---- what a cloud says of its own

    @abstractmethod
    def call_of(self, method: str, path: str) -> Call:
        """The kind of a call by its method and its path behind the version."""

    @abstractmethod
    def error(self, status: int, text: str) -> str:
        """The body of an error with this sentence; empty for an empty one."""

    @abstractmethod
    def limited(self, seconds: float) -> tuple[str, dict[str, str]]:
        """The sentence and the headers of a 429 that is over in so many seconds."""

    @abstractmethod
    def records(self) -> dict[str, list[BaseModel]]:
        """What the admin's state shows."""

    @abstractmethod
    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The call as the cloud handles it: token, rate limit, route. `run`, `fault` and `twin` are in the scope."""

    @abstractmethod
    def erase(self, server: S) -> None:
        """Take what tells of a server out of the store; the server itself is out already."""

    # ---- for tests in the same process

    def servers_of(self, run: str) -> list[S]:
        """Every server a run ever ordered: also what is not listed yet and what is gone."""
        return [server for server in self._store.all(self._kinds[0]) if server.run == run]

    def living(self) -> list[S]:
        """Servers of all runs that are or will be, and that nobody has cancelled."""
        return [server for server in self._store.all(self._kinds[0]) if server.living]

    def invoices(self) -> list[I]:
        return self._store.all(self._kinds[1])

    async def forget(self, run: str) -> None:
        """Forget a run's servers, as if they had never been: a batch of thousands must not drag them all along."""
        servers = self.servers_of(run)
        with self._store.transaction():
            for server in servers:
                self._store.delete(self._kinds[0], server.name)
                self.erase(server)
        for server in servers:
            await self._life.forget(server.name)

    # ---- the way of a call

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] != "http":
            raise ValueError(f"the sandbox speaks HTTP, not {scope['type']}")
        elif scope["path"].startswith("/_sandbox/") and (scope.get("client") or ("",))[0] in LOOPBACK:
            await self._admin(scope, receive, send)
        elif scope["path"].startswith(f"{self.prefix}/"):
            await self._faulty(scope, receive, send)
        else:
            await self.send_error(send, 404, "Not found")

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._life.open()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": repr(error)})
            raise
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._life.close()
        self._store.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _faulty(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The call as the network and the front of the cloud let it through."""
        path = scope["path"].removeprefix(self.prefix)
        run = dict(scope["headers"]).get(RUN_HEADER, b"").decode()
        call = {"at": time.time(), "method": scope["method"], "path": path, "status": None, "fault": None}
        self._calls.append(call)
        fault: Effect | None = self._faults.take(scope["method"], path)
        if fault is None and self._drawn is not None:
            fault = self._drawn.take(run, self.call_of(scope["method"], path))
        call["fault"] = fault.do if fault else None
        # A client that dies while it asks needs no answer.
        with contextlib.suppress(ClientDisconnect):
            await self._meet(fault, {**scope, "run": run, "fault": fault}, receive, _noting(call, send), call)

    async def _meet(
        self, fault: Effect | None, scope: Scope, receive: Receive, send: Send, call: dict[str, Any]
    ) -> None:
        if fault is None or fault.do in {"delay", "hide", "late"}:
            if fault is not None and fault.do == "delay":
                await asyncio.sleep(fault.seconds)
            await self.handle(scope, receive, send)
        elif fault.do == "duplicate":
            request = Request(scope, receive)
            body = await request.body()
            await handled_unheard(self.handle, scope, again(body, receive))
            await self.handle({**scope, "twin": True}, again(body, receive), send)
        elif fault.do == "lose_answer":
            call["status"] = await handled_unheard(self.handle, scope, receive)
            await cut(receive)
        elif fault.do == "lose_request":
            await cut(receive)
        else:
            if fault.handled:
                await handled_unheard(self.handle, scope, receive)
            await self._break(fault, send)

    async def _break(self, fault: Effect, send: Send) -> None:
        if fault.do == "garbage":
            kind = "text/html" if fault.body.startswith("<") else "application/json"
            await send_text(send, 200, fault.body or self.garbage, headers=fault.headers, kind=kind)
        elif fault.do == "rate_limit":
            sentence, headers = self.limited(fault.seconds)
            await self.send_error(send, 429, sentence, headers)
        elif fault.body.startswith("<"):
            await send_text(send, fault.status, fault.body, headers=fault.headers, kind="text/html")
        else:
            await self.send_error(send, fault.status, fault.body, fault.headers)

    async def send_error(self, send: Send, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        body = self.error(status, text) if text else ""
        await send_text(send, status, body, headers=headers or {}, kind="application/json")

    def _told(self) -> dict[str, Any]:
        shown = {name: [record.model_dump(exclude={"user_data"}) for record in found]
                 for name, found in self.records().items()}  # fmt: skip
        return {**shown, "calls": [*self._calls]}


def seen_late(server: Server, scope: Scope) -> bool:
    """Whether a list lacks a server that lives: it may be behind, and neither says anything about the server."""
    fault: Effect | None = scope.get("fault")
    hidden = fault is not None and fault.do == "hide" and scope.get("run", "") in {"", server.run}
    return hidden or server.listed_at > time.time()


def ordered(scope: Scope, appear: float, installed: float) -> dict[str, Any]:
    """The members of a `Server` that an order's time and its faults decide. `installed`: seconds a birth takes."""
    now = time.time()
    fault: Effect = scope.get("fault") or Effect(do="late")
    appears_at = now + appear + fault.appear + (fault.seconds if scope.get("twin") else 0)
    return {
        "ordered_at": now,
        "appears_at": appears_at,
        "run": scope.get("run", ""),
        "listed_at": appears_at + fault.unlisted if fault.unlisted else 0,
        "unlocks_at": appears_at + installed + fault.locked if fault.locked else 0,
    }


def adding(headers: dict[str, str], send: Send) -> Send:
    """Sends answers with these headers too."""

    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *raw]}
        await send(message)

    return with_headers


def inner(scope: Scope, prefix: str, **more: Any) -> Scope:
    """The scope for a cloud's own routes, which know no version; URLs made from it do."""
    return {**scope, "root_path": prefix, **more}


def _noting(call: dict[str, Any], send: Send) -> Send:
    async def noting(message: Message) -> None:
        if message["type"] == "http.response.start":
            call["status"] = message["status"]
        await send(message)

    return noting
