"""A mail over SMTP: taken once, refused for good, or not now, and what is said of each without the server's words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest

from providers.errors import InvalidInput, ProviderError, Rejected, Transient, Unauthorized, Unconfirmed
from providers.mail.letters import TEMPLATES, compose, render
from providers.mail.smtp import SmtpClient
from tests.smtp import SmtpServer, smtp_server

TOKEN = "tok-en-that-opens-a-door"
VALUES = {"name": "Zoë", "portal": "https://slipway.test", "token": TOKEN, "minutes": "60"}


@pytest.fixture
async def server() -> AsyncIterator[SmtpServer]:
    async with smtp_server() as made:
        yield made


def client(server: SmtpServer, **how: object) -> SmtpClient:
    values: dict[str, object] = {"host": "127.0.0.1", "port": server.port, "security": "none", "timeout": 5}
    return SmtpClient(**(values | how))  # type: ignore[arg-type]


def mail(recipient: str = "zoe@example.com", **values: str) -> EmailMessage:
    return compose("password-reset", VALUES | values, mail_id="m-1", sender="slipway@example.org",
                   recipient=recipient, date=datetime(2025, 1, 1, tzinfo=UTC))  # fmt: skip


async def test_a_mail_arrives_whole(server: SmtpServer) -> None:
    await client(server).send(mail())
    (taken,) = server.taken
    assert (taken["To"], taken["Subject"]) == ("zoe@example.com", "A new password for Slipway")
    assert taken["Message-ID"] == "<m-1@example.org>"
    text = taken.get_content()
    assert f"https://slipway.test/#/reset?token={TOKEN}" in text
    assert "Zoë" in text


async def test_a_line_that_is_a_dot_does_not_end_a_mail(server: SmtpServer) -> None:
    await client(server).send(mail(name="Zoe\n.\nand the rest"))
    assert "Zoe\n.\nand the rest" in server.taken[0].get_content().replace("\r\n", "\n")


async def test_it_signs_in_where_it_has_a_user() -> None:
    async with smtp_server(user="slip", password="way") as server:
        await client(server, user="slip", password="way").send(mail())
        assert len(server.taken) == 1
        with pytest.raises(Unauthorized) as refused:
            await client(server, user="slip", password="w-r-o-n-g").send(mail())
        assert "w-r-o-n-g" not in f"{refused.value} {client(server, password='w-r-o-n-g')!r}"


@pytest.mark.parametrize(
    ("verb", "answer", "kind"),
    [
        ("", "421 busy", Transient),
        ("", "554 go away", Rejected),
        ("MAIL", "451 later", Transient),
        ("MAIL", "530 sign in", Unauthorized),
        ("RCPT", "450 greylisted", Transient),
        ("RCPT", f"550 nobody, {TOKEN}", InvalidInput),
        ("DATA", "452 full", Transient),
        (".", "451 later", Transient),
        (".", f"554 spam: {TOKEN}", Rejected),
    ],
)
async def test_an_answer_decides_whether_a_repeat_can_help(
    server: SmtpServer, verb: str, answer: str, kind: type[ProviderError]
) -> None:
    server.says[verb] = answer
    with pytest.raises(ProviderError) as failed:
        await client(server).send(mail())
    assert type(failed.value) is kind
    assert TOKEN not in failed.value.message
    assert failed.value.__cause__ is None
    assert server.taken == []


@pytest.mark.parametrize("verb", ["", "EHLO", "MAIL", "RCPT", "DATA"])
async def test_a_connection_lost_before_the_text_had_no_effect(server: SmtpServer, verb: str) -> None:
    server.drop.add(verb)
    with pytest.raises(Transient):
        await client(server).send(mail())


async def test_a_connection_lost_behind_the_text_is_unconfirmed_and_the_twin_is_known(server: SmtpServer) -> None:
    server.drop.add(".")
    with pytest.raises(Unconfirmed):
        await client(server).send(mail())
    server.drop.clear()
    await client(server).send(mail())
    assert [one["Message-ID"] for one in server.taken] == ["<m-1@example.org>"] * 2


async def test_a_server_that_says_nothing_is_given_up(server: SmtpServer) -> None:
    server.hang.add("RCPT")
    with pytest.raises(Transient):
        await client(server, timeout=0.2).send(mail())


async def test_nobody_listening_is_for_later() -> None:
    with pytest.raises(Transient):
        await SmtpClient("127.0.0.1", 1, security="none").send(mail())


async def test_no_mail_leaves_in_clear_where_tls_was_asked_for(server: SmtpServer) -> None:
    with pytest.raises(Rejected):
        await client(server, security="starttls", user="slip", password="way").send(mail())
    assert "AUTH" not in server.verbs
    assert "MAIL" not in server.verbs


@pytest.mark.parametrize("recipient", ["a@b.example\nBcc: c@d.example", "zoë@example.com"])
async def test_an_address_that_cannot_be_written_is_refused(server: SmtpServer, recipient: str) -> None:
    with pytest.raises(InvalidInput):
        await client(server).send(mail(recipient))
    assert server.taken == []


def test_a_missing_value_and_an_unknown_template_are_errors() -> None:
    with pytest.raises(InvalidInput, match="token"):
        render("password-reset", {name: value for name, value in VALUES.items() if name != "token"})
    with pytest.raises(InvalidInput):
        render("../settings", VALUES)


@pytest.mark.parametrize("template", sorted(TEMPLATES))
def test_every_template_has_a_subject_and_a_text(template: str) -> None:
    names = ("site", "mailbox", "user", "date", "days", "plan", "reason", "backup", "outlook", "inviter", "username",
             "hours")  # fmt: skip
    told = dict.fromkeys(names, "something")
    subject, text = render(template, told | VALUES)
    assert subject
    assert VALUES["name"] in text
