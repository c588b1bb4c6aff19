"""Mailboxes on a real Debian host: Postfix and Dovecot answer from outside, by SMTP and IMAP."""

from __future__ import annotations

import asyncio
import imaplib
from collections.abc import AsyncIterator, Awaitable, Callable

import bcrypt
import pytest
from pydantic import SecretStr

from providers.errors import CommandFailed, Conflict, HostUnreachable, InvalidInput, NotFound, StillPresent
from providers.hosts import probe
from providers.hosts.ssh import CommandResult, Host, connect
from providers.mailboxes import host_files
from providers.mailboxes.accounts import parse
from providers.mailboxes.base import MailboxFacts
from providers.mailboxes.passwords import hash_password
from providers.mailboxes.postfix import PostfixMailboxes
from tests.providers.mailboxes.conftest import MailHost

pytestmark = [pytest.mark.lab, pytest.mark.slow]

ANN, BOB = "0198aaaa-1111", "0198bbbb-2222"  # owners
PASSWORD = "corr3ct 'horse\" b:ttery\\"
# The cheapest bcrypt knows: each look into a mailbox is a sign-in.
HASH = SecretStr("{BLF-CRYPT}" + bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode())


@pytest.fixture(scope="module")
async def boxes(served: MailHost) -> AsyncIterator[PostfixMailboxes]:
    async with served.enter() as host:
        adapter = PostfixMailboxes(host)
        await adapter.ensure_domain("ann.test", ANN)
        yield adapter


async def test_set_up_is_done_once_and_three_ports_answer(served: MailHost) -> None:
    assert (await served.set_up()).already is True
    assert await probe.open_ports(served.target.address, [25, 110, 143, 587, 993, 995]) == [25, 587, 993]
    async with served.enter() as host:
        for path in (host_files.POSTFIX_CONF, host_files.DOVECOT_CONF):
            kept = await host.read(path + host_files.BEFORE)
            assert kept
            assert host_files.OURS not in kept


async def test_each_operation_done_twice_is_already_present(served: MailHost, boxes: PostfixMailboxes) -> None:
    other = hash_password(SecretStr("another"))
    steps: list[Callable[[], Awaitable[object]]] = [
        lambda: boxes.ensure_domain("twice.test", ANN),
        lambda: boxes.ensure_mailbox("box@twice.test", ANN, 5, HASH),
        lambda: boxes.change_quota("box@twice.test", ANN, 6),
        lambda: boxes.set_password("box@twice.test", ANN, other),
        lambda: boxes.suspend("box@twice.test", ANN),
        lambda: boxes.resume("box@twice.test", ANN),
        lambda: boxes.remove("box@twice.test", ANN),
        lambda: boxes.remove_domain("twice.test", ANN),
    ]
    for step in steps:
        first, second = await step(), await step()
        assert first.changed, first
        assert not second.changed
        assert "already" in second.text


