"""The life of hosting accounts on a real Debian host: suspended, backed up, cut off, at once, and proven gone."""

from __future__ import annotations

import asyncio
import io
import tarfile
from collections.abc import AsyncIterator
from typing import Any

import asyncssh
import pytest

from providers.errors import CommandFailed, DiskFull, HostUnreachable, NotFound, StillPresent, Transient
from providers.hosting import commands, sites
from providers.hosting.account import CHALLENGES, Account
from providers.hosting.backups import back_up, discard, fetch, restore, verify
from providers.hosting.certificates import install_certificate, make_csr
from providers.hosting.inspection import facts
from providers.hosting.locks import exclusive
from providers.hosting.removal import prove_absent, remove
from providers.hosting.setup import set_up
from providers.hosting.sftp import ensure_keys
from providers.hosting.sites import ensure_site
from providers.hosting.suspension import resume, suspend
from providers.hosts import challenges, probe
from providers.hosts.cloud_init import new_keypair
from providers.hosts.ssh import Host
from tests.providers.hosting.conftest import WebServer, account_of, boot, write
from tests.providers.hosts.conftest import Authority

pytestmark = [pytest.mark.lab, pytest.mark.slow]


class TestSuspension:
    async def test_a_suspended_site_says_so_and_comes_back_as_it_was(
        self, server: WebServer, authority: Authority
    ) -> None:
        account, (private, public) = account_of(40, kind="php"), new_keypair()
        name = account.domains[0]
        async with server.enter() as host:
            await server.place(host, account)
            await ensure_keys(host, account, [public], server.story.say)
            chain = authority.sign(await make_csr(host, account, server.story.say))
            await install_certificate(host, account, chain, server.story.say)
            await write(host, account, f"{account.public}/index.php", "<?php echo 'alive';")
            assert (await server.get(name, tls=authority)).text == "alive"
            async with server.customer(account, key=private) as connection:
                assert await suspend(host, account, server.story.say) is True
                await asyncio.wait_for(connection.wait_closed(), 10)
            assert await suspend(host, account, server.story.say) is False
            for tls in (None, authority):
                page = await server.get(name, "/any", tls=tls)
                assert page.status_code == 503
                assert "This site is suspended" in page.text
            with pytest.raises((asyncssh.PermissionDenied, asyncssh.ConnectionLost)):
                await server.customer(account, key=private)
            assert not (await host.run(["pgrep", "-U", account.system_user], check=False)).ok
            # A repeat of an earlier step, or a renewal, does not open it.
            await ensure_site(host, account, server.story.say)
            await challenges.publish(host, CHALLENGES, "token-2", "answer")
            assert (await server.get(name, "/.well-known/acme-challenge/token-2")).text == "answer"
            assert (await facts(host, account)).state == "suspended"
            assert await resume(host, account, server.story.say) is True
            assert await resume(host, account, server.story.say) is False
            assert (await server.get(name, tls=authority)).text == "alive"
            async with server.customer(account, key=private) as connection, connection.start_sftp_client() as sftp:
                assert await sftp.exists("index.php")


class TestBackups:
    async def test_content_comes_back_byte_for_byte_into_a_new_place(self, server: WebServer) -> None:
        account, blob = account_of(50), bytes(range(256)) * 4096
        async with server.enter() as host:
            await server.place(host, account)
            await write(host, account, f"{account.public}/index.html", "precious")
            await write(host, account, f"{account.private}/näme with space", "private")
            await host.put("/root/blob", blob, mode=0o644)
            await host.run(["install", "-o", account.system_user, "/root/blob", f"{account.public}/blob"])
            made = await back_up(host, account, "job-1", server.story.say)
            assert await back_up(host, account, "job-1", server.story.say) == made
            assert not (await host.run(commands.as_user(account.system_user, ["cat", made.path]), check=False)).ok
            assert await remove(host, account, server.story.say) is True
            proof = await prove_absent(host, account)
            assert "back-ups are kept" in proof
            pieces: list[bytes] = []

            async def sink(chunk: bytes) -> None:
                pieces.append(chunk)

            assert await fetch(host, account, "job-1", sink) == made
            with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
                assert {"public/blob", "private/näme with space"} <= set(archive.getnames())

            async def chunks() -> Any:
                for piece in pieces:
                    yield piece

            await server.place(host, account)
            await restore(host, account, chunks(), server.story.say)
            assert (await server.get(account.domains[0])).text == "precious"
            assert (await server.get(account.domains[0], "/blob")).content == blob
            assert (await facts(host, account)).backups == ("job-1",)
            assert await discard(host, account, "job-1", server.story.say) is True
            assert await discard(host, account, "job-1", server.story.say) is False
            with pytest.raises(NotFound):
                await fetch(host, account, "job-1", sink)

    async def test_an_archive_that_changed_on_the_server_is_not_the_backup(self, server: WebServer) -> None:
        account = account_of(52)
        async with server.enter() as host:
            await server.place(host, account)
            made = await back_up(host, account, "job-2", server.story.say)
            assert await verify(host, account, "job-2", server.story.say) == made
            await host.run(["truncate", "--size", "-1", made.path])
            with pytest.raises(Transient, match="not what was packed"):
                await verify(host, account, "job-2", server.story.say)
            with pytest.raises(NotFound):
                await verify(host, account, "job-3", server.story.say)

    async def test_what_is_no_archive_or_exceeds_the_quota_is_named(self, server: WebServer) -> None:
        account, packed = account_of(51, quota_mb=16), io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            large = tarfile.TarInfo("private/large")
            large.size = 40 * 1024 * 1024
            archive.addfile(large, io.BytesIO(bytes(large.size)))

        async def once(data: bytes) -> AsyncIterator[bytes]:
            yield data

        async with server.enter() as host:
            await server.place(host, account)
            with pytest.raises(DiskFull):
                await restore(host, account, once(packed.getvalue()), server.story.say)
            with pytest.raises(CommandFailed):
                await restore(host, account, once(b"no archive"), server.story.say)
            assert (await server.get(account.domains[0])).status_code == 200


