"""Signing in, staying in, and being thrown out."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from sqlalchemy import update

from db.models import RefreshToken, User
from db.queries.tokens import digest
from domain.statuses import Role
from tests.api.conftest import MakeWorld
from tests.api.world import PASSWORD, World


async def login(world: World, password: str = PASSWORD, **who: str) -> tuple[int, dict]:
    answer = await world.client.post(
        "/api/auth/login", json=(who or {"username": world.username}) | {"password": password}
    )
    return answer.status_code, answer.json()


async def me(world: World, token: str) -> int:
    return (await world.client.get("/api/auth/me", headers={"Authorization": f"Bearer {token}"})).status_code


class TestLogin:
    async def test_reply_has_both_spellings(self, world: World) -> None:
        body = world.session
        assert body["access_token"] == body["accessToken"]
        assert body["refresh_token"] == body["refreshToken"]
        assert (body["token_type"], body["expires_in"]) == ("bearer", 900)
        assert set(body["user"]) == {"id", "username", "email", "name", "role", "must_change_password"}

    async def test_by_email_whatever_the_case(self, world: World) -> None:
        email = f"{world.username}@example.com".upper()
        assert (await login(world, email=email))[0] == 200
        assert (await login(world, username=email))[0] == 200

    async def test_wrong_password_and_unknown_name_get_one_answer(self, world: World) -> None:
        wrong, unknown = await login(world, "nope"), await login(world, "nope", username="nobody")
        assert wrong[0] == unknown[0] == 401
        assert wrong[1]["message"] == unknown[1]["message"]
        assert wrong[1]["code"] == "INVALID_CREDENTIALS"

    async def test_unknown_names_cost_a_hash_too(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        checked: list[str] = []

        async def check(password: str, password_hash: str) -> bool:
            checked.append(password_hash)
            return False

        monkeypatch.setattr("api.auth.check_password", check)
        await login(world, "x", username="nobody")
        assert checked == [world.app.state.services.decoy_hash]
        assert checked[0].startswith("$2b$")

    async def test_inactive_users_stay_out_and_fall_out(self, world: World) -> None:
        async with world.db.begin() as session:
            await session.execute(update(User).where(User.username == world.username).values(is_active=False))
        world.app.state.services.principals.forget(uuid.UUID(world.session["user"]["id"]))
        assert (await login(world))[0] == 401
        assert await me(world, world.token) == 401

    async def test_failures_lock_the_account_for_that_address_only(self, world: World) -> None:
        for _ in range(5):
            assert (await login(world, "wrong"))[0] == 401
        status, body = await login(world)
        assert (status, body["code"]) == (429, "RATE_LIMIT_EXCEEDED")
        mine, world.username = world.username, "somebody-else"
        assert (await login(world, "wrong"))[0] == 401
        world.username = mine

    @pytest.mark.parametrize("body", [{"password": "x"}, {"username": "x"}, {"username": "", "password": "x"}])
    async def test_incomplete(self, world: World, body: dict) -> None:
        assert (await world.client.post("/api/auth/login", json=body)).status_code == 422

    async def test_odd_names_are_no_error(self, world: World) -> None:
        assert (await login(world, "x", username="a\x00b"))[0] == 401

    async def test_every_try_is_audited(self, world: World) -> None:
        await login(world, "wrong")
        outcomes = [e.outcome for e in await world.audit("auth.login") if e.actor == world.username]
        assert outcomes == ["ok", "refused"]


class TestAccessTokens:
    @pytest.mark.parametrize("token", ["", "x", "a.b.c"])
    async def test_nonsense(self, world: World, token: str) -> None:
        assert await me(world, token) == 401

    async def test_forged_expired_and_foreign(self, world: World) -> None:
        good = jwt.decode(world.token, options={"verify_signature": False})
        key = "x" * 40
        expired = good | {"exp": datetime.now(UTC) - timedelta(seconds=1)}
        for claims, secret, algorithm in (
            (good, "y" * 40, "HS256"), (expired, key, "HS256"), (good | {"typ": "refresh"}, key, "HS256"),
            (good | {"iss": "other"}, key, "HS256"), (good | {"sub": "me"}, key, "HS256"),
            ({k: v for k, v in good.items() if k != "exp"}, key, "HS256"), (good, None, "none"),
        ):  # fmt: skip
            assert await me(world, jwt.encode(claims, secret, algorithm=algorithm)) == 401
        assert await me(world, jwt.encode(good, key, algorithm="HS256")) == 200

    async def test_refusals_are_counted_per_address(self, make_world: MakeWorld) -> None:
        world = await make_world(client_ip="203.0.113.9", rate_limit_max_requests=3)
        assert [await me(world, "x") for _ in range(4)] == [401, 401, 401, 429]


class TestRefresh:
    async def refresh(self, world: World, token: str) -> tuple[int, dict]:
        answer = await world.client.post("/api/auth/refresh", json={"refreshToken": token})
        return answer.status_code, answer.json()

    async def age(self, world: World, token: str) -> None:
        async with world.db.begin() as session:
            await session.execute(
                update(RefreshToken)
                .where(RefreshToken.token_hash == digest(token))
                .values(spent_at=datetime.now(UTC) - timedelta(minutes=1))
            )

    async def test_rotates(self, world: World) -> None:
        status, body = await self.refresh(world, world.session["refresh_token"])
        assert status == 200
        assert body["refresh_token"] != world.session["refresh_token"]
        assert await me(world, body["access_token"]) == 200
        assert (await self.refresh(world, body["refresh_token"]))[0] == 200

    async def test_reuse_ends_the_session(self, world: World) -> None:
        first = world.session["refresh_token"]
        _, second = await self.refresh(world, first)
        await self.age(world, first)
        assert (await self.refresh(world, first))[0] == 401
        assert (await self.refresh(world, second["refresh_token"]))[0] == 401
        assert await me(world, second["access_token"]) == 401
        assert [e.outcome for e in await world.audit("auth.token_reuse")][-1] == "refused"

    async def test_two_tabs_at_once_get_one_successor_and_stay_signed_in(self, world: World) -> None:
        answers = await asyncio.gather(*(self.refresh(world, world.session["refresh_token"]) for _ in range(2)))
        assert sorted(status for status, _ in answers) == [200, 401]
        winner = next(body for status, body in answers if status == 200)
        assert (await self.refresh(world, winner["refresh_token"]))[0] == 200

    async def test_unknown_and_expired(self, world: World) -> None:
        assert (await self.refresh(world, "nonsense"))[0] == 401
        async with world.db.begin() as session:
            await session.execute(
                update(RefreshToken)
                .where(RefreshToken.token_hash == digest(world.session["refresh_token"]))
                .values(expires_at=datetime.now(UTC))
            )
        assert (await self.refresh(world, world.session["refresh_token"]))[0] == 401


class TestLogout:
    async def test_ends_refresh_and_access(self, world: World) -> None:
        assert (await world.client.post("/api/auth/logout", json={"refresh_token": None})).status_code == 200
        assert await me(world, world.token) == 401
        answer = await world.client.post("/api/auth/refresh", json={"refresh_token": world.session["refresh_token"]})
        assert answer.status_code == 401

    async def test_without_a_body(self, world: World) -> None:
        assert (await world.client.post("/api/auth/logout")).status_code == 200


class TestPassword:
    async def change(self, world: World, current: str, new: str) -> tuple[int, dict]:
        answer = await world.client.post("/api/auth/password", json={"current_password": current, "new_password": new})
        return answer.status_code, answer.json()

    async def test_first_password_opens_only_the_auth_routes(self, world: World) -> None:
        await world.sign_in(Role.ADMINISTRATOR, must_change=True)
        assert world.session["user"]["must_change_password"] is True
        for method, path in (
            ("GET", "/api/portal/instances"),
            ("GET", "/api/portal/vps"),
            ("POST", "/api/portal/instances"),
        ):
            answer = await world.client.request(method, path, json={} if method == "POST" else None)
            assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
        assert (await world.client.get("/api/auth/me")).status_code == 200
        status, body = await self.change(world, PASSWORD, "quite another one")
        assert (status, body["user"]["must_change_password"]) == (200, False)
        assert (await world.client.get("/api/portal/instances")).status_code == 200

    async def test_ends_other_sessions_and_keeps_this_one(self, world: World) -> None:
        _, other = await login(world)
        assert (await self.change(world, PASSWORD, "quite another one"))[0] == 200
        assert await me(world, world.token) == 200
        assert await me(world, other["access_token"]) == 401
        assert (await login(world))[0] == 401
        assert (await login(world, "quite another one"))[0] == 200

    @pytest.mark.parametrize(
        ("current", "new", "field"),
        [("wrong", "quite another one", "current_password"), (PASSWORD, "short", "new_password"),
         (PASSWORD, PASSWORD, "new_password")],
    )  # fmt: skip
    async def test_refusals(self, world: World, current: str, new: str, field: str) -> None:
        status, body = await self.change(world, current, new)
        assert (status, body["field"]) == (422, field)
        assert new not in str(body)