class TestMail:
    async def test_a_mail_is_taken_and_read_back(self, served: MailHost, boxes: PostfixMailboxes) -> None:
        await boxes.ensure_mailbox("ann@ann.test", ANN, 20, HASH)
        assert await served.deliver("ann@ann.test", "first") == 250
        assert await served.deliver("Ann+List@Ann.test", "detail") == 250
        assert sorted(await served.subjects("ann@ann.test", PASSWORD, wanted=2) or []) == ["detail", "first"]
        facts = await boxes.facts("ann@ann.test")
        assert (facts.exists, facts.owner, facts.quota_mb, facts.suspended, facts.login) == (True, ANN, 20, False, True)
        assert facts.used > 0

    async def test_a_wrong_password_is_refused_and_a_new_one_counts_at_once(
        self, served: MailHost, boxes: PostfixMailboxes
    ) -> None:
        await boxes.ensure_mailbox("key@ann.test", ANN, 5, HASH)
        assert await served.subjects("key@ann.test", "wrong") is None
        assert await served.subjects("key@ann.test", PASSWORD) == []
        await boxes.set_password("key@ann.test", ANN, hash_password(SecretStr("second")))
        assert await served.subjects("key@ann.test", PASSWORD) is None
        assert await served.subjects("key@ann.test", "second") == []
        await boxes.set_password("key@ann.test", ANN, None)
        assert await served.subjects("key@ann.test", "second") is None
        assert await served.deliver("key@ann.test") == 250

    async def test_unknown_addresses_and_foreign_domains_are_refused(
        self, served: MailHost, boxes: PostfixMailboxes
    ) -> None:
        for address, code in (("nobody@ann.test", 550), ("..@ann.test", 550), ("who@sub.ann.test", 554),
                              ("who@elsewhere.test", 554), ("who%elsewhere.test@mx1.lab.test", 554)):  # fmt: skip
            assert await served.deliver(address) == code, address

    async def test_who_is_signed_in_sends_as_himself_only(self, served: MailHost, boxes: PostfixMailboxes) -> None:
        await boxes.ensure_mailbox("out@ann.test", ANN, 5, HASH)
        await boxes.ensure_mailbox("in@ann.test", ANN, 5, HASH)
        assert await served.submit("out@ann.test", PASSWORD, "out@ann.test", "in@ann.test") == 250
        assert await served.subjects("in@ann.test", PASSWORD, wanted=1) == ["sent"]
        assert await served.submit("out@ann.test", PASSWORD, "out+x@ann.test", "far@elsewhere.test") == 250
        assert await served.submit("out@ann.test", PASSWORD, "in@ann.test", "far@elsewhere.test") == 553
        assert await served.submit("out@ann.test", "wrong", "out@ann.test", "in@ann.test") == 535
        assert await served.submit("out@ann.test", PASSWORD, "out@ann.test", "nobody@ann.test") == 550

    async def test_a_full_mailbox_refuses_while_the_sender_is_on_the_line(
        self, served: MailHost, boxes: PostfixMailboxes
    ) -> None:
        await boxes.ensure_mailbox("full@ann.test", ANN, 1, HASH)
        large = ("y" * 76 + "\r\n") * 9_000  # some 700 kB
        assert await served.deliver("full@ann.test", "fits", body=large) == 250
        assert await served.subjects("full@ann.test", PASSWORD, wanted=1) == ["fits"]
        for announced in (True, False):
            assert await served.deliver("full@ann.test", "no", body=large, announced=announced) == 552
            assert await served.deliver("full@ann.test", "never", body=large * 2, announced=announced) == 552
        assert await served.deliver("full@ann.test", "small") == 250
        await boxes.change_quota("full@ann.test", ANN, 3)
        assert await served.deliver("full@ann.test", "more", body=large) == 250
        assert await served.subjects("full@ann.test", PASSWORD, wanted=3) == ["fits", "small", "more"]

    async def test_suspended_nobody_signs_in_and_senders_come_again(
        self, served: MailHost, boxes: PostfixMailboxes
    ) -> None:
        await boxes.ensure_mailbox("pause@ann.test", ANN, 5, HASH)
        assert await served.deliver("pause@ann.test", "before") == 250
        assert await served.subjects("pause@ann.test", PASSWORD, wanted=1) == ["before"]
        session = await asyncio.to_thread(served.signed_in, "pause@ann.test", PASSWORD)
        await boxes.suspend("pause@ann.test", ANN)
        with pytest.raises((imaplib.IMAP4.abort, OSError)):
            await asyncio.to_thread(lambda: [session.noop() for _ in range(20)])
        session.shutdown()
        assert await served.subjects("pause@ann.test", PASSWORD) is None
        assert await served.submit("pause@ann.test", PASSWORD, "pause@ann.test", "ann@ann.test") == 535
        assert await served.deliver("pause@ann.test", "meanwhile") == 450
        facts = await boxes.facts("pause@ann.test")
        assert (facts.suspended, facts.login) == (True, False)
        assert facts.used > 0
        await boxes.resume("pause@ann.test", ANN)
        assert await served.deliver("pause@ann.test", "after") == 250
        assert await served.subjects("pause@ann.test", PASSWORD, wanted=2) == ["before", "after"]


