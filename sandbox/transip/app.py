"""TransIP's REST API v6 as an ASGI application: the way of every call, from faults over the token to its route.

Behind it are real hosts of a driver; in front of it the product's own client, which knows of no sandbox.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections import deque
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from sandbox.faults.effects import Effect
from sandbox.faults.machine import Machine
from sandbox.hosts.driver import HostDriver
from sandbox.transip import wire
from sandbox.transip.admin import LOOPBACK, Admin
from sandbox.transip.faults import GARBAGE, Faults, again, call_of, cut, handled_unheard, send_error, send_text
from sandbox.transip.general import General
from sandbox.transip.machines import Machines
from sandbox.transip.rates import Rates
from sandbox.transip.records import Action, Invoice, Limits, Timings, Vps
from sandbox.transip.servers import Servers
from sandbox.transip.store import Store
from sandbox.transip.tokens import Authority
from sandbox.transip.wire import Refusal

PREFIX = "/v6"
REMEMBERED_CALLS = 2000
# Names the run a call is made for, so that its faults can be drawn from that run's seed. No product sends it.
RUN_HEADER = b"x-sandbox-run"


def create_transip_app(
    state_dir: Path,
    driver: HostDriver,
    *,
    accounts: dict[str, str],
    timings: Timings | None = None,
    limits: Limits | None = None,
    machine: Machine | None = None,
) -> TransipApp:
    """`accounts` maps logins to PEM public keys; `machine` draws faults for the runs that calls name.

    The application opens the driver when it starts up (ASGI lifespan) and closes it when it shuts down; everything it
    must remember lies in `state_dir`.
    """
    for login in accounts:
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,24}", login):
            raise ValueError(f"a login of the sandbox names hosts, and '{login}' cannot")
    return TransipApp(state_dir, driver, accounts, timings or Timings(), limits or Limits(), machine)


class TransipApp:
    def __init__(
        self, state_dir: Path, driver: HostDriver, accounts: dict[str, str], timings: Timings, limits: Limits,
        machine: Machine | None,
    ) -> None:  # fmt: skip
        self._drawn = machine
        self._driver = driver
        self._store = Store(state_dir / "transip.sqlite3")
        self._authority = Authority(self._store, state_dir / "token-key.pem", accounts)
        self._machines = Machines(self._store, driver, timings)
        self._faults = Faults(self._store)
        self._rates = Rates(limits)
        self._calls: deque[dict[str, Any]] = deque(maxlen=REMEMBERED_CALLS)
        self._admin = Admin(self._store, driver, self._faults, self._authority, self._calls).app()
        self._routes = Starlette(
            routes=General(self._store).routes() + Servers(self._store, self._machines, timings).routes(),
            exception_handlers={Refusal: _refuse, HTTPException: _refuse_route},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] != "http":
            raise ValueError(f"the sandbox speaks HTTP, not {scope['type']}")
        elif scope["path"].startswith("/_sandbox/"):
            if (scope.get("client") or ("",))[0] in LOOPBACK:
                await self._admin(scope, receive, send)
            else:
                await send_error(send, 404, "Not found", {})
        elif scope["path"].startswith(f"{PREFIX}/"):
            await self._faulty(scope, receive, send)
        else:
            await send_error(send, 404, "Not found", {})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._machines.open()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": repr(error)})
            raise
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._machines.close()
        self._store.close()
        await send({"type": "lifespan.shutdown.complete"})

    def servers_of(self, run: str) -> list[Vps]:
        """Every server a run ever ordered: also what is not listed yet and what is gone."""
        return [vps for vps in self._store.all(Vps) if vps.run == run]

    def living(self) -> list[Vps]:
        """Servers of all runs that are or will be, and that nobody has cancelled."""
        return [vps for vps in self._store.all(Vps) if vps.phase not in {"ending", "gone"} and vps.cancelled is None]

    def invoices(self) -> list[Invoice]:
        return self._store.all(Invoice)

    async def forget(self, run: str) -> None:
        """Forget a run's servers, as if they had never been: a batch of thousands must not drag them all along."""
        names = {vps.name: vps.order for vps in self.servers_of(run)}
        with self._store.transaction():
            for name in names:
                self._store.delete(Vps, name)
            for action in self._store.all(Action):
                if action.resource in names or action.uuid in names.values():
                    self._store.delete(Action, action.uuid)
            for invoice in self._store.all(Invoice):
                if invoice.vps in names:
                    self._store.delete(Invoice, invoice.number)
        for name in names:
            self._machines.leave(name)
            await self._driver.destroy(name)

    async def _faulty(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The call as the network and the front of the cloud let it through."""
        path = scope["path"].removeprefix(PREFIX)
        run = dict(scope["headers"]).get(RUN_HEADER, b"").decode()
        call = {"at": time.time(), "method": scope["method"], "path": path, "status": None, "fault": None}
        self._calls.append(call)
        fault: Effect | None = self._faults.take(scope["method"], path)
        if fault is None and self._drawn is not None:
            fault = self._drawn.take(run, call_of(scope["method"], path))
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
            await self._handle(scope, receive, send)
        elif fault.do == "duplicate":
            request = Request(scope, receive)
            body = await request.body()
            await handled_unheard(self._handle, scope, again(body, receive))
            await self._handle({**scope, "twin": True}, again(body, receive), send)
        elif fault.do == "lose_answer":
            call["status"] = await handled_unheard(self._handle, scope, receive)
            await cut(receive)
        elif fault.do == "lose_request":
            await cut(receive)
        else:
            if fault.handled:
                await handled_unheard(self._handle, scope, receive)
            await self._break(fault, send)

    async def _break(self, fault: Effect, send: Send) -> None:
        if fault.do == "garbage":
            kind = "text/html" if fault.body.startswith("<") else "application/json"
            await send_text(send, 200, fault.body or GARBAGE, headers=fault.headers, kind=kind)
        elif fault.do == "rate_limit":
            headers = self._rates.headers("", reset=time.time() + fault.seconds)
            await send_error(send, 429, "Rate limit exceeded", {**headers, "X-Rate-Limit-Remaining": "0"})
        elif fault.body.startswith("<"):
            await send_text(send, fault.status, fault.body, headers=fault.headers, kind="text/html")
        else:
            await send_error(send, fault.status, fault.body, fault.headers)

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The call as the cloud handles it: token, rate limit, route. `/auth` has neither of the first two."""
        request, path = Request(scope, receive), scope["path"].removeprefix(PREFIX)
        try:
            if path == "/auth":
                await (await self._auth(request))(scope, receive, send)
                return
            token = self._authority.check(request.headers.get("Authorization", ""))
        except Refusal as error:
            headers = {} if path == "/auth" else self._rates.headers("")
            await send_error(send, error.status, error.text, headers)
            return
        if not self._rates.admit(token.login):
            await send_error(send, 429, "Rate limit exceeded", self._rates.headers(token.login))
            return
        send = _adding(self._rates.headers(token.login), send)
        if token.read_only and scope["method"] != "GET":
            await send_error(send, 403, "Your access token is read-only", {})
            return
        inner = {**scope, "path": path, "raw_path": path.encode(), "root_path": "", "login": token.login}
        await self._routes(inner, receive, send)

    async def _auth(self, request: Request) -> Response:
        if request.method != "POST":
            raise Refusal(405, "Method not allowed")
        raw = await request.body()
        body = await wire.body_of(request)
        token = self._authority.issue(raw, body, request.headers.get("Signature", ""))
        return wire.answer({"token": token}, 201)


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return wire.refusal(error)


async def _refuse_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return wire.answer({"error": str(error.detail)}, error.status_code)


def _noting(call: dict[str, Any], send: Send) -> Send:
    async def noting(message: Message) -> None:
        if message["type"] == "http.response.start":
            call["status"] = message["status"]
        await send(message)

    return noting


def _adding(headers: dict[str, str], send: Send) -> Send:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def adding(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *raw]}
        await send(message)

    return adding
