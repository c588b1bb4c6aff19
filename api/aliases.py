"""Documented addresses of what stands elsewhere (X03): one table that mounts the same handlers again.

Replies below /api/v1 (source 004) carry what they say once more as `data`, and a `message` (X01). Errors need nothing:
their one body is everybody's (X02).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any, NamedTuple

from fastapi import APIRouter
from fastapi.routing import APIRoute
from pydantic_core import from_json, to_json
from starlette.requests import Request
from starlette.responses import Response

_ENVELOPE = frozenset({"success", "timestamp", "statusCode", "request_id"})
_V1 = "/api/v1/"


class Alias(NamedTuple):
    method: str
    path: str
    canonical: str


ALIASES = (
    Alias("POST", "/api/v1/auth/login", "/api/auth/login"),
    Alias("POST", "/api/v1/auth/refresh", "/api/auth/refresh"),
    Alias("POST", "/api/v1/auth/register", "/api/auth/register"),
    Alias("GET", "/api/v1/auth/profile", "/api/auth/profile"),
    Alias("PUT", "/api/v1/auth/profile", "/api/auth/profile"),
    Alias("GET", "/api/v1/users", "/api/users"),
    Alias("POST", "/api/v1/users", "/api/users"),
    Alias("GET", "/api/v1/users/stats", "/api/users/stats"),
    Alias("POST", "/api/v1/users/bulk", "/api/users/bulk"),
    Alias("GET", "/api/v1/users/{user_id}", "/api/users/{user_id}"),
    Alias("PUT", "/api/v1/users/{user_id}", "/api/users/{user_id}"),
    Alias("DELETE", "/api/v1/users/{user_id}", "/api/users/{user_id}"),
    Alias("PATCH", "/api/v1/users/{user_id}/role", "/api/users/{user_id}/role"),
    Alias("PATCH", "/api/v1/users/{user_id}/status", "/api/users/{user_id}/status"),
    Alias("GET", "/api/logs/audit", "/api/audit"),
)


class _Wrapping(APIRoute):
    """The handler's own reply, with `data` and `message` beside what it says."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def wrapping(request: Request) -> Response:
            answer = await handle(request)
            said = from_json(bytes(answer.body))
            said["data"] = {name: value for name, value in said.items() if name not in _ENVELOPE}
            said.setdefault("message", "OK")
            answer.body = to_json(said)
            answer.headers["content-length"] = str(len(answer.body))
            return answer

        return wrapping


def router_for(routers: Iterable[APIRouter]) -> APIRouter:
    """A router with every alias. LookupError where what an alias stands for is not there."""
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    mounted = APIRouter(include_in_schema=False)
    for alias in ALIASES:
        found = next((r for r in routes if r.path == alias.canonical and alias.method in (r.methods or ())), None)
        if found is None:
            raise LookupError(f"{alias.path} stands for {alias.method} {alias.canonical}, which is not there")
        mounted.add_api_route(
            alias.path,
            found.endpoint,
            methods=[alias.method],
            status_code=found.status_code,
            dependencies=found.dependencies,
            route_class_override=_Wrapping if alias.path.startswith(_V1) else None,
        )
    return mounted
