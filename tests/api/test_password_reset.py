"""A forgotten password: the same answer for everybody, and a link that works once."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from api import password_reset
from api.starting import SEND_MAIL
from db.models import AuditEntry, Secret, User
from db.models_mail import OneTimeLink, OutgoingMail
from db.queries import mails
from domain.mails import PASSWORD_CHANGED, PASSWORD_RESET, MailCall
from tests.api.world import PASSWORD, World, temporal_is_away

NEW = "another long enough password"


async def ask(world: World, email: str) -> httpx.Response:
    return await world.client.post("/api/auth/password/forgot", json={"email": email})


async def reset(world: World, token: str, password: str = NEW) -> httpx.Response:
    return await world.client.post("/api/auth/password/reset", json={"token": token, "new_password": password})


async def letters(world: World) -> list[OutgoingMail]:
    """To the one who signed in last, oldest first."""
    async with world.db.begin() as session:
        query = select(OutgoingMail).where(OutgoingMail.recipient == address(world)).order_by(OutgoingMail.created_at)
        return list((await session.execute(query)).scalars())


async def link(world: World) -> str:
    """The token of the newest link that was mailed."""
    newest = [mail for mail in await letters(world) if mail.template == PASSWORD_RESET][-1]
    async with world.db.begin() as session:
        token = await mails.token_of(session, world.app.state.services.keys, newest.id)
    assert token is not None
    return token


def address(world: World) -> str:
    return f"{world.username}@example.com"


def told(answer: httpx.Response) -> dict[str, Any]:
    return {key: value for key, value in answer.json().items() if key not in ("timestamp", "request_id")}


class TestForgot:
    async def test_an_unknown_address_gets_the_same_answer_and_no_mail(self, world: World) -> None:
        known, unknown = await ask(world, address(world)), await ask(world, "nobody-here@example.com")
        assert known.status_code == unknown.status_code == 202
        assert told(known) == told(unknown)
        async with world.db.begin() as session:
            query = select(OutgoingMail).where(OutgoingMail.recipient == "nobody-here@example.com")
            assert (await session.execute(query)).first() is None

    async def test_an_answer_waits_for_what_its_work_left_of_one_time_for_all(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Work of 0.1 s for who has an account and of 0.05 s for who has none, on a clock of the test's own."""
        now, waited = iter((1.0, 1.1, 2.0, 2.05)), []

        async def wait(seconds: float) -> None:
            waited.append(seconds)

        monkeypatch.setattr(password_reset, "time", SimpleNamespace(monotonic=lambda: next(now)))
        monkeypatch.setattr(password_reset, "asyncio", SimpleNamespace(sleep=wait))
        for email in (address(world), "nobody-here@example.com"):
            await ask(world, email)
        assert waited == pytest.approx([0.2, 0.25])

    async def test_its_mail_is_a_row_and_a_run(self, world: World) -> None:
        await ask(world, address(world).upper())
        (mail,) = await letters(world)
        name, call, _ = world.temporal.started[f"mail/{mail.id}"]
        assert (name, call) == (SEND_MAIL, MailCall(mail_id=str(mail.id), template=PASSWORD_RESET))
        assert mail.started_at is not None

    async def test_a_run_that_cannot_be_started_is_left_to_the_sweep(self, world: World) -> None:
        world.temporal.trouble = temporal_is_away()
        assert (await ask(world, address(world))).status_code == 202
        (mail,) = await letters(world)
        assert mail.started_at is None
        async with world.db.begin() as session:
            found = await mails.unstarted(session, datetime.now(UTC) + timedelta(seconds=1), 1000)
        assert str(mail.id) in {call.mail_id for call in found}

    async def test_the_token_stands_in_no_row_in_clear(self, world: World) -> None:
        await ask(world, address(world))
        token = await link(world)
        async with world.db.begin() as session:
            for table in (OutgoingMail, OneTimeLink, AuditEntry, Secret):
                for row in (await session.execute(select(table.__table__))).mappings():
                    assert token not in str(dict(row))

    async def test_disabled_accounts_get_no_mail(self, world: World) -> None:
        async with world.db.begin() as session:
            await session.execute(update(User).where(User.username == world.username).values(is_active=False))
        assert (await ask(world, address(world))).status_code == 202
        assert await letters(world) == []

    async def test_no_more_than_three_links_an_hour(self, world: World) -> None:
        answers = await asyncio.gather(*(ask(world, address(world)) for _ in range(5)))
        assert {answer.status_code for answer in answers} == {202}
        assert len(await letters(world)) == 3

    async def test_a_new_link_ends_the_one_before(self, world: World) -> None:
        await ask(world, address(world))
        older = await link(world)
        await ask(world, address(world))
        assert (await reset(world, older)).status_code == 422
        assert (await reset(world, await link(world))).status_code == 200

    async def test_a_changed_password_ends_the_link(self, world: World) -> None:
        await ask(world, address(world))
        token = await link(world)
        body = {"current_password": PASSWORD, "new_password": NEW}
        assert (await world.client.post("/api/auth/password", json=body)).status_code == 200
        assert (await reset(world, token)).status_code == 422


class TestReset:
    async def test_sets_the_password_and_ends_every_session(self, world: World) -> None:
        await ask(world, address(world))
        assert (await reset(world, await link(world))).status_code == 200
        assert (await world.client.get("/api/auth/me")).status_code == 401
        again = {"refresh_token": world.session["refresh_token"]}
        assert (await world.client.post("/api/auth/refresh", json=again)).status_code == 401
        for password, status in ((PASSWORD, 401), (NEW, 200)):
            body = {"username": world.username, "password": password}
            assert (await world.client.post("/api/auth/login", json=body)).status_code == status

    async def test_tells_the_owner_by_mail(self, world: World) -> None:
        await ask(world, address(world))
        await reset(world, await link(world))
        mail = (await letters(world))[-1]
        assert mail.template == PASSWORD_CHANGED
        assert f"mail/{mail.id}" in world.temporal.started

    async def test_a_link_works_once_also_for_two_at_once(self, world: World) -> None:
        await ask(world, address(world))
        token = await link(world)
        answers = await asyncio.gather(*(reset(world, token) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [200, 422, 422, 422]

    async def test_expired_and_unknown_links_get_one_sentence(self, world: World) -> None:
        await ask(world, address(world))
        token = await link(world)
        async with world.db.begin() as session:
            await session.execute(update(OneTimeLink).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
        expired, unknown = await reset(world, token), await reset(world, uuid.uuid4().hex)
        assert told(expired) == told(unknown)
        assert (expired.json()["code"], expired.json()["field"]) == ("VALIDATION_ERROR", "token")

    async def test_a_refused_password_leaves_the_link_good(self, world: World) -> None:
        await ask(world, address(world))
        token = await link(world)
        assert (await reset(world, token, "short")).status_code == 422
        assert (await reset(world, token)).status_code == 200

    async def test_both_are_audited_without_the_token(self, world: World) -> None:
        await ask(world, address(world))
        token = await link(world)
        await reset(world, token)
        entries = [*await world.audit("auth.password_forgot"), *await world.audit("auth.password_reset")]
        assert {"auth.password_forgot", "auth.password_reset"} == {entry.action for entry in entries}
        assert all(token not in str(entry.details) for entry in entries)
