"""For load balancers, operators and Prometheus. Says which part is away, and nothing about customers (X23)."""

from __future__ import annotations

import ipaddress
import secrets
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response

from api.deps import Held, keyed
from api.envelope import reply
from api.errors import ApiError
from api.machines import Machine
from domain.api_keys import Scope
from domain.errors import ErrorCode

router = APIRouter(tags=["health"])

try:
    VERSION = version("slipway")
except PackageNotFoundError:  # run from a working tree
    VERSION = "0.1.0"

_SAID: dict[str, Any] = {"content": {"application/json": {}}}  # the same body as with 200
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


@router.get("/api/live")
async def live(request: Request) -> Response:
    """The process answers. Nothing else is looked at, so that an outage behind it does not restart it."""
    return reply(request, {"status": "alive"})


@router.get("/api/ready", responses={503: _SAID | {"description": "A part is away"}})
async def ready(request: Request, held: Held) -> Response:
    parts = await held.probe.components()
    every = all(parts.values())
    body: dict[str, object] = {"ready": every, "components": {name: _word(up) for name, up in parts.items()}}
    return reply(request, body, 200 if every else 503)


@router.get("/api/health", responses={503: _SAID | {"description": "The database is away"}})
async def health(request: Request, held: Held) -> Response:
    """`degraded`: reads work, new runs wait for Temporal. 503 only without the database."""
    parts = await held.probe.components()
    status = "healthy" if all(parts.values()) else "degraded" if parts["database"] else "unhealthy"
    body: dict[str, object] = {
        "status": status,
        **{name: _word(up) for name, up in parts.items()},
        "version": VERSION,
        "uptime": int(time.time() - held.started_at),
    }
    return reply(request, body, 200 if parts["database"] else 503)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(
    request: Request, held: Held, machine: Annotated[Machine | None, Depends(keyed(Scope.METRICS_READ))]
) -> Response:
    """For an API key with its scope, and, with METRICS_TOKEN set, for who sends that as Bearer. Without it, for this
    machine too."""
    if machine is None:
        _check_reader(request, held.settings.metrics_token)
    return Response(await held.metrics.scrape(held.reader, await held.failing.ask()), media_type=CONTENT_TYPE_LATEST)


def _check_reader(request: Request, token: SecretStr | None) -> None:
    if token is not None:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not secrets.compare_digest(given.encode(), token.get_secret_value().encode()):
            raise ApiError(
                ErrorCode.UNAUTHENTICATED, "Send the metrics token as Authorization: Bearer …",
                headers={"WWW-Authenticate": "Bearer"})  # fmt: skip
    elif not _local(request):
        raise ApiError(
            ErrorCode.FORBIDDEN, "Metrics are for this machine only; set METRICS_TOKEN to read them elsewhere."
        )


def _word(up: bool) -> str:
    return "connected" if up else "unreachable"


def _local(request: Request) -> bool:
    """A proxy on this machine is not this machine: what it forwards came from elsewhere."""
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
