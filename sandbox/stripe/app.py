"""Stripe's API v1 as an ASGI application: the way of every call, from faults over the key to its route."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import json
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

from sandbox.clouds.admin import LOOPBACK
from sandbox.clouds.faults import Faults, again, cut, handled_unheard, send_text
from sandbox.clouds.store import Store
from sandbox.faults.effects import Effect
from sandbox.stripe.admin import Admin
from sandbox.stripe.calls import Calls
from sandbox.stripe.idempotency import said
from sandbox.stripe.journal import Journal
from sandbox.stripe.payments import Payments
from sandbox.stripe.records import Options
from sandbox.stripe.subscriptions import Subscriptions
from sandbox.stripe.wire import Refusal

PREFIX = "/v1"
REMEMBERED_CALLS = 2000
GARBAGE = '{"id": "re_1Sandbox", "object": "ref'
TOO_MANY = "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits."


class StripeApp:
    """The account behind it may be used from the same process: `payments`, `subscriptions`, `journal`, `faults`."""

    def __init__(self, state_dir: Path, *, api_keys: list[str], options: Options | None = None) -> None:
        """What must be remembered lies in `state_dir`."""
        self._store = Store(state_dir / "stripe.sqlite3")
        self._keys = api_keys
        self.journal = Journal(self._store, options or Options())
        self.payments = Payments(self._store, self.journal)
        self.subscriptions = Subscriptions(self._store, self.journal, self.payments)
        self.faults = Faults(self._store, PREFIX)
        self.calls: deque[dict[str, Any]] = deque(maxlen=REMEMBERED_CALLS)
        self._admin = Admin(self.journal, self.payments, self.subscriptions, self.faults, self.calls)
        self._routes = Starlette(
            routes=Calls(self._store, self.journal, self.payments, self.subscriptions).routes(),
            exception_handlers={Refusal: _refuse, HTTPException: _refuse_route},
        )

    def close(self) -> None:
        self._store.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"the sandbox speaks HTTP, not {scope['type']}")
        if scope["path"].startswith(f"{Admin.root}/") and (scope.get("client") or ("",))[0] in LOOPBACK:
            await self._admin(scope, receive, send)
        else:
            await self._faulty(scope, receive, send)

    # ---- the network and the front

    async def _faulty(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix(PREFIX)
        call = {"at": time.time(), "method": scope["method"], "path": path, "status": None, "fault": None,
                "key": Request(scope).headers.get("Idempotency-Key")}  # fmt: skip
        self.calls.append(call)
        fault = self.faults.take(scope["method"], path)
        call["fault"] = fault.do if fault else None

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                call["status"] = message["status"]
            await send(message)

        # A client that dies while it asks needs no answer.
        with contextlib.suppress(ClientDisconnect):
            await self._meet(fault, {**scope, "fault": fault}, receive, noting)

    async def _meet(self, fault: Effect | None, scope: Scope, receive: Receive, send: Send) -> None:
        if fault is None or fault.do in {"delay", "hide", "late"}:
            if fault is not None and fault.do == "delay":
                await asyncio.sleep(fault.seconds)
            await self._handle(scope, receive, send)
        elif fault.do == "duplicate":
            body = await Request(scope, receive).body()
            await handled_unheard(self._handle, scope, again(body, receive))
            await self._handle(scope, again(body, receive), send)
        elif fault.do in {"lose_request", "lose_answer"}:
            if fault.do == "lose_answer":
                await handled_unheard(self._handle, scope, receive)
            await cut(receive)
        else:
            if fault.handled:
                await handled_unheard(self._handle, scope, receive)
            await _break(fault, send)

    # ---- Stripe's own

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        try:
            self._check(request)
        except Refusal as refusal:
            await (await _refuse(request, refusal))(scope, receive, send)
            return
        await self._routes({**scope, "root_path": PREFIX}, receive, send)

    def _check(self, request: Request) -> None:
        """The key, as Bearer or as the name of Basic, and the version."""
        given = _given_key(request.headers.get("Authorization", ""))
        if not given:
            raise Refusal(401, "You did not provide an API key. You need to provide your API key in the Authorization "
                               "header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').")  # fmt: skip
        if given not in self._keys:
            raise Refusal(401, f"Invalid API Key provided: {given[:8]}{'*' * max(0, len(given) - 12)}{given[-4:]}")
        version = request.headers.get("Stripe-Version", "")
        if version and not re.fullmatch(r"\d{4}-\d\d-\d\d(\.[a-z]+)?", version):
            raise Refusal(400, f"Invalid Stripe API version: {version}")
        if not request.url.path.startswith(f"{PREFIX}/"):
            raise _unrecognized(request)


def _given_key(authorization: str) -> str:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[0] if scheme.lower() == "basic" else ""
    except (binascii.Error, ValueError):
        return ""


def _unrecognized(request: Request) -> Refusal:
    return Refusal(404, f"Unrecognized request URL ({request.method}: {request.url.path}). Please see "
                        "https://stripe.com/docs or we can help at https://support.stripe.com/.")  # fmt: skip


async def _break(fault: Effect, send: Send) -> None:
    """An answer past the route. A body that begins as JSON or HTML is sent as it is; another is a sentence."""
    if fault.do == "garbage":
        kind = "text/html" if fault.body.startswith("<") else "application/json"
        await send_text(send, 200, fault.body or GARBAGE, headers=fault.headers, kind=kind)
    elif fault.do == "rate_limit":
        headers = {"Retry-After": f"{fault.seconds:.0f}", **fault.headers}
        await send_text(send, 429, _error(TOO_MANY, code="rate_limit"), headers=headers, kind="application/json")
    elif fault.body.startswith("<"):
        await send_text(send, fault.status, fault.body, headers=fault.headers, kind="text/html")
    else:
        body = fault.body if fault.body.startswith("{") else _error(fault.body or "An unknown error occurred")
        await send_text(send, fault.status, body, headers=fault.headers, kind="application/json")


def _error(message: str, *, code: str | None = None) -> str:
    kind = "invalid_request_error" if code else "api_error"
    return json.dumps({"error": {"message": message, "type": kind, **({"code": code} if code else {})}})


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return said(error.status, json.dumps(error.body))


async def _refuse_route(request: Request, error: Exception) -> Response:
    return await _refuse(request, _unrecognized(request))
