"""A mail's row, an SMTP server, and what is left of both whatever the server says."""

from __future__ import annotations

import dataclasses
import uuid
from typing import cast

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities._context import Deps
from activities.mails import MailActivities
from db.keyring import KeyRing
from db.models_mail import OutgoingMail
from db.queries import mails
from db.session import Database
from domain.config import RunConfig
from domain.mails import PASSWORD_RESET, MailCall
from providers.mail.smtp import SmtpClient
from tests.smtp import SmtpServer, smtp_server

VALUES = {"name": "Ada", "portal": "https://portal.test", "minutes": "60"}


@dataclasses.dataclass
class Post:
    db: Database
    keys: KeyRing

    async def queue(self) -> MailCall:
        async with self.db.begin() as session:
            return await mails.queue(session, self.keys, "ada@example.com", PASSWORD_RESET, VALUES, token="t0ken")

    async def send(self, call: MailCall, server: SmtpServer | None) -> None:
        client = SmtpClient("127.0.0.1", server.port, security="none", sender="s@host.test") if server else None
        nothing = cast("None", None)
        deps = Deps(RunConfig(), self.db, self.keys, nothing, nothing, nothing, nothing, client)  # type: ignore[arg-type]
        await ActivityEnvironment().run(MailActivities(deps).send_mail, call)

    async def row(self, call: MailCall) -> OutgoingMail:
        async with self.db.begin() as session:
            return await session.get_one(OutgoingMail, uuid.UUID(call.mail_id))

    async def token(self, call: MailCall) -> str | None:
        async with self.db.begin() as session:
            return await mails.token_of(session, self.keys, uuid.UUID(call.mail_id))


@pytest.fixture
def post(db: Database, keys: KeyRing) -> Post:
    return Post(db, keys)


async def test_a_mail_arrives_with_its_link_and_its_token_is_gone(post: Post) -> None:
    call = await post.queue()
    async with smtp_server() as server:
        await post.send(call, server)
    (mail,) = server.taken
    assert "https://portal.test/#/reset?token=t0ken" in mail.get_content().replace("=\n", "")
    assert mail["To"] == "ada@example.com"
    assert call.mail_id in mail["Message-ID"]
    row = await post.row(call)
    assert (row.state, row.attempts, await post.token(call)) == ("sent", 1, None)
    assert row.sent_at is not None


async def test_a_mail_that_was_sent_is_not_sent_again(post: Post) -> None:
    call = await post.queue()
    async with smtp_server() as server:
        await post.send(call, server)
        await post.send(call, server)
    assert len(server.taken) == 1


async def test_a_lost_answer_makes_a_twin_with_the_same_message_id(post: Post) -> None:
    call = await post.queue()
    async with smtp_server(drop={"."}) as server:
        with pytest.raises(ApplicationError) as failure:
            await post.send(call, server)
        assert failure.value.type == "Unconfirmed"
        assert not failure.value.non_retryable
        server.drop = set()
        await post.send(call, server)
    first, twin = server.taken
    assert first["Message-ID"] == twin["Message-ID"]
    assert (await post.row(call)).attempts == 2


async def test_a_refused_recipient_is_final_and_the_row_waits_for_its_run_to_say_so(post: Post) -> None:
    call = await post.queue()
    async with smtp_server(says={"RCPT": "550 no such mailbox t0ken"}) as server:
        with pytest.raises(ApplicationError) as failure:
            await post.send(call, server)
    assert (failure.value.type, failure.value.non_retryable) == ("InvalidInput", True)
    assert "t0ken" not in str(failure.value)
    assert (await post.row(call)).state == "waiting"


async def test_without_a_mail_server_it_waits_for_one(post: Post) -> None:
    call = await post.queue()
    with pytest.raises(ApplicationError) as failure:
        await post.send(call, None)
    assert (failure.value.type, failure.value.non_retryable) == ("MissingSetting", False)
    assert await post.token(call) == "t0ken"
