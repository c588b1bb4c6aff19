"""DigitalOcean's API v2 as an ASGI application: over the token and the rate limits to its route."""

from __future__ import annotations

import json
import math
import re
import time
import uuid
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
from sandbox.digitalocean import wire
from sandbox.digitalocean.droplets import Droplets
from sandbox.digitalocean.general import General
from sandbox.digitalocean.machines import Machines
from sandbox.digitalocean.records import Action, Droplet, Invoice, Limits, SshKey, Timings
from sandbox.digitalocean.wire import NOT_FOUND, Refusal
from sandbox.faults.machine import Call, Machine
from sandbox.hosts.driver import HostDriver

HOUR, BURST, KEYS = "hour", "burst", "keys"
# By the limit that is reached: of an hour, or of a minute.
TOO_MANY = {HOUR: "API Rate limit exceeded.", BURST: "Too many requests", KEYS: "Too many requests"}


def create_digitalocean_app(
    state_dir: Path,
    driver: HostDriver,
    *,
    accounts: dict[str, str],
    timings: Timings | None = None,
    limits: Limits | None = None,
    limits_of: dict[str, Limits] | None = None,
    machine: Machine | None = None,
) -> DigitalOceanApp:
    """`accounts` maps names to tokens; each has the `limits`, or its own in `limits_of`.

    `machine` draws faults for the runs that calls name. What must be remembered lies in `state_dir`.
    """
    each = {name: (limits_of or {}).get(name, limits or Limits()) for name in accounts}
    return DigitalOceanApp(state_dir, driver, accounts, timings or Timings(), each, machine)


class DigitalOceanApp(CloudApp[Droplet, Invoice]):
    prefix = "/v2"
    garbage = '{"droplets": [{"id": 50000, "name": "half-an-ans'

    def __init__(
        self, state_dir: Path, driver: HostDriver, accounts: dict[str, str], timings: Timings,
        limits: dict[str, Limits], machine: Machine | None,
    ) -> None:  # fmt: skip
        store = Store(state_dir / "digitalocean.sqlite3")
        self._machines = Machines(store, driver, timings)
        super().__init__(store, driver, self._machines, Droplet, Invoice, machine)
        self._accounts = Accounts(store, accounts)
        self._limits = limits
        self._rates = Rates()
        self._admin.add("/accounts/{name}/{verb}", self._accounts.act)
        self._admin.add("/droplets/{id:int}/fail", self._admin_fail)
        self._routes = Starlette(
            routes=Droplets(store, self._machines, timings, limits).routes() + General(store, limits).routes(),
            exception_handlers={Refusal: _refuse, HTTPException: _refuse_route},
        )

    def call_of(self, method: str, path: str) -> Call:
        if path == "/droplets":
            return Call.ORDER if method == "POST" else Call.LIST
        if re.fullmatch(r"/droplets/\d+", path):
            return Call.CANCEL if method == "DELETE" else Call.SHOW
        return Call.READ if method == "GET" else Call.CHANGE

    def error(self, status: int, text: str) -> str:
        return json.dumps(wire.error_of(status, text))

    def limited(self, seconds: float) -> tuple[str, dict[str, str]]:
        reset = str(math.ceil(time.time() + seconds))
        headers = {"ratelimit-limit": "5000", "ratelimit-remaining": "0", "ratelimit-reset": reset}
        return TOO_MANY[BURST], {**headers, "retry-after": str(max(1, math.ceil(seconds)))}

    def records(self) -> dict[str, list[BaseModel]]:
        droplets, actions = self._store.all(Droplet), self._store.all(Action)
        return {"droplets": [*droplets], "actions": [*actions], "invoices": [*self.invoices()]}

    def erase(self, server: Droplet) -> None:
        for action in self._store.all(Action):
            if action.droplet == server.id:
                self._store.delete(Action, str(action.id))
        for invoice in self.invoices():
            if invoice.server == server.name:
                self._store.delete(Invoice, invoice.number)
        for key in self._store.all(SshKey):
            if key.account == server.account and key.public_key in server.ssh_keys:
                self._store.delete(SshKey, str(key.id))

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix(self.prefix)
        send = adding({"x-request-id": str(uuid.uuid4())}, send)
        account = self._accounts.of(Request(scope).headers.get("Authorization", ""))
        if account is None:
            await self.send_error(send, 401, "Unable to authenticate you.")
            return
        limits = self._limits[account]
        windows = {HOUR: limits.hour, BURST: limits.burst}
        if (scope["method"], path) == ("GET", "/account/keys"):
            windows[KEYS] = limits.key_lists
        full = self._rates.admit(account, windows)
        send = adding({
            "ratelimit-limit": str(limits.hour.count),
            "ratelimit-remaining": str(self._rates.left(account, HOUR, limits.hour)),
            "ratelimit-reset": str(math.ceil(self._rates.reset(account, HOUR, limits.hour))),
        }, send)  # fmt: skip
        if full is None:
            await self._routes(inner(scope, self.prefix, account=account), receive, send)
            return
        # Only the limits of a minute say how long to wait; of the hour's one the reset tells.
        wait = math.ceil(self._rates.reset(account, full, windows[full]) - time.time())
        await self.send_error(send, 429, TOO_MANY[full], {} if full == HOUR else {"retry-after": str(max(1, wait))})

    async def _admin_fail(self, request: Request) -> Response:
        """No place was found for a droplet that is being made: its action ends in error, and the droplet is gone."""
        for droplet in self._store.all(Droplet):
            action = self._store.get(Action, str(droplet.action))
            if droplet.id == request.path_params["id"] and action is not None and action.type == "create":
                over = {"status": "errored", "completed_at": time.time()}
                with self._store.transaction():
                    self._store.put(str(action.id), action.model_copy(update=over))
                    self._machines.change(droplet.name, phase="ending", action=None)
                self._machines.wake(droplet.name)
                return Response(status_code=204)
        raise HTTPException(404)


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return wire.answer(wire.error_of(error.status, error.text), error.status)


async def _refuse_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    sentence = NOT_FOUND if error.status_code == 404 else str(error.detail)
    return wire.answer(wire.error_of(error.status_code, sentence), error.status_code)
