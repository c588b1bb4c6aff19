"""Rows of outgoing mail: what is left to send, to start, and to keep secret."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from db.keyring import KeyRing
from db.models_mail import OutgoingMail
from db.queries import mails
from db.session import Database
from domain.mails import PASSWORD_RESET


async def queued(db: Database, keys: KeyRing) -> uuid.UUID:
    async with db.begin() as session:
        call = await mails.queue(session, keys, "ada@example.com", PASSWORD_RESET, {}, token="t0ken")
    return uuid.UUID(call.mail_id)


async def row(db: Database, mail: uuid.UUID) -> OutgoingMail:
    async with db.begin() as session:
        return await session.get_one(OutgoingMail, mail)


async def token(db: Database, keys: KeyRing, mail: uuid.UUID) -> str | None:
    async with db.begin() as session:
        return await mails.token_of(session, keys, mail)


async def tries(db: Database, mail: uuid.UUID) -> bool:
    async with db.begin() as session:
        return await mails.begin_try(session, mail) is not None


async def unstarted(db: Database) -> set[str]:
    async with db.begin() as session:
        calls = await mails.unstarted(session, datetime.now(UTC) + timedelta(seconds=1), 100)
    return {call.mail_id for call in calls}


async def test_what_was_started_is_not_started_again(db: Database, keys: KeyRing) -> None:
    started, waiting = await queued(db, keys), await queued(db, keys)
    assert {str(started), str(waiting)} <= await unstarted(db)
    async with db.begin() as session:
        await mails.started(session, started)
    assert {str(started), str(waiting)} & await unstarted(db) == {str(waiting)}


async def test_each_try_counts_until_it_is_sent(db: Database, keys: KeyRing) -> None:
    mail = await queued(db, keys)
    assert await tries(db, mail)
    assert await tries(db, mail)
    async with db.begin() as session:
        await mails.sent(session, mail)
    assert not await tries(db, mail)
    found = await row(db, mail)
    assert (found.state, found.attempts, await token(db, keys, mail)) == ("sent", 2, None)


async def test_what_was_given_up_is_not_tried_and_keeps_no_token(db: Database, keys: KeyRing) -> None:
    mail = await queued(db, keys)
    async with db.begin() as session:
        await mails.failed(session, mail, "refused")
    assert not await tries(db, mail)
    found = await row(db, mail)
    assert (found.state, found.last_error, await token(db, keys, mail)) == ("failed", "refused", None)


@pytest.mark.parametrize("first", ["sent", "failed"])
async def test_what_the_mail_server_took_is_sent_whoever_writes_last(db: Database, keys: KeyRing, first: str) -> None:
    mail = await queued(db, keys)
    for end in ("sent", "failed") if first == "sent" else ("failed", "sent"):
        async with db.begin() as session:
            await (mails.sent(session, mail) if end == "sent" else mails.failed(session, mail, "no answer"))
    found = await row(db, mail)
    assert (found.state, found.last_error) == ("sent", "")
