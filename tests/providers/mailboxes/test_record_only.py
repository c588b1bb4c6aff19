"""The documented default: it takes what could be made real, does nothing outside, and says so each time."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from providers.errors import InvalidInput
from providers.mailboxes.base import MailboxAdapter, MailboxFacts
from providers.mailboxes.passwords import LOCKED
from providers.mailboxes.postfix import PostfixMailboxes
from providers.mailboxes.record_only import NOTHING, RecordOnlyMailboxes

boxes: MailboxAdapter = RecordOnlyMailboxes()
REAL: type[MailboxAdapter] = PostfixMailboxes


async def test_every_operation_says_that_nothing_was_done_outside() -> None:
    for outcome in (
        await boxes.ensure_domain("a.test", "o"),
        await boxes.ensure_mailbox("ann@a.test", "o", 5, SecretStr(LOCKED)),
        await boxes.set_password("ann@a.test", "o", None),
        await boxes.change_quota("ann@a.test", "o", 6),
        await boxes.suspend("ann@a.test", "o"),
        await boxes.resume("ann@a.test", "o"),
        await boxes.remove("ann@a.test", "o"),
        await boxes.discard_backup("ann@a.test", "o"),
        await boxes.discard_archive("ann@a.test", "o", "job"),
        await boxes.remove_domain("a.test", "o"),
    ):
        assert outcome.changed is False
        assert outcome.text.endswith(NOTHING)


async def test_nothing_exists_and_no_mail_is_served() -> None:
    assert boxes.serves_mail is False
    assert await boxes.back_up("ann@a.test", "o", "job") is None
    assert await boxes.facts("ann@a.test") == MailboxFacts(exists=False)
    assert "never more than a record" in await boxes.prove_absent("ann@a.test")


async def test_what_no_mail_server_would_take_is_refused_here_too() -> None:
    for attempt in (
        boxes.ensure_domain("no domain", "o"),
        boxes.ensure_mailbox("ann@a.test", "o", 0),
        boxes.ensure_mailbox("ann@a.test", "o", 5, SecretStr("plain")),
        boxes.ensure_mailbox("a b@a.test", "o", 5),
        boxes.suspend("ann@a.test", "not an id"),
    ):
        with pytest.raises(InvalidInput):
            await attempt
