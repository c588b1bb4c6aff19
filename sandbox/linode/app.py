"""Linode's API v4 as an ASGI application: over the token and the rate limits to its route."""

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
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sandbox.clouds.accounts import Accounts
from sandbox.clouds.front import CloudApp, adding, inner
from sandbox.clouds.rates import Rates
from sandbox.clouds.store import Store
from sandbox.faults.machine import Call, Machine
from sandbox.hosts.driver import HostDriver
from sandbox.linode import wire
from sandbox.linode.general import General
from sandbox.linode.instances import Instances
from sandbox.linode.machines import Machines
from sandbox.linode.records import Event, Invoice, Limits, Linode, Timings
from sandbox.linode.wire import NOT_FOUND, Refusal

TOO_MANY = "Too many requests"
LISTS = re.compile(r"/(linode/(instances|types|stackscripts)|regions|images|account/events|tags)")


def create_linode_app(
    state_dir: Path,
    driver: HostDriver,
    *,
    accounts: dict[str, str],
    timings: Timings | None = None,
    limits: Limits | None = None,
    limits_of: dict[str, Limits] | None = None,
    machine: Machine | None = None,
) -> LinodeApp:
    """`accounts` maps names to tokens; each has the `limits`, or its own in `limits_of`.

    `machine` draws faults for the runs that calls name. What must be remembered lies in `state_dir`.
    """
    each = {name: (limits_of or {}).get(name, limits or Limits()) for name in accounts}
    return LinodeApp(state_dir, driver, accounts, timings or Timings(), each, machine)


class LinodeApp(CloudApp[Linode, Invoice]):
    prefix = "/v4"
    garbage = '{"data": [{"id": 9000, "label": "half-an-ans'

    def __init__(
        self, state_dir: Path, driver: HostDriver, accounts: dict[str, str], timings: Timings,
        limits: dict[str, Limits], machine: Machine | None,
    ) -> None:  # fmt: skip
        store = Store(state_dir / "linode.sqlite3")
        machines = Machines(store, driver, timings)
        super().__init__(store, driver, machines, Linode, Invoice, machine)
        self._accounts = Accounts(store, accounts)
        self._limits = limits
        self._rates = Rates()
        self._admin.add("/accounts/{name}/{verb}", self._accounts.act)
        self._routes = Starlette(
            routes=Instances(store, machines, timings, limits).routes() + General(store).routes(),
            exception_handlers={Refusal: _refuse, HTTPException: _refuse_route},
        )

    def call_of(self, method: str, path: str) -> Call:
        if path == "/linode/instances":
            return Call.ORDER if method == "POST" else Call.LIST
        if re.fullmatch(r"/linode/instances/\d+", path):
            return {"GET": Call.SHOW, "DELETE": Call.CANCEL}.get(method, Call.CHANGE)
        return Call.READ if method == "GET" else Call.CHANGE

    def error(self, status: int, text: str) -> str:
        return json.dumps(wire.errors_of(text))

    def limited(self, seconds: float) -> tuple[str, dict[str, str]]:
        wait = max(1, math.ceil(seconds))
        reset = str(math.ceil(time.time() + seconds))
        return TOO_MANY, {"X-RateLimit-Limit": "200", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset,
                          "Retry-After": str(wait)}  # fmt: skip

    def records(self) -> dict[str, list[BaseModel]]:
        linodes, events = self._store.all(Linode), self._store.all(Event)
        return {"linodes": [*linodes], "events": [*events], "invoices": [*self.invoices()]}

    def erase(self, server: Linode) -> None:
        for event in self._store.all(Event):
            if event.linode == server.id:
                self._store.delete(Event, str(event.id))
        for invoice in self.invoices():
            if invoice.server == server.name:
                self._store.delete(Invoice, invoice.number)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix(self.prefix)
        account = self._accounts.of(Request(scope).headers.get("Authorization", ""))
        if account is None:
            await self.send_error(send, 401, "Invalid Token")
            return
        limits = self._limits[account]
        if (scope["method"], path) == ("POST", "/linode/instances"):
            name, window = "creates", limits.creates
        elif scope["method"] == "GET" and LISTS.fullmatch(path):
            name, window = "lists", limits.lists
        else:
            name, window = "others", limits.others
        full = self._rates.admit(account, {name: window})
        reset = self._rates.reset(account, name, window)
        send = adding({
            "X-OAuth-Scopes": "*",
            "X-Accepted-OAuth-Scopes": "*",
            "X-RateLimit-Limit": str(window.count),
            "X-RateLimit-Remaining": str(self._rates.left(account, name, window)),
            "X-RateLimit-Reset": str(math.ceil(reset)),
        }, send)  # fmt: skip
        if full is None:
            await self._routes(inner(scope, self.prefix, account=account), receive, send)
        else:
            wait = {"Retry-After": str(max(1, math.ceil(reset - time.time())))}
            await self.send_error(send, 429, TOO_MANY, wait)


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return wire.answer(wire.errors_of(error.reason, error.field), error.status)


async def _refuse_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    reason = NOT_FOUND if error.status_code == 404 else str(error.detail)
    return wire.answer(wire.errors_of(reason), error.status_code)
