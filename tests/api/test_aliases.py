"""Documented addresses are the same handlers; the tests are made from the table that mounts them."""

from __future__ import annotations

import uuid

import pytest
from fastapi import APIRouter

from api.aliases import ALIASES, Alias, router_for
from tests.api.world import PASSWORD, World

ENVELOPE = {"success", "timestamp", "statusCode", "request_id"}
# To people without a token: an empty body is wrong; registration is closed unless opened.
OPEN = {"/api/auth/login": 422, "/api/auth/refresh": 422, "/api/auth/register": 403}


def named(alias: Alias) -> str:
    return f"{alias.method} {alias.path}"


@pytest.mark.parametrize("alias", ALIASES, ids=named)
async def test_is_guarded_like_what_it_stands_for(world: World, alias: Alias) -> None:
    del world.client.headers["Authorization"]
    body = {} if alias.method != "GET" else None
    answers = [
        await world.client.request(alias.method, path.format(user_id=uuid.uuid4()), json=body)
        for path in (alias.path, alias.canonical)
    ]
    told = [(a.status_code, a.json()["code"], a.json()["message"]) for a in answers]
    assert told[0] == told[1]
    assert told[0][0] == OPEN.get(alias.canonical, 401)


@pytest.mark.parametrize("alias", [alias for alias in ALIASES if alias.method == "GET"], ids=named)
async def test_a_reading_says_what_it_stands_for_says(world: World, alias: Alias) -> None:
    ref = world.session["user"]["id"]
    answer = await world.client.get(alias.path.format(user_id=ref))
    canonical = (await world.client.get(alias.canonical.format(user_id=ref))).json()
    told = answer.json()
    said = {name: value for name, value in canonical.items() if name not in ENVELOPE}
    assert answer.status_code == 200
    assert {name: told[name] for name in said} == said
    extra = {"data", "message"} if alias.path.startswith("/api/v1/") else set()
    assert set(told) == set(said) | ENVELOPE | extra
    if extra:
        assert told["data"] == said


async def test_signing_in_as_documented_gives_tokens_in_data(world: World) -> None:
    email = f"{world.username}@example.com"
    answer = await world.client.post("/api/v1/auth/login", json={"email": email, "password": PASSWORD})
    told = answer.json()
    assert (answer.status_code, told["message"]) == (200, "OK")
    assert told["data"]["accessToken"] == told["accessToken"]
    renewed = await world.client.post("/api/v1/auth/refresh", json={"refreshToken": told["data"]["refreshToken"]})
    assert renewed.json()["data"]["user"]["email"] == email


async def test_a_new_user_keeps_status_location_and_message(world: World) -> None:
    body = {"name": "A", "email": f"{uuid.uuid4().hex}@example.com", "password": "SecurePass123!", "role": "user"}
    answer = await world.client.post("/api/v1/users", json=body)
    told = answer.json()
    assert (answer.status_code, told["statusCode"], told["message"]) == (201, 201, "User created")
    assert told["data"] == {"message": "User created", "user": told["user"]}
    assert answer.headers["location"] == f"/api/users/{told['user']['id']}"


async def test_aliases_are_not_in_the_documentation(world: World) -> None:
    paths = (await world.client.get("/openapi.json")).json()["paths"]
    assert not {alias.path for alias in ALIASES} & set(paths)


def test_an_alias_of_nothing_stops_the_start() -> None:
    with pytest.raises(LookupError, match="/api/v1/auth/login"):
        router_for([APIRouter()])