class TestOwnership:
    async def test_two_owners_never_mix(self, boxes: PostfixMailboxes) -> None:
        await boxes.ensure_domain("bob.test", BOB)
        await boxes.ensure_mailbox("bob@bob.test", BOB, 5, HASH)
        before = await boxes.facts("bob@bob.test")
        for attempt in (
            boxes.ensure_domain("bob.test", ANN),
            boxes.remove_domain("bob.test", ANN),
            boxes.ensure_mailbox("ann@bob.test", ANN, 5, HASH),
            boxes.ensure_mailbox("bob@bob.test", ANN, 5, HASH),
            boxes.set_password("bob@bob.test", ANN, None),
            boxes.change_quota("bob@bob.test", ANN, 50),
            boxes.suspend("bob@bob.test", ANN),
            boxes.resume("bob@bob.test", ANN),
            boxes.remove("bob@bob.test", ANN),
        ):
            with pytest.raises(Conflict):
                await attempt
        assert await boxes.facts("bob@bob.test") == before
        assert not (await boxes.discard_backup("bob@bob.test", ANN)).changed

    async def test_what_an_administrator_wrote_survives_byte_for_byte(
        self, served: MailHost, boxes: PostfixMailboxes
    ) -> None:
        lines = b"# by hand: \xff\xfe\r\n\thanging\nCorp.test   kept by \xe9lodie\n"
        account = f"{host_files.ACCOUNTS}/ann.test/hand"
        by_hand = b"hand@ann.test:{PLAIN}by-hand::::::\n"
        async with served.enter() as host:
            table = await host.content(host_files.DOMAINS) or b""
            await host.put(host_files.DOMAINS, lines + table + b"last.test x", mode=0o644)
            await host.put(account, by_hand, mode=0o640)
            await host.run(["chgrp", "dovecot", account])
            await boxes.ensure_domain("new.test", ANN)
            for attempt in (boxes.ensure_domain("corp.test", ANN), boxes.remove_domain("corp.test", ANN),
                            boxes.ensure_mailbox("hand@ann.test", ANN, 5), boxes.remove("hand@ann.test", ANN),
                            boxes.ensure_mailbox("me@corp.test", ANN, 5),
                            boxes.set_password("hand@ann.test", ANN, None)):  # fmt: skip
                with pytest.raises(Conflict):
                    await attempt
            assert await boxes.facts("hand@ann.test") == MailboxFacts(exists=True)
            assert await served.subjects("hand@ann.test", "by-hand") == []
            await boxes.remove_domain("new.test", ANN)
            assert await host.content(host_files.DOMAINS) == lines + table + b"last.test x\n"
            assert await host.content(account) == by_hand
            await host.put(host_files.DOMAINS, table, mode=0o644)

    async def test_mail_without_an_account_is_nobody_elses_to_have(
        self, served: MailHost, boxes: PostfixMailboxes
    ) -> None:
        async with served.enter() as host:
            await host.run(["install", "-d", f"{host_files.MAIL}/ann.test/ghost/Maildir"])
            with pytest.raises(Conflict):
                await boxes.ensure_mailbox("ghost@ann.test", ANN, 5, HASH)
            with pytest.raises(StillPresent, match="mail"):
                await boxes.prove_absent("ghost@ann.test")

    async def test_a_mailbox_needs_its_domain_and_the_host_keeps_its_name(self, boxes: PostfixMailboxes) -> None:
        with pytest.raises(NotFound):
            await boxes.ensure_mailbox("ann@nowhere.test", ANN, 5, HASH)
        with pytest.raises(NotFound):
            await boxes.suspend("nobody@ann.test", ANN)
        with pytest.raises(InvalidInput):
            await boxes.ensure_domain("MX1.lab.test.", ANN)


