"""People as administrators manage them: who comes in, what they may, and that an administrator always remains."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, select, update

from api.people_examples import CREATE_REQUEST, USER
from db.base import new_id
from db.models import AuditEntry, Organization, RefreshToken, User
from db.models_mail import OutgoingMail
from db.queries import mails, people
from domain.statuses import Role
from tests.api.world import PASSWORD, World
from tests.locks import waiting

WHERE = "/api/users"
ENVELOPE = {"success", "timestamp", "statusCode", "request_id"}
FIRST = "SecurePass123!"


@pytest.fixture(autouse=True)
async def alone(world: World) -> None:
    """Nobody but who is signed in."""
    async with world.db.begin() as session:
        await session.execute(delete(User).where(User.username != world.username))


def body(**changes: Any) -> dict[str, Any]:
    return CREATE_REQUEST | {"email": f"{uuid.uuid4().hex}@example.com"} | changes


async def made(world: World, **changes: Any) -> dict[str, Any]:
    answer = await world.client.post(WHERE, json=body(**changes))
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["user"])


async def shown(world: World, ref: str) -> dict[str, Any]:
    return dict((await world.client.get(f"{WHERE}/{ref}")).json()["user"])


async def sign_in(world: World, user: dict[str, Any], password: str = FIRST) -> dict[str, Any]:
    answer = await world.client.post("/api/auth/login", json={"email": user["email"], "password": password})
    return answer.json() | {"status": answer.status_code}


async def as_seen_by(world: World, token: str, path: str = "/api/auth/me") -> int:
    return (await world.client.get(path, headers={"Authorization": f"Bearer {token}"})).status_code


def said(answer: httpx.Response) -> tuple[int, str | None, str | None]:
    return answer.status_code, answer.json().get("code"), answer.json().get("field")


def me(world: World) -> str:
    return str(world.session["user"]["id"])


class TestCreating:
    async def test_the_documented_body_makes_a_user_who_must_change_the_password(self, world: World) -> None:
        answer = await world.client.post(WHERE, json=CREATE_REQUEST)
        told = answer.json()
        assert (answer.status_code, set(told)) == (201, {"user", "message"} | ENVELOPE)
        changing = {"id": told["user"]["id"], "created_at": told["user"]["created_at"]}
        assert told["user"] == USER | changing
        assert answer.headers["location"] == f"{WHERE}/{told['user']['id']}"
        session = await sign_in(world, told["user"])
        assert session["user"]["must_change_password"] is True
        assert await as_seen_by(world, session["access_token"], "/api/portal/instances") == 403
        assert FIRST not in answer.text
        async with world.db.begin() as held:
            rows = (await held.execute(select(AuditEntry))).scalars()
            assert not [row for row in rows if FIRST in str(row.details)]

    async def test_without_a_password_the_person_is_invited_by_a_link_that_chooses_one(self, world: World) -> None:
        asked = {name: value for name, value in body(role="OPERATOR").items() if name != "password"}
        answer = await world.client.post(WHERE, json=asked)
        assert answer.status_code == 201, answer.text
        user = answer.json()["user"]
        async with world.db.begin() as session:
            mail = (await session.execute(select(OutgoingMail).filter_by(recipient=asked["email"]))).scalar_one()
            token = await mails.token_of(session, world.app.state.services.keys, mail.id)
        assert (mail.template, mail.values["inviter"]) == ("invitation", world.username)
        assert f"mail/{mail.id}" in world.temporal.started
        assert str(token) not in answer.text
        session = await sign_in(world, user)
        assert (session["status"], session["code"]) == (401, "INVALID_CREDENTIALS")
        chosen = {"token": token, "new_password": FIRST}
        assert (await world.client.post("/api/auth/password/reset", json=chosen)).status_code == 200
        session = await sign_in(world, user)
        assert (session["user"]["role"], session["user"]["must_change_password"]) == ("OPERATOR", False)
        assert (await world.client.post("/api/auth/password/reset", json=chosen)).status_code == 422
        [entry] = [one for one in await world.audit("user.create") if one.target_id == user["id"]]
        assert entry.details["invited"] is True

    async def test_usernames_come_from_the_mail_and_differ(self, world: World) -> None:
        names = [(await made(world, email=f"jane.doe@{place}.example.com"))["username"] for place in "abc"]
        assert names == ["jane.doe", "jane.doe-2", "jane.doe-3"]

    @pytest.mark.parametrize(("given", "role"), [("admin", "ADMINISTRATOR"), ("user", "USER"), ("Support", "SUPPORT")])
    async def test_roles_have_their_documented_names_too(self, world: World, given: str, role: str) -> None:
        assert (await made(world, role=given))["role"] == role

    async def test_an_organization_may_be_named(self, world: World) -> None:
        ref = new_id()
        async with world.db.begin() as session:
            session.add(Organization(id=ref, name="Acme", slug=f"o{ref.hex[-10:]}"))
        assert (await made(world, organization_id=str(ref)))["organization_id"] == str(ref)

    async def test_a_name_that_is_taken_whatever_its_case_is_a_conflict(self, world: World) -> None:
        await made(world, username="Jane", email="jane@example.com")
        for changes, field in (
            ({"email": "JANE@example.com"}, "email"), ({"username": "jANE"}, "username"),
            ({"username": world.username.upper()}, "username"),
        ):  # fmt: skip
            assert said(await world.client.post(WHERE, json=body(**changes))) == (409, "CONFLICT", field)

    async def test_two_at_once_with_one_mail_make_one_user(self, world: World) -> None:
        asked = body()
        answers = await asyncio.gather(*(world.client.post(WHERE, json=asked) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]

    @pytest.mark.parametrize(
        ("changes", "field"),
        [({"password": "short"}, "password"), ({"role": "KING"}, "role"), ({"email": "x"}, "email"),
         ({"name": " "}, "name"), ({"username": "a@b.c"}, "username"), ({"username": "a\x00"}, "username"),
         ({"organization_id": "x"}, "organization_id"), ({"organization_id": str(uuid.uuid4())}, "organization_id")],
    )  # fmt: skip
    async def test_what_is_wrong_is_named_and_not_repeated(self, world: World, changes: dict, field: str) -> None:
        answer = await world.client.post(WHERE, json=body(**changes))
        told, code, where = said(answer)
        assert (told, code) == (422, "VALIDATION_ERROR")
        assert (where or "").replace("organizationId", "organization_id") == field
        assert FIRST not in answer.text


class TestReading:
    async def test_pages_are_newest_first(self, world: World) -> None:
        refs = [(await made(world))["id"] for _ in range(3)]
        told = (await world.client.get(WHERE, params={"page": 1, "limit": 2})).json()
        assert [user["id"] for user in told["users"]] == [refs[2], refs[1]]
        assert told["pagination"] == {
            "page": 1, "limit": 2, "total": 4, "totalPages": 2, "hasNext": True, "hasPrev": False,
        }  # fmt: skip

    async def test_filters_leave_the_others_out(self, world: World) -> None:
        await made(world, name="Ann 100%", role="SUPPORT")
        other = await made(world, name="Bob", role="BILLING")
        await world.client.patch(f"{WHERE}/{other['id']}/status", json={"status": "disabled"})
        for query, names in (
            ({"search": "100%"}, ["Ann 100%"]), ({"search": "_"}, []), ({"role": "support"}, ["Ann 100%"]),
            ({"status": "disabled"}, ["Bob"]), ({"status": "active", "search": "bob"}, []),
            ({"role": "admin"}, [""]),
        ):  # fmt: skip
            told = (await world.client.get(WHERE, params=query)).json()
            assert [user["name"] for user in told["users"]] == names, query

    async def test_stats_count_everybody_once(self, world: World) -> None:
        other = await made(world, role="BILLING")
        await sign_in(world, other)
        await sign_in(world, other)
        await world.client.patch(f"{WHERE}/{other['id']}/status", json={"status": "disabled"})
        told = (await world.client.get(f"{WHERE}/stats")).json()
        assert {name: told[name] for name in set(told) - ENVELOPE} == {
            "total": 2, "active": 1, "disabled": 1, "signed_in_last_30_days": 2,
            "by_role": {"ADMINISTRATOR": 1, "OPERATOR": 0, "BILLING": 1, "SUPPORT": 0, "USER": 0},
        }  # fmt: skip

    @pytest.mark.parametrize("query", [{"role": "KING"}, {"status": "asleep"}, {"search": "a\x00"}, {"limit": 0}])
    async def test_a_filter_that_cannot_be_is_named(self, world: World, query: dict[str, Any]) -> None:
        told = said(await world.client.get(WHERE, params=query))
        assert told == (422, "VALIDATION_ERROR", next(iter(query)))

    @pytest.mark.parametrize("ref", ["x", "01900000-0000-7000-8000-000000000000"])
    async def test_nobody_of_that_id_is_a_404_everywhere(self, world: World, ref: str) -> None:
        for method, path, sent in (
            ("GET", "", None), ("PUT", "", {"name": "A"}), ("DELETE", "", None),
            ("PATCH", "/role", {"role": "USER"}), ("PATCH", "/status", {"status": "active"}),
        ):  # fmt: skip
            answer = await world.client.request(method, f"{WHERE}/{ref}{path}", json=sent)
            assert said(answer) == (404, "NOT_FOUND", None), (method, path)


class TestChanging:
    async def test_name_and_role(self, world: World) -> None:
        ref = (await made(world))["id"]
        told = (await world.client.put(f"{WHERE}/{ref}", json={"name": "Jo", "role": "admin"})).json()["user"]
        assert (told["name"], told["role"]) == ("Jo", "ADMINISTRATOR")
        assert await shown(world, ref) == told
        assert said(await world.client.put(f"{WHERE}/{ref}", json={}))[:2] == (422, "VALIDATION_ERROR")

    async def test_a_role_holds_at_once(self, world: World) -> None:
        boss = world.token
        theirs = await world.sign_in(Role.ADMINISTRATOR)
        ref = me(world)
        assert await as_seen_by(world, theirs, WHERE) == 200
        world.client.headers["Authorization"] = f"Bearer {boss}"
        answer = await world.client.patch(f"{WHERE}/{ref}/role", json={"role": "SUPPORT"})
        assert answer.json()["user"]["role"] == "SUPPORT"
        assert await as_seen_by(world, theirs, WHERE) == 403

    async def test_disabling_ends_every_session_for_good(self, world: World) -> None:
        user = await made(world)
        session = await sign_in(world, user)
        assert await as_seen_by(world, session["access_token"]) == 200
        where = f"{WHERE}/{user['id']}/status"
        assert (await world.client.patch(where, json={"status": "disabled"})).json()["user"]["is_active"] is False
        assert await as_seen_by(world, session["access_token"]) == 401
        assert (await sign_in(world, user))["status"] == 401
        assert (await world.client.patch(where, json={"status": "active"})).status_code == 200
        assert await as_seen_by(world, session["access_token"]) == 401
        refresh = {"refresh_token": session["refresh_token"]}
        assert (await world.client.post("/api/auth/refresh", json=refresh)).status_code == 401
        assert (await sign_in(world, user))["status"] == 200

    async def test_activating_who_is_active_ends_no_session(self, world: World) -> None:
        user = await made(world)
        session = await sign_in(world, user)
        await world.client.patch(f"{WHERE}/{user['id']}/status", json={"status": "active"})
        assert await as_seen_by(world, session["access_token"]) == 200

    async def test_deleting_takes_the_sessions_along(self, world: World) -> None:
        user = await made(world)
        session = await sign_in(world, user)
        assert (await world.client.delete(f"{WHERE}/{user['id']}")).status_code == 200
        assert (await world.client.get(f"{WHERE}/{user['id']}")).status_code == 404
        assert await as_seen_by(world, session["access_token"]) == 401
        async with world.db.begin() as held:
            left = select(RefreshToken).where(RefreshToken.user_id == uuid.UUID(user["id"]))
            assert (await held.execute(left)).first() is None

    async def test_each_change_and_each_refusal_is_audited(self, world: World) -> None:
        ref = (await made(world))["id"]
        await world.client.put(f"{WHERE}/{ref}", json={"name": "Jo"})
        await world.client.patch(f"{WHERE}/{ref}/role", json={"role": "BILLING"})
        await world.client.patch(f"{WHERE}/{ref}/status", json={"status": "disabled"})
        await world.client.patch(f"{WHERE}/{ref}/status", json={"status": "active"})
        await world.client.delete(f"{WHERE}/{ref}")
        told = (await world.client.get("/api/audit", params={"target_id": ref})).json()["entries"]
        acts = ["user.create", "user.update", "user.role", "user.disable", "user.activate", "user.delete"]
        assert [entry["action"] for entry in reversed(told)] == acts
        assert {entry["actor"] for entry in told} == {world.username}
        await world.client.delete(f"{WHERE}/{me(world)}")
        assert (await world.audit("user.delete"))[-1].outcome == "refused"


class TestAnAdministratorRemains:
    async def test_nobody_disables_or_deletes_himself(self, world: World) -> None:
        await made(world, role="admin")
        where = f"{WHERE}/{me(world)}"
        assert said(await world.client.patch(f"{where}/status", json={"status": "disabled"}))[:2] == (409, "CONFLICT")
        assert said(await world.client.delete(where))[:2] == (409, "CONFLICT")
        assert (await shown(world, me(world)))["is_active"] is True

    async def test_the_last_active_one_is_not_demoted(self, world: World) -> None:
        asleep = await made(world, role="admin")
        await world.client.patch(f"{WHERE}/{asleep['id']}/status", json={"status": "disabled"})
        where = f"{WHERE}/{me(world)}"
        for answer in (
            await world.client.patch(f"{where}/role", json={"role": "USER"}),
            await world.client.put(where, json={"role": "OPERATOR", "name": "Lost"}),
        ):
            assert said(answer)[:2] == (409, "CONFLICT")
        told = await shown(world, me(world))
        assert (told["role"], told["name"]) == ("ADMINISTRATOR", "")

    async def test_the_last_but_one_may_step_down(self, world: World) -> None:
        await made(world, role="admin")
        answer = await world.client.patch(f"{WHERE}/{me(world)}/role", json={"role": "USER"})
        assert answer.status_code == 200

    @pytest.mark.parametrize("act", ["role", "status", "delete"])
    async def test_two_who_turn_on_each_other_leave_one(self, world: World, act: str) -> None:
        first, one = world.token, me(world)
        second = await world.sign_in(Role.ADMINISTRATOR)
        other = me(world)

        async def turn(token: str, ref: str) -> int:
            headers = {"Authorization": f"Bearer {token}"}
            if act == "delete":
                return (await world.client.delete(f"{WHERE}/{ref}", headers=headers)).status_code
            sent = {"role": "USER"} if act == "role" else {"status": "disabled"}
            return (await world.client.patch(f"{WHERE}/{ref}/{act}", json=sent, headers=headers)).status_code

        async with world.db.begin() as session:
            await people.lock(session)
            asked = [asyncio.create_task(turn(first, other)), asyncio.create_task(turn(second, one))]
            assert await waiting(session, 2), "both are past the door, and neither has looked who is left"
        answers = await asyncio.gather(*asked)
        assert set(answers) <= {200, 401, 403, 409}
        assert answers.count(200) == 1
        async with world.db.begin() as session:
            left = select(User).where(User.role == "ADMINISTRATOR", User.is_active)
            assert len((await session.execute(left)).scalars().all()) == 1


class TestBulk:
    async def test_one_bad_id_spoils_nothing(self, world: World) -> None:
        refs = [(await made(world))["id"] for _ in range(2)]
        nobody = str(uuid.uuid4())
        asked = {"ids": [refs[0], "x", nobody, me(world), refs[1], refs[0]], "action": "disable"}
        told = (await world.client.post(f"{WHERE}/bulk", json=asked)).json()
        results = [(result["id"], result["ok"], result.get("code")) for result in told["results"]]
        assert results == [
            (refs[0], True, None), ("x", False, "NOT_FOUND"), (nobody, False, "NOT_FOUND"),
            (me(world), False, "CONFLICT"), (refs[1], True, None),
        ]  # fmt: skip
        assert (told["succeeded"], told["failed"]) == (2, 3)
        assert [(await shown(world, ref))["is_active"] for ref in refs] == [False, False]

    async def test_roles_and_activation(self, world: World) -> None:
        ref = (await made(world))["id"]
        for asked in ({"action": "disable"}, {"action": "activate"}, {"action": "role", "role": "user"}):
            told = (await world.client.post(f"{WHERE}/bulk", json={"ids": [ref]} | asked)).json()
            assert told["succeeded"] == 1
        assert (await shown(world, ref))["is_active"] is True

    @pytest.mark.parametrize(
        ("asked", "field"),
        [({"ids": [], "action": "disable"}, "ids"), ({"ids": ["a"] * 101, "action": "disable"}, "ids"),
         ({"ids": ["a"], "action": "burn"}, "action"), ({"ids": ["a"], "action": "role"}, "role"),
         ({"ids": ["a"], "action": "disable", "role": "USER"}, "role")],
    )  # fmt: skip
    async def test_what_is_wrong_is_named(self, world: World, asked: dict[str, Any], field: str) -> None:
        assert said(await world.client.post(f"{WHERE}/bulk", json=asked)) == (422, "VALIDATION_ERROR", field)


class TestProfile:
    async def test_name_and_mail_show_at_once_and_sign_in(self, world: World) -> None:
        email = f"{uuid.uuid4().hex}@example.com"
        answer = await world.client.put("/api/auth/profile", json={"name": "New Name", "email": email})
        assert answer.status_code == 200
        told = (await world.client.get("/api/auth/profile")).json()["user"]
        assert (told["name"], told["email"]) == ("New Name", email)
        assert (await sign_in(world, {"email": email}, PASSWORD))["status"] == 200
        assert [entry.outcome for entry in await world.audit("auth.profile")][-1] == "ok"

    async def test_somebody_elses_mail_is_a_conflict_and_ones_own_is_not(self, world: World) -> None:
        other = await made(world)
        answer = await world.client.put("/api/auth/profile", json={"email": other["email"].upper()})
        assert said(answer) == (409, "CONFLICT", "email")
        mine = f"{world.username.upper()}@example.com"
        assert (await world.client.put("/api/auth/profile", json={"email": mine})).status_code == 200

    @pytest.mark.parametrize("asked", [{}, {"email": "x"}, {"role": "ADMINISTRATOR"}, {"name": ""}])
    async def test_nothing_else_can_be_changed(self, world: World, asked: dict[str, Any]) -> None:
        assert said(await world.client.put("/api/auth/profile", json=asked))[:2] == (422, "VALIDATION_ERROR")


async def test_a_disabled_administrator_cannot_act_with_an_old_token(world: World) -> None:
    boss = world.token
    theirs = await world.sign_in(Role.ADMINISTRATOR)
    async with world.db.begin() as session:
        await session.execute(update(User).where(User.id == uuid.UUID(me(world))).values(is_active=False))
    world.app.state.services.principals.forget(uuid.UUID(me(world)))
    assert await as_seen_by(world, theirs, WHERE) == 401
    assert await as_seen_by(world, boss, WHERE) == 200
