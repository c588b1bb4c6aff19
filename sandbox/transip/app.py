"""TransIP's REST API v6 as an ASGI application: over the token and the rate limit to its route."""

from __future__ import annotations

import json
import math
import re
import time
from pathlib import Path

from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from sandbox.clouds.front import RUN_HEADER, CloudApp, adding, inner
from sandbox.clouds.rates import Rates, Window
from sandbox.clouds.store import Store
from sandbox.faults.machine import Call, Machine
from sandbox.hosts.driver import HostDriver
from sandbox.transip import wire
from sandbox.transip.general import General
from sandbox.transip.machines import Machines
from sandbox.transip.records import Action, Invoice, Limits, Timings, Vps
from sandbox.transip.servers import Servers
from sandbox.transip.tokens import Authority
from sandbox.transip.wire import Refusal

__all__ = ["RUN_HEADER", "TransipApp", "create_transip_app"]

TOO_MANY = "Rate limit exceeded"
WINDOW = "requests"


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

    Everything the application must remember lies in `state_dir`.
    """
    for login in accounts:
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,24}", login):
            raise ValueError(f"a login of the sandbox names hosts, and '{login}' cannot")
    return TransipApp(state_dir, driver, accounts, timings or Timings(), limits or Limits(), machine)


class TransipApp(CloudApp[Vps, Invoice]):
    prefix = "/v6"
    garbage = '{"vpss": [{"name": "half-an-ans'

    def __init__(
        self, state_dir: Path, driver: HostDriver, accounts: dict[str, str], timings: Timings, limits: Limits,
        machine: Machine | None,
    ) -> None:  # fmt: skip
        store = Store(state_dir / "transip.sqlite3")
        machines = Machines(store, driver, timings)
        super().__init__(store, driver, machines, Vps, Invoice, machine)
        self._authority = Authority(store, state_dir / "token-key.pem", accounts)
        self._window = Window(count=limits.requests, seconds=limits.window)
        self._rates = Rates()
        self._admin.add("/vps/{name}/{verb}", self._block)
        self._admin.add("/tokens/revoke", self._revoke)
        self._routes = Starlette(
            routes=General(store).routes() + Servers(store, machines, timings).routes(),
            exception_handlers={Refusal: _refuse, HTTPException: _refuse_route},
        )

    def call_of(self, method: str, path: str) -> Call:
        if path == "/auth":
            return Call.AUTH
        if path == "/vps":
            return Call.ORDER if method == "POST" else Call.LIST
        if re.fullmatch(r"/vps/[^/]+", path):
            return {"GET": Call.SHOW, "DELETE": Call.CANCEL}.get(method, Call.CHANGE)
        return Call.READ

    def error(self, status: int, text: str) -> str:
        """An empty sentence gives an empty body, as real answers may have."""
        return json.dumps({"error": text})

    def limited(self, seconds: float) -> tuple[str, dict[str, str]]:
        return TOO_MANY, {**self._headers(""), **_reset(time.time() + seconds), "X-Rate-Limit-Remaining": "0"}

    def records(self) -> dict[str, list[BaseModel]]:
        return {"vpss": [*self._store.all(Vps)], "actions": [*self._store.all(Action)], "invoices": [*self.invoices()]}

    def erase(self, server: Vps) -> None:
        for action in self._store.all(Action):
            if server.name == action.resource or server.order == action.uuid:
                self._store.delete(Action, action.uuid)
        for invoice in self.invoices():
            if invoice.vps == server.name:
                self._store.delete(Invoice, invoice.number)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Token, rate limit, route. `/auth` has neither of the first two."""
        path = scope["path"].removeprefix(self.prefix)
        try:
            if path == "/auth":
                await (await self._auth(Request(scope, receive)))(scope, receive, send)
                return
            token = self._authority.check(Request(scope).headers.get("Authorization", ""))
        except Refusal as error:
            headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
            await self.send_error(send, error.status, error.text, headers)
            return
        full = self._rates.admit(token.login, {WINDOW: self._window})
        headers = self._headers(token.login)
        if full is not None:
            await self.send_error(send, 429, TOO_MANY, headers)
        elif token.read_only and scope["method"] != "GET":
            await self.send_error(send, 403, "Your access token is read-only", headers)
        else:
            await self._routes(inner(scope, self.prefix, login=token.login), receive, adding(headers, send))

    def _headers(self, login: str) -> dict[str, str]:
        return {
            "X-Rate-Limit-Limit": str(self._window.count),
            "X-Rate-Limit-Remaining": str(self._rates.left(login, WINDOW, self._window)),
            **_reset(self._rates.reset(login, WINDOW, self._window)),
        }

    async def _auth(self, request: Request) -> Response:
        if request.method != "POST":
            raise Refusal(405, "Method not allowed")
        raw = await request.body()
        body = await wire.body_of(request)
        token = self._authority.issue(raw, body, request.headers.get("Signature", ""))
        return wire.answer({"token": token}, 201)

    async def _block(self, request: Request) -> Response:
        """What TransIP's staff may do to a server: `block` and `unblock`."""
        vps = self._store.get(Vps, request.path_params["name"])
        verb = request.path_params["verb"]
        if vps is None or verb not in {"block", "unblock"}:
            raise HTTPException(404)
        self._store.put(vps.name, vps.model_copy(update={"blocked": verb == "block"}))
        return Response(status_code=204)

    async def _revoke(self, request: Request) -> Response:
        return JSONResponse({"revoked": self._authority.revoke_all()})


def _reset(at: float) -> dict[str, str]:
    return {"X-Rate-Limit-Reset": str(math.ceil(at))}


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return wire.refusal(error)


async def _refuse_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return wire.answer({"error": str(error.detail)}, error.status_code)