class TestTheEnd:
    async def test_removal_leaves_nothing_and_may_be_repeated(self, server: WebServer, authority: Authority) -> None:
        account = account_of(60, kind="php")
        async with server.enter() as host:
            await server.place(host, account)
            await ensure_keys(host, account, [new_keypair()[1]], server.story.say)
            chain = authority.sign(await make_csr(host, account, server.story.say))
            await install_certificate(host, account, chain, server.story.say)
            with pytest.raises(StillPresent, match=account.system_user):
                await prove_absent(host, account)
            assert await remove(host, account, server.story.say) is True
            assert await remove(host, account, server.story.say) is False
            proof = await prove_absent(host, account)
            assert account.domains[0] in proof
            assert await server.silent(account.domains[0])
            found = await host.run(["find", "/etc", "/srv", "/var/lib/slipway", "/run", "/var/log/nginx", "-xdev",
                                    "-name", f"*{account.system_user}*"])  # fmt: skip
            assert found.stdout == ""
            loops = await host.run(["losetup", "--list", "--noheadings", "--output", "BACK-FILE"])
            assert account.system_user not in loops.stdout

    async def test_five_accounts_at_once_do_not_disturb_each_other(self, server: WebServer) -> None:
        accounts = [account_of(70 + n, kind="php" if n % 2 else "static") for n in range(5)]

        async def whole(account: Account) -> None:
            async with server.enter() as host:
                await server.place(host, account)

        await asyncio.gather(*(whole(account) for account in accounts))
        answers = await asyncio.gather(*(server.get(account.domains[0]) for account in accounts))
        assert [answer.status_code for answer in answers] == [200] * 5

        async def end(account: Account) -> str:
            async with server.enter() as host:
                await remove(host, account, server.story.say)
                return await prove_absent(host, account)

        assert len(await asyncio.gather(*(end(account) for account in accounts))) == 5

    async def test_the_servers_lock_is_one_workers_at_a_time_and_goes_with_its_connection(
        self, server: WebServer
    ) -> None:
        async with server.enter() as other:
            async with server.enter() as host, exclusive(host):
                with pytest.raises(Transient, match="took longer"):
                    async with exclusive(other, seconds=1):
                        pass
            async with server.enter() as host:
                with pytest.raises(HostUnreachable):
                    await _lose_the_connection_in_the_lock(host)
            async with exclusive(other, seconds=10):
                pass

    async def test_a_connection_lost_anywhere_is_healed_by_a_second_run(self, server: WebServer) -> None:
        account = account_of(80, kind="php")

        class Cut(Exception):
            pass

        async def all_steps(host: Host) -> None:
            await server.place(host, account)
            await suspend(host, account, server.story.say)
            await resume(host, account, server.story.say)
            await remove(host, account, server.story.say)

        # The connection dies before the n-th command, for many an n.
        for limit in range(5, 200, 11):
            count = 0
            async with server.enter() as host:
                run = host.run

                async def counted(argv: Any, run: Any = run, host: Host = host, limit: int = limit, **more: Any) -> Any:
                    nonlocal count
                    count += 1
                    if count == limit:
                        host._open().abort()
                        raise Cut
                    return await run(argv, **more)

                host.run = counted  # type: ignore[method-assign]
                try:
                    await all_steps(host)
                except Cut:
                    pass
                else:
                    break
            async with server.enter() as host:
                await server.place(host, account)
                await resume(host, account, server.story.say)
            assert (await server.get(account.domains[0])).status_code == 200
        assert limit > 50
        async with server.enter() as host:
            await remove(host, account, server.story.say)
            assert await prove_absent(host, account)

    async def test_after_a_reboot_sites_are_back(self, server: WebServer) -> None:
        account = account_of(90, kind="php")
        async with server.enter() as host:
            await server.place(host, account)
            await write(host, account, f"{account.public}/index.php", "<?php echo 'again';")
        await server.driver.stop(server.name)
        await server.driver.start(server.name)
        await server.awaited()
        async with server.enter() as host:
            assert (await set_up(host, server.story.say)).already is True
            assert (await server.get(account.domains[0])).text == "again"
            assert await ensure_site(host, account, server.story.say) is False
            assert (await sites.answer(host, account.domains[0]))[1] == "again"


async def test_a_bare_host_becomes_a_web_server_from_packages(driver: Any) -> None:
    bare = await boot(driver, "bare-1", image="bare")
    account = account_of(1, kind="php")
    async with bare.enter() as host:
        assert (await set_up(host, bare.story.say)).already is False
        await bare.place(host, account)
        assert (await bare.get(account.domains[0])).status_code == 200
    await probe.check_ports(bare.target.address, wanted=(22, 80, 443), application_ports=())


async def _lose_the_connection_in_the_lock(host: Host) -> None:
    async with exclusive(host):
        host._open().abort()
        await host.run(["true"])
