"""The frame around every request: its id, its trace, its headers, its line in the log, and a last net under it.

Plain ASGI, because each request and each event stream passes through here. Knows no route.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Iterable

from opentelemetry import propagate, trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import ApiError, error_response, unavailable, unknown
from api.metrics import Metrics

log = logging.getLogger("slipway.api")
tracer = trace.get_tracer("slipway.api")

SLOW_SECONDS = 1.0
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PROBES = frozenset({"/api/live", "/api/ready", "/api/health", "/metrics"})

_CSP = "; ".join((
    "default-src 'self'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'",
    "font-src 'self'", "object-src 'none'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'",
))  # fmt: skip
_HEADERS = {
    "content-security-policy": _CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class Frame:
    """`timeout` bounds the work of a request; a body that streams (events) may go on for as long as it likes."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, timeout: float, secure: bool) -> None:
        self._app = app
        self._metrics = metrics
        self._timeout = timeout
        wanted = _HEADERS | ({"strict-transport-security": "max-age=31536000"} if secure else {})
        self._headers = [(name.encode(), value.encode()) for name, value in wanted.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(_wanted(scope["headers"]))
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        scope["request_id"] = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        if scope["path"] in _PROBES:
            await _Exchange(self, scope, send).run(receive)
            return
        context = propagate.extract({"traceparent": headers[b"traceparent"].decode("latin-1")}) if (
            b"traceparent" in headers) else None  # fmt: skip
        with tracer.start_as_current_span(scope["method"], context=context, kind=SpanKind.SERVER) as span:
            exchange = _Exchange(self, scope, send)
            await exchange.run(receive)
            route = route_of(scope)
            span.update_name(f"{scope['method']} {route}")
            span.set_attributes({"http.route": route, "http.response.status_code": exchange.status})
            if exchange.status >= 500:
                span.set_status(Status(StatusCode.ERROR))

    async def answer(self, scope: Scope, receive: Receive, send: Send, deadline: asyncio.Timeout) -> None:
        async with deadline:
            await self._app(scope, receive, send)

    def decorate(self, scope: Scope, message: Message) -> None:
        """Add what the answer does not say itself."""
        headers = message.setdefault("headers", [])
        said = {name for name, _ in headers}
        headers.append((b"x-request-id", scope["request_id"].encode()))
        headers += [pair for pair in self._headers if pair[0] not in said]
        if "rate" in scope:
            limits = ((name.lower().encode(), value.encode()) for name, value in scope["rate"].headers().items())
            headers += [pair for pair in limits if pair[0] not in said]
        if b"cache-control" not in said and scope["path"].startswith("/api"):
            headers.append((b"cache-control", b"no-store"))

    def finished(self, scope: Scope, status: int, seconds: float) -> None:
        route = route_of(scope)
        self._metrics.observed(scope["method"], route, status, seconds)
        # A line for each poll would cost as much as its answer; changes, refusals and slow ones are worth theirs.
        quiet = scope["method"] in ("GET", "HEAD") and status < 400 and seconds < SLOW_SECONDS
        log.log(
            logging.DEBUG if quiet else logging.INFO,
            "%s %s %d",
            scope["method"],
            scope["path"],
            status,
            extra={
                "route": route,
                "status": status,
                "milliseconds": round(seconds * 1000, 1),
                "request_id": scope["request_id"],
                "ip": scope["client"][0] if scope.get("client") else "",
            },
        )


class _Exchange:
    """One request on its way: what was sent, and when."""

    def __init__(self, frame: Frame, scope: Scope, send: Send) -> None:
        self._frame = frame
        self._scope = scope
        self._send = send
        self._began = time.perf_counter()
        self._deadline = asyncio.timeout(frame._timeout)
        self._finished = False
        self.status = 0

    async def run(self, receive: Receive) -> None:
        try:
            await self._frame.answer(self._scope, receive, self.send, self._deadline)
        except ClientDisconnect:
            log.debug("client left", extra=self._named())
        except TimeoutError:
            log.error("request timed out", extra=self._named())
            await self._last_word(unavailable("The answer took too long; try again shortly."), receive)
        except Exception:
            log.exception(
                "request failed", extra={"request_id": self._scope["request_id"], "path": self._scope["path"]}
            )
            await self._last_word(unknown(), receive)
        finally:
            self._finish()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._frame.decorate(self._scope, message)
            kind = next((value for name, value in message["headers"] if name == b"content-type"), b"")
            if kind.startswith(b"text/event-stream"):
                # Its length is its reader's choice: no deadline, and its answer counts as given now.
                self._deadline.reschedule(None)
                self._finish()
        await self._send(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self._finish()

    def _finish(self) -> None:
        if not self._finished:
            self._finished = True
            self._frame.finished(self._scope, self.status, time.perf_counter() - self._began)

    def _named(self) -> dict[str, str]:
        return {"request_id": self._scope["request_id"], "path": self._scope["path"]}

    async def _last_word(self, error: ApiError, receive: Receive) -> None:
        if self.status:
            return  # the answer has begun; the broken connection says the rest
        response = error_response(HTTPConnection(self._scope), error)
        await response(self._scope, receive, self.send)


def route_of(scope: Scope) -> str:
    """The template, so that ids and slugs never become labels."""
    route = scope.get("route")
    return str(getattr(route, "path", None) or ("/assets" if scope["path"].startswith("/assets") else "unknown"))


def _wanted(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[bytes, bytes]]:
    return ((name, value) for name, value in headers if name in (b"x-request-id", b"traceparent"))