class TestTheEnd:
    async def test_an_archive_is_made_once_and_outlives_the_mailbox_until_it_is_discarded(
        self, served: MailHost, boxes: PostfixMailboxes
    ) -> None:
        await boxes.ensure_domain("pack.test", ANN)
        await boxes.ensure_mailbox("box@pack.test", ANN, 5, HASH)
        assert await boxes.back_up("box@pack.test", ANN, "job-1") is None, "nothing was ever delivered"
        assert await served.deliver("box@pack.test", "keep me") == 250
        assert await served.subjects("box@pack.test", PASSWORD, wanted=1) == ["keep me"]
        with pytest.raises(Conflict):
            await boxes.back_up("box@pack.test", BOB, "job-1")
        await boxes.suspend("box@pack.test", ANN)
        made = await boxes.back_up("box@pack.test", ANN, "job-1")
        assert made is not None
        assert await boxes.back_up("box@pack.test", ANN, "job-1") == made
        await boxes.remove("box@pack.test", ANN)
        assert await boxes.back_up("box@pack.test", ANN, "job-1") == made
        async with served.enter() as host:
            told = await host.run(["sha256sum", made.path])
            assert told.stdout.split()[0] == made.sha256
            inside = await host.run(["tar", "--list", "--file", made.path])
            assert "box/Maildir/" in inside.stdout
            unread = await host.run(["runuser", "-u", "vmail", "--", "cat", made.path], check=False)
            assert not unread.ok
        assert (await boxes.discard_archive("box@pack.test", ANN, "job-1")).changed
        assert not (await boxes.discard_archive("box@pack.test", ANN, "job-1")).changed
        assert (await boxes.discard_backup("box@pack.test", ANN)).changed
        await boxes.remove_domain("pack.test", ANN)

    async def test_removal_keeps_the_mail_for_root_until_it_is_discarded(
        self, served: MailHost, boxes: PostfixMailboxes
    ) -> None:
        await boxes.ensure_domain("end.test", ANN)
        await boxes.ensure_mailbox("last@end.test", ANN, 5, HASH)
        assert await served.deliver("last@end.test", "keep me") == 250
        assert await served.subjects("last@end.test", PASSWORD, wanted=1) == ["keep me"]
        with pytest.raises(StillPresent, match=r"an account and mail and a user"):
            await boxes.prove_absent("last@end.test")
        with pytest.raises(Conflict, match="still has mailboxes"):
            await boxes.remove_domain("end.test", ANN)

        removal = await boxes.remove("last@end.test", ANN)
        assert removal.changed
        assert removal.backup
        assert removal.size > 0
        assert await boxes.remove("last@end.test", ANN) == type(removal)(
            False, removal.text.replace("removed", "already absent", 1), removal.backup, removal.size
        )
        assert "knows no user last@end.test" in await boxes.prove_absent("last@end.test")
        assert await served.deliver("last@end.test") == 550
        assert await served.subjects("last@end.test", PASSWORD) is None
        async with served.enter() as host:
            kept = await host.run(["grep", "-rl", "keep me", removal.backup])
            assert kept.stdout.startswith(f"{removal.backup}/1/Maildir/")
            unread = await host.run(["runuser", "-u", "vmail", "--", "ls", removal.backup], check=False)
            assert not unread.ok

        await boxes.ensure_mailbox("last@end.test", ANN, 5, HASH)
        assert await served.subjects("last@end.test", PASSWORD) == []
        again = await boxes.remove("last@end.test", ANN)
        assert again.backup == removal.backup
        assert again.size > removal.size
        assert (await boxes.discard_backup("last@end.test", ANN)).changed
        assert not (await boxes.discard_backup("last@end.test", ANN)).changed
        assert (await boxes.remove("last@end.test", ANN)).backup is None

        assert (await boxes.remove_domain("end.test", ANN)).changed
        assert await served.deliver("last@end.test") == 554


async def test_ten_at_once_all_are_there_afterwards(served: MailHost) -> None:
    async def make(number: int) -> None:
        async with served.enter() as host:
            adapter = PostfixMailboxes(host)
            await adapter.ensure_domain(f"d{number}.many.test", ANN)
            await adapter.ensure_mailbox(f"box@d{number}.many.test", ANN, 5, HASH)

    await asyncio.gather(*(retried(make, number) for number in range(10)))
    codes = await asyncio.gather(*(served.deliver(f"box@d{number}.many.test") for number in range(10)))
    assert codes == [250] * 10


