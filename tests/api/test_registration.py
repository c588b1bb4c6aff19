"""An account of one's own: closed unless opened, the same answer for everybody, and nobody opens another's."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from api.people_examples import REGISTER_REQUEST
from db.models import AuditEntry, User
from db.models_mail import OutgoingMail, Registration
from db.queries import mails, registrations
from tests.api.conftest import MakeWorld
from tests.api.test_password_reset import told
from tests.api.world import World, temporal_is_away
from tests.sales import open_shop
from tests.standing import delivered

WHERE = "/api/auth/register"
PASSWORD = str(REGISTER_REQUEST["password"])


@pytest.fixture
async def door(make_world: MakeWorld) -> World:
    """Where registration is open."""
    made = await make_world(registration_open=True)
    await made.sign_in()
    return made


def an_address() -> str:
    return f"r{uuid.uuid4().hex}@example.com"


async def register(world: World, email: str, **changes: Any) -> httpx.Response:
    return await world.client.post(WHERE, json=REGISTER_REQUEST | {"email": email} | changes)


async def confirm(world: World, token: str, password: str = PASSWORD) -> httpx.Response:
    return await world.client.post(f"{WHERE}/confirm", json={"token": token, "password": password})


async def letters(world: World, email: str) -> list[OutgoingMail]:
    async with world.db.begin() as session:
        query = select(OutgoingMail).where(OutgoingMail.recipient == email).order_by(OutgoingMail.created_at)
        return list((await session.execute(query)).scalars())


async def link(world: World, email: str) -> str:
    """The token of the newest link that was mailed."""
    newest = [mail for mail in await letters(world, email) if mail.template == "registration"][-1]
    async with world.db.begin() as session:
        token = await mails.token_of(session, world.app.state.services.keys, newest.id)
    assert token is not None
    return token


async def sign_in(world: World, email: str) -> httpx.Response:
    return await world.client.post("/api/auth/login", json={"email": email, "password": PASSWORD})


class TestClosed:
    async def test_by_default_nobody_registers_whatever_is_sent(self, world: World) -> None:
        for where, body in ((WHERE, REGISTER_REQUEST), (WHERE, {}), (f"{WHERE}/confirm", {"token": "x"})):
            answer = await world.client.post(where, json=body)
            assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
        assert (await world.client.get("/api/portal/options")).json()["registration_open"] is False


class TestRegister:
    @pytest.mark.parametrize("where", [WHERE, "/api/v1/auth/register"])
    async def test_the_documented_body_is_answered_with_a_mail_and_no_account(self, door: World, where: str) -> None:
        email = an_address()
        answer = await door.client.post(where, json=REGISTER_REQUEST | {"email": email})
        assert answer.status_code == 202
        (mail,) = await letters(door, email)
        assert f"mail/{mail.id}" in door.temporal.started
        assert (await sign_in(door, email)).status_code == 401
        async with door.db.begin() as session:
            for table in (OutgoingMail, Registration, AuditEntry):
                for row in (await session.execute(select(table.__table__))).mappings():
                    assert PASSWORD not in str(dict(row))

    async def test_a_known_address_gets_the_same_answer_and_learns_of_it_by_mail(self, door: World) -> None:
        known, unknown = f"{door.username}@example.com", an_address()
        answers = [await register(door, email) for email in (known.upper(), unknown)]
        assert told(answers[0]) == told(answers[1])
        assert [mail.template for mail in await letters(door, known)] == ["registration-known"]

    async def test_disabled_accounts_are_told_nothing(self, door: World) -> None:
        known = f"{door.username}@example.com"
        async with door.db.begin() as session:
            await session.execute(update(User).where(User.username == door.username).values(is_active=False))
        assert (await register(door, known)).status_code == 202
        assert await letters(door, known) == []

    async def test_no_more_than_three_mails_an_hour_to_one_address(self, door: World) -> None:
        email = an_address()
        answers = await asyncio.gather(*(register(door, email) for _ in range(5)))
        assert {answer.status_code for answer in answers} == {202}
        assert len(await letters(door, email)) == 3

    async def test_one_network_address_asks_ten_times_in_a_window(self, door: World) -> None:
        statuses = [(await door.client.post(WHERE, json={})).status_code for _ in range(11)]
        assert statuses == [422] * 10 + [429]

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"confirmPassword": "SecurePass124!"}, "confirmPassword"), ({"password": "short"}, "password"),
            ({"email": "nobody"}, "email"), ({"name": " "}, "name"), ({"role": "ADMINISTRATOR"}, "role"),
        ],
    )  # fmt: skip
    async def test_what_is_wrong_is_said_at_its_field(self, door: World, changes: dict[str, Any], field: str) -> None:
        body = REGISTER_REQUEST | {"email": an_address()} | changes
        answer = await door.client.post(WHERE, json=body)
        assert (answer.status_code, answer.json()["field"]) == (422, field)
        assert PASSWORD not in answer.text

    async def test_a_mail_that_cannot_be_started_is_left_to_the_sweep(self, door: World) -> None:
        door.temporal.trouble = temporal_is_away()
        email = an_address()
        assert (await register(door, email)).status_code == 202
        (mail,) = await letters(door, email)
        assert mail.started_at is None


class TestConfirm:
    async def test_link_and_password_open_an_account_that_sees_nothing_yet(self, door: World) -> None:
        email = an_address()
        await register(door, email)
        answer = await confirm(door, await link(door, email))
        assert answer.status_code == 201
        user = answer.json()["user"]
        assert (user["role"], user["organization_id"], user["must_change_password"]) == ("USER", None, False)
        assert (await sign_in(door, email)).json()["user"]["id"] == user["id"]
        [entry] = [one for one in await door.audit("auth.register_confirm") if one.target_id == user["id"]]
        assert entry.outcome == "ok"

    async def test_a_link_without_the_password_opens_nothing_and_stays_good(self, door: World) -> None:
        email = an_address()
        await register(door, email)
        token = await link(door, email)
        answer = await confirm(door, token, "another long enough password")
        assert (answer.status_code, answer.json()["field"]) == (422, "password")
        assert (await confirm(door, token)).status_code == 201

    async def test_guessing_is_locked_out_although_the_window_would_allow_it(self, door: World) -> None:
        email = an_address()
        await register(door, email)
        token = await link(door, email)
        statuses = [(await confirm(door, token, "another long enough password")).status_code for _ in range(7)]
        assert statuses == [422] * 5 + [429] * 2

    async def test_a_link_works_once_and_a_newer_one_ends_it(self, door: World) -> None:
        email = an_address()
        await register(door, email)
        older = await link(door, email)
        again = email.capitalize()
        await register(door, again, name="Jane")
        token = await link(door, again)
        assert (await confirm(door, older)).json()["field"] == "token"
        answers = await asyncio.gather(*(confirm(door, token) for _ in range(3)))
        assert sorted(answer.status_code for answer in answers) == [201, 422, 422]

    async def test_a_link_is_over_after_a_day_and_the_row_goes_with_the_next_registration(self, door: World) -> None:
        email = an_address()
        await register(door, email)
        token = await link(door, email)
        async with door.db.begin() as session:
            await session.execute(update(Registration).where(Registration.email == email).values(
                expires_at=datetime.now(UTC) - timedelta(seconds=1)))  # fmt: skip
        assert (await confirm(door, token)).json()["field"] == "token"
        await register(door, an_address())
        async with door.db.begin() as session:
            assert (await session.execute(select(Registration).where(Registration.email == email))).first() is None

    async def test_an_address_that_was_given_away_meanwhile_opens_nothing(self, door: World) -> None:
        email = an_address()
        await register(door, email)
        body = {"name": "Jane", "email": email, "role": "USER"}
        assert (await door.client.post("/api/users", json=body)).status_code == 201
        assert (await confirm(door, await link(door, email))).json()["field"] == "token"

    async def test_a_customers_address_opens_what_the_customer_has(self, door: World) -> None:
        made = await delivered(door.db, await open_shop(door.db))
        await register(door, made.customer.email)
        user = (await confirm(door, await link(door, made.customer.email))).json()["user"]
        assert user["organization_id"] == str(made.customer.organization_id)

    async def test_an_address_is_proven_for_as_long_as_it_is_the_accounts(self, door: World) -> None:
        email = an_address()
        await register(door, email)
        user = (await confirm(door, await link(door, email))).json()["user"]
        async with door.db.begin() as session:
            row = await session.get_one(User, uuid.UUID(user["id"]))
            assert await registrations.is_proven(session, row)
            row.email = an_address()
            await session.flush()
            assert not await registrations.is_proven(session, row)
