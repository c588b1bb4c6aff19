"""Every route of the API's own documentation against every role, a machine without scopes, and nobody: no answer is a
failure of ours, nobody gets in without a token, and closed routes are closed to whom they are not for."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest

from domain.api_keys import Scope
from domain.statuses import Role
from tests.api.machines import as_machine
from tests.api.world import World

ADMINISTRATORS = frozenset({Role.ADMINISTRATOR})
# Whose first segment decides; asked with every method, while other routes are only read.
CLOSED = {
    "/api/users": ADMINISTRATORS,
    "/api/audit": ADMINISTRATORS | {Role.SUPPORT},
    "/api/admin/api-keys": ADMINISTRATORS,
    "/api/hosting/servers": ADMINISTRATORS | {Role.OPERATOR},
    "/api/tenants": ADMINISTRATORS,
    "/api/ssl/renew/{domain}": ADMINISTRATORS | {Role.OPERATOR},
    "/api/ssl/drills": ADMINISTRATORS | {Role.OPERATOR},
    "/api/ssl/uploads": ADMINISTRATORS | {Role.OPERATOR},
    "/api/ssl/request-letsencrypt": ADMINISTRATORS | {Role.OPERATOR},
    "/api/operator/payment-cases/{event_id}/settle": ADMINISTRATORS | {Role.OPERATOR, Role.BILLING},
}
# Open to read for whoever belongs to it, and changed by these only.
CHANGED_BY = {
    ("post", "/api/dns/zones"): ADMINISTRATORS | {Role.OPERATOR},
    ("delete", "/api/dns/zones/{zone_id}"): ADMINISTRATORS | {Role.OPERATOR},
    ("post", "/api/dns/zones/{zone_id}/publish"): ADMINISTRATORS | {Role.OPERATOR},
    ("post", "/api/dns/zones/{zone_id}/changes/{change_id}/retry"): ADMINISTRATORS | {Role.OPERATOR},
    ("post", "/api/dns/zones/{zone_id}/changes/{change_id}/settle"): ADMINISTRATORS | {Role.OPERATOR},
    ("put", "/api/dns/zones/{zone_id}/records"): ADMINISTRATORS | {Role.OPERATOR, Role.USER},
    ("delete", "/api/dns/zones/{zone_id}/records"): ADMINISTRATORS | {Role.OPERATOR, Role.USER},
}
# Asked by people who have no token yet (an order's options are public), and by machines that watch or sign.
OPEN = {
    ("post", "/api/auth/login"), ("post", "/api/auth/refresh"), ("get", "/api/live"), ("get", "/api/ready"),
    ("get", "/api/health"), ("get", "/metrics"), ("get", "/api/portal/options"), ("get", "/api/public/products"),
    ("post", "/api/auth/password/forgot"), ("post", "/api/auth/password/reset"),
    ("post", "/api/webhooks/stripe"),  # 400: it is signed, or nothing
}  # fmt: skip

# Open too, but to nobody unless the settings say so.
REGISTERING = {("post", "/api/auth/register"), ("post", "/api/auth/register/confirm")}


async def routes(world: World) -> list[tuple[str, str]]:
    paths = (await world.client.get("/openapi.json")).json()["paths"]
    return [(method, path) for path, methods in paths.items() for method in methods]


async def ask(world: World, method: str, path: str) -> tuple[int, dict[str, Any]]:
    where = re.sub(r"\{[^}]*\}", str(uuid.uuid4()), path)
    answer = await world.client.request(method, where, json=None if method in ("get", "delete") else {})
    return answer.status_code, answer.json() if answer.content[:1] == b"{" else {}


def allowed_at(path: str) -> frozenset[Role]:
    return next((allowed for prefix, allowed in CLOSED.items() if path.startswith(prefix)), frozenset(Role))


async def test_nobody_gets_in_without_a_token(world: World) -> None:
    found = await routes(world)
    del world.client.headers["Authorization"]
    answers = {route: (await ask(world, *route))[0] for route in found}
    assert set(CLOSED) <= {path for _, path in found}
    assert {route for route, status in answers.items() if status != 401} == OPEN | REGISTERING


@pytest.mark.parametrize("role", Role)
async def test_no_role_meets_a_failure_or_an_open_door(world: World, role: Role) -> None:
    found = await routes(world)
    await world.sign_in(role)
    for method, path in found:
        guarded = path.startswith(tuple(CLOSED))
        if method != "get" and not guarded:
            continue
        status, told = await ask(world, method, path)
        assert status < 500, (method, path, told)
        if role not in allowed_at(path):
            assert (status, told.get("code")) == (403, "FORBIDDEN"), (method, path)
        elif guarded:
            assert status != 403, (method, path)


@pytest.mark.parametrize("role", Role)
async def test_what_is_open_to_read_is_changed_by_whom_it_is_for(world: World, role: Role) -> None:
    assert set(CHANGED_BY) <= set(await routes(world))
    await world.sign_in(role)
    for (method, path), allowed in CHANGED_BY.items():
        status, told = await ask(world, method, path)
        assert (status == 403) is (role not in allowed), (method, path, told)
        assert status in (403, 404, 422), (method, path, told)


# What a scope of a key opens; every other route is for people.
SCOPED = {
    Scope.ORDERS_WRITE: {("post", "/api/orders")},
    Scope.INSTANCES_WRITE: {("post", "/api/portal/instances")},
    Scope.INSTANCES_READ: {
        ("get", "/api/portal/instances"), ("get", "/api/portal/instances/{deployment_id}/status"),
        ("get", "/api/portal/instances/{deployment_id}/logs"),
    },
    Scope.SERVERS_READ: {("get", "/api/hosting/servers"), ("get", "/api/hosting/servers/{server_id}")},
    Scope.METRICS_READ: {("get", "/metrics")},
}  # fmt: skip


async def refused(world: World) -> dict[tuple[str, str], str]:
    """Every route that answers 403, and its sentence."""
    told = {route: await ask(world, *route) for route in await routes(world)}
    assert {route: body for route, (status, body) in told.items() if status >= 500} == {}
    return {route: str(body["message"]) for route, (status, body) in told.items() if status == 403}


async def test_a_key_without_scopes_opens_nothing_and_is_told_which_scope_it_lacks(world: World) -> None:
    await as_machine(world)
    sentences = {route: told for route, told in (await refused(world)).items() if route not in REGISTERING}
    assert set(await routes(world)) - set(sentences) == (OPEN | REGISTERING) - {("get", "/metrics")}
    for scope, opened in SCOPED.items():
        for route in opened:
            assert f"lacks the scope {scope}" in sentences[route], route
    closed = set(sentences) - {route for opened in SCOPED.values() for route in opened}
    assert {sentences[route] for route in closed} == {
        "This is for people who sign in; no scope of an API key opens it."
    }


@pytest.mark.parametrize("scope", SCOPED)
async def test_a_scope_opens_its_own_routes_and_no_other(world: World, scope: Scope) -> None:
    await as_machine(world)
    nothing = set(await refused(world))
    await as_machine(world, scope)
    assert nothing - set(await refused(world)) == SCOPED[scope]