async def test_changes_of_one_mailbox_at_once_lose_none(served: MailHost, boxes: PostfixMailboxes) -> None:
    await boxes.ensure_mailbox("race@ann.test", ANN, 5, HASH)
    async with served.enter() as first, served.enter() as second, served.enter() as third:
        await asyncio.gather(
            PostfixMailboxes(first).change_quota("race@ann.test", ANN, 7),
            PostfixMailboxes(second).set_password("race@ann.test", ANN, None),
            PostfixMailboxes(third).suspend("race@ann.test", ANN),
        )
    await boxes.resume("race@ann.test", ANN)
    facts = await boxes.facts("race@ann.test")
    assert (facts.quota_mb, facts.login, facts.suspended) == (7, False, False)


async def test_a_reload_that_failed_is_made_up_for(served: MailHost, boxes: PostfixMailboxes) -> None:
    async with served.enter() as host:
        await host.run(["systemctl", "stop", "postfix.service"])
        with pytest.raises(CommandFailed):
            await boxes.ensure_domain("late.test", ANN)
        await host.run(["systemctl", "start", "postfix.service"])
        assert (await boxes.ensure_domain("late.test", ANN)).changed
        assert not (await boxes.ensure_domain("late.test", ANN)).changed
    await boxes.ensure_mailbox("box@late.test", ANN, 5, HASH)
    assert await served.deliver("box@late.test") == 250


async def retried(act: Callable[[int], Awaitable[None]], number: int) -> None:
    """sshd may turn one of many simultaneous callers away (MaxStartups); an activity would be retried."""
    for _ in range(5):
        try:
            return await act(number)
        except HostUnreachable:
            await asyncio.sleep(0.3)
    return await act(number)


class Cut(Host):
    """Loses its connection in the middle of command number `at`."""

    at = 0

    async def run(self, argv: object, **options: object) -> CommandResult:
        self.at -= 1
        if self.at == 0:
            asyncio.get_running_loop().call_later(0.004, self._open().abort)
        return await super().run(argv, **options)  # type: ignore[arg-type]


async def test_cut_anywhere_the_next_run_completes_it(served: MailHost) -> None:
    async def story(adapter: PostfixMailboxes) -> None:
        await adapter.ensure_domain("cut.test", ANN)
        await adapter.ensure_mailbox("box@cut.test", ANN, 5, HASH)
        await adapter.suspend("box@cut.test", ANN)

    async def end(adapter: PostfixMailboxes) -> None:
        await adapter.remove("box@cut.test", ANN)
        await adapter.remove_domain("cut.test", ANN)

    cuts = 0
    for procedure, most in ((story, 9), (end, 11)):
        for at in range(1, most):
            try:
                async with Cut(served.target, on_line=None, redact=(), connect_timeout=10) as host:
                    host.at = at
                    await procedure(PostfixMailboxes(host))
            except HostUnreachable:
                cuts += 1
        async with served.enter() as host:
            adapter = PostfixMailboxes(host)
            await procedure(adapter)
            if procedure is story:
                await adapter.resume("box@cut.test", ANN)
                assert await served.deliver("box@cut.test", "whole") == 250
                assert await served.subjects("box@cut.test", PASSWORD, wanted=1) == ["whole"]
            else:
                await adapter.prove_absent("box@cut.test")
                assert await served.deliver("box@cut.test") == 554
                backup = (await adapter.remove("box@cut.test", ANN)).backup
                assert backup
                assert (await host.run(["grep", "-rl", "whole", backup])).stdout
    assert cuts > 5


async def test_no_hash_and_no_password_is_ever_told(served: MailHost, boxes: PostfixMailboxes) -> None:
    told = "\n".join([*served.story.said, *(text for _, text in served.story.lines)])
    assert "$2b$" not in told
    assert PASSWORD not in told
    async with connect(served.target) as host:
        account = parse(await host.content(f"{host_files.ACCOUNTS}/ann.test/ann") or b"")
        assert account is not None
        assert account.password_hash == HASH
        assert "$2b$" not in repr(account)
        seen = await host.run(["stat", "-c", "%a %U %G", f"{host_files.ACCOUNTS}/ann.test/ann"])
        assert seen.stdout.split() == ["640", "root", "dovecot"]
