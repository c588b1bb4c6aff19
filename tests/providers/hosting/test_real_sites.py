"""Sites on a real Debian host: served, walled in, filled over SFTP, and with HTTPS."""

from __future__ import annotations

import asyncssh
import bcrypt
import httpx
import pytest
from pydantic import SecretStr

from providers.errors import CommandFailed, Conflict, InvalidInput, NotFound, StillPresent
from providers.hosting import commands, volumes
from providers.hosting.account import CHALLENGES, NGINX_SITES
from providers.hosting.accounts import ensure_account, ensure_quota
from providers.hosting.backups import back_up
from providers.hosting.certificates import install_certificate, make_csr
from providers.hosting.inspection import facts, room
from providers.hosting.limits import change_limits
from providers.hosting.removal import prove_absent, remove
from providers.hosting.sftp import ensure_keys, ensure_password
from providers.hosting.sites import ensure_site
from providers.hosting.suspension import resume, suspend
from providers.hosts import challenges
from providers.hosts.cloud_init import new_keypair
from tests.providers.hosting.conftest import WebServer, account_of, write
from tests.providers.hosts.conftest import Authority

pytestmark = [pytest.mark.lab, pytest.mark.slow]


class TestSites:
    async def test_a_static_site_is_served_by_its_names_and_every_step_may_be_repeated(self, server: WebServer) -> None:
        account = account_of(1, domains=("one.example.test", "www.one.example.test"))
        async with server.enter() as host:
            for first in (True, False):
                assert await ensure_account(host, account, server.story.say) is first
                assert await ensure_quota(host, account, server.story.say) is False
                assert await ensure_site(host, account, server.story.say) is first
            assert "This site is ready" in (await server.get("www.one.example.test")).text
            await write(host, account, f"{account.public}/index.html", "hello of one")
            await write(host, account, f"{account.public}/.env", "SECRET=1")
            await write(host, account, f"{account.public}/old.php", "<?php secret();")
            assert (await server.get("one.example.test")).text == "hello of one"
            assert [(await server.get("one.example.test", path)).status_code for path in ("/.env", "/old.php")] == [
                404
            ] * 2
            assert await ensure_site(host, account, server.story.say) is False
            assert (await server.get("one.example.test")).text == "hello of one"

    async def test_names_of_nobody_get_no_answer(self, server: WebServer, authority: Authority) -> None:
        assert await server.silent("nobody.example.test")
        with pytest.raises(httpx.ConnectError):
            await server.get("nobody.example.test", tls=authority)

    async def test_php_runs_as_the_account_and_may_be_switched_off(self, server: WebServer) -> None:
        account = account_of(2, kind="php")
        async with server.enter() as host:
            await server.place(host, account)
            script = (
                "<?php session_start(); echo posix_getpwuid(posix_geteuid())['name'], ' ', $_SERVER['REQUEST_URI'];"
            )
            await write(host, account, f"{account.public}/index.php", script)
            assert (await server.get(account.domains[0], "/pretty/path?x=1")).text == (
                f"{account.system_user} /pretty/path?x=1"
            )
            plain = account.model_copy(update={"kind": "static"})
            assert await ensure_site(host, plain, server.story.say) is True
            assert not await host.exists(account.pool_file)
            assert (await server.get(account.domains[0], "/index.php")).status_code == 404
            assert await ensure_site(host, account, server.story.say) is True
            assert (await server.get(account.domains[0])).text.startswith(account.system_user)

    async def test_a_name_of_another_account_is_refused_and_nothing_changes(self, server: WebServer) -> None:
        first, second = account_of(3), account_of(4, domains=("site3.example.test", "site4.example.test"))
        async with server.enter() as host:
            await server.place(host, first)
            await ensure_account(host, second, server.story.say)
            with pytest.raises(Conflict, match=r"site3\.example\.test"):
                await ensure_site(host, second, server.story.say)
            assert not await host.exists(second.site_file)
            assert (await server.get("site3.example.test")).status_code == 200
            assert await server.silent("site4.example.test")

    async def test_what_nginx_refuses_is_rolled_back_and_the_others_keep_serving(self, server: WebServer) -> None:
        account, broken = account_of(5), f"{NGINX_SITES}/foreign.conf"
        async with server.enter() as host:
            await server.place(host, account)
            before = await host.read(account.site_file)
            await host.put(broken, "server { no_such_directive; }\n", mode=0o644)
            try:
                more = account.model_copy(update={"domains": (*account.domains, "more5.example.test")})
                with pytest.raises(CommandFailed, match="no_such_directive"):
                    await ensure_site(host, more, server.story.say)
                assert await host.read(account.site_file) == before
                assert (await server.get(account.domains[0])).status_code == 200
            finally:
                await host.run(["rm", broken])
            assert await ensure_site(host, more, server.story.say) is True
            assert (await server.get("more5.example.test")).status_code == 200


class TestWalls:
    async def test_php_of_one_account_reads_nothing_of_another(self, server: WebServer) -> None:
        spy, victim = account_of(10, kind="php"), account_of(11, kind="php")
        async with server.enter() as host:
            for account in (spy, victim):
                await server.place(host, account)
            await write(host, victim, f"{victim.public}/secret.txt", "the secret")
            await write(host, victim, f"{victim.private}/secret.txt", "the secret")
            wanted = [f"{victim.public}/secret.txt", f"{victim.private}/secret.txt", victim.home, "/etc/passwd",
                      spy.key_file, victim.socket]  # fmt: skip
            script = f"""<?php
                foreach (['{"', '".join(wanted)}'] as $path) {{
                    var_dump(@file_get_contents($path), @scandir($path));
                }}
                var_dump(function_exists('exec'), @fsockopen('unix://{victim.socket}'));
                var_dump(@symlink('{victim.public}/secret.txt', '{spy.public}/link.txt'));
            """
            await write(host, spy, f"{spy.public}/spy.php", script)
            shown = (await server.get(spy.domains[0], "/spy.php")).text
            assert set(shown.split()) == {"bool(false)"}
            # The same without PHP's own walls: the system's hold alone.
            for path in (victim.public, victim.private, *wanted[:2]):
                assert not (await host.run(commands.as_user(spy.system_user, ["ls", path]), check=False)).ok
            await host.run(commands.as_user(spy.system_user, ["ln", "-s", wanted[0], f"{spy.public}/link.txt"]))
            assert (await server.get(spy.domains[0], "/link.txt")).status_code == 404

    async def test_writing_ends_at_the_quota_which_can_be_raised(self, server: WebServer) -> None:
        account = account_of(12, quota_mb=16)
        async with server.enter() as host:
            await server.place(host, account)
            await write(host, account, f"{account.public}/index.html", "kept")

            def fill(megabytes: int) -> list[str]:
                dd = ["dd", "if=/dev/zero", f"of={account.private}/filler", "bs=1M", f"count={megabytes}"]
                return commands.as_user(account.system_user, dd)

            full = await host.run(fill(40), check=False)
            assert "No space left on device" in full.stderr
            taken = await room(host)
            assert taken.accounts >= 1
            assert taken.promised_mb >= 16
            found = await facts(host, account)
            assert (found.state, found.quota_mb) == ("active", 16)
            assert 16 <= found.used_mb <= 20
            larger = account.model_copy(update={"quota_mb": 48})
            assert await change_limits(host, larger, server.story.say) is True
            assert await change_limits(host, larger, server.story.say) is False
            await host.run(fill(46))
            assert not (await host.run(fill(60), check=False)).ok
            assert (await server.get(account.domains[0])).text == "kept"
            with pytest.raises(InvalidInput, match="not made smaller here"):
                await ensure_account(host, account, server.story.say)

    async def test_a_volume_is_made_smaller_with_its_content_unless_more_is_used(self, server: WebServer) -> None:
        account = account_of(15, quota_mb=48)
        smaller, too_small = (account.model_copy(update={"quota_mb": size}) for size in (24, 16))
        async with server.enter() as host:
            await server.place(host, account)
            await write(host, account, f"{account.public}/index.html", "kept")
            dd = ["dd", "if=/dev/urandom", f"of={account.private}/filler", "bs=1M", "count=18"]
            await host.run(commands.as_user(account.system_user, dd))
            digest = await host.run(["sha256sum", f"{account.private}/filler"])
            with pytest.raises(InvalidInput, match="MB are used"):
                await ensure_quota(host, too_small, server.story.say)
            assert (await facts(host, account)).quota_mb == 48
            # What an earlier try has left is no obstacle: the copy, and the volume not mounted.
            await host.run(["cp", account.volume, f"{account.volume}.new"])
            await volumes.unmount(host, account)
            assert await ensure_quota(host, smaller, server.story.say) is True
            assert await ensure_quota(host, smaller, server.story.say) is False
            assert (await host.run(["sha256sum", f"{account.private}/filler"])).stdout == digest.stdout
            assert (await server.get(account.domains[0])).text == "kept"
            size = await host.run(["stat", "--format", "%s", account.volume])
            assert int(size.stdout) == volumes.image_mb(24) * 1024 * 1024
            assert not (await host.run(commands.as_user(account.system_user, [*dd[:-1], "count=40"]), check=False)).ok
            assert await ensure_quota(host, account, server.story.say) is True

    async def test_a_growth_cut_short_is_ended_by_the_next(self, server: WebServer) -> None:
        account = account_of(13, quota_mb=16)
        larger = account.model_copy(update={"quota_mb": 64})
        async with server.enter() as host:
            await server.place(host, account)
            await volumes.unmount(host, account)
            await host.run(commands.set_size(account.volume, volumes.image_mb(64)))
            assert (await facts(host, account)).state == "incomplete"
            assert await ensure_account(host, larger, server.story.say) is True
            sizes = (await host.run(commands.sizes(account.home))).stdout.split()
            assert int(sizes[-1]) >= 60 * 1024 * 1024
            assert (await facts(host, larger)).state == "active"

    async def test_a_user_that_is_not_ours_is_never_touched(self, server: WebServer) -> None:
        account = account_of(14)
        async with server.enter() as host:
            await host.run(["useradd", "--create-home", "--comment", "Somebody", account.system_user])
            before = await host.run(["getent", "passwd", account.system_user])
            for act in (ensure_account, ensure_site, suspend, resume, remove, make_csr):
                with pytest.raises(Conflict):
                    await act(host, account, server.story.say)
            with pytest.raises(Conflict):
                await back_up(host, account, "last", server.story.say)
            with pytest.raises(StillPresent):
                await prove_absent(host, account)
            assert (await facts(host, account)).state == "foreign"
            assert (await host.run(["getent", "passwd", account.system_user])).stdout == before.stdout
            assert await host.exists(f"/home/{account.system_user}")


class TestSftp:
    async def test_a_key_uploads_into_the_account_and_nowhere_else(self, server: WebServer) -> None:
        account, (private, public) = account_of(20), new_keypair()
        async with server.enter() as host:
            await server.place(host, account)
            assert await ensure_keys(host, account, [public], server.story.say) is True
            assert await ensure_keys(host, account, [f"{public} of@ada"], server.story.say) is False
            async with server.customer(account, key=private) as connection:
                async with connection.start_sftp_client() as sftp:
                    assert await sftp.getcwd() == "/public"
                    async with sftp.open("index.html", "w") as file:
                        await file.write("uploaded")
                    assert {"public", "private", "scratch"} <= set(await sftp.listdir("/"))
                    with pytest.raises(asyncssh.SFTPNoSuchFile):
                        await sftp.stat("/etc/passwd")
                    with pytest.raises(asyncssh.SFTPPermissionDenied):
                        await sftp.mkdir("/more")
                # Whatever is asked for, SFTP's server is what starts: it waits for SFTP and runs nothing.
                shell = await connection.run("touch /public/ran; id", input="", timeout=5)
                assert "uid=" not in str(shell.stdout)
                with pytest.raises(asyncssh.ChannelOpenError):
                    await connection.open_connection("127.0.0.1", 80)
            assert (await server.get(account.domains[0])).text == "uploaded"
            assert (await server.get(account.domains[0], "/ran")).status_code == 404
            await ensure_keys(host, account, [], server.story.say)
            with pytest.raises(asyncssh.PermissionDenied):
                await server.customer(account, key=private)

    async def test_a_password_is_set_by_its_hash_which_nobody_sees(self, server: WebServer) -> None:
        account, password = account_of(21), "correct horse battery"
        hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(5)).decode()
        async with server.enter() as host:
            await server.place(host, account)
            assert await ensure_password(host, account, SecretStr(hashed), server.story.say) is True
            assert await ensure_password(host, account, SecretStr(hashed), server.story.say) is False
            async with server.customer(account, password=password) as connection:
                async with connection.start_sftp_client() as sftp:
                    assert await sftp.listdir(".")
            assert await ensure_password(host, account, None, server.story.say) is True
        told = "\n".join([*server.story.said, *(text for _, text in server.story.lines)])
        assert hashed not in told

    async def test_what_is_no_key_or_hash_is_refused(self, server: WebServer) -> None:
        account = account_of(22)
        async with server.enter() as host:
            with pytest.raises(InvalidInput):
                await ensure_keys(host, account, ["ssh-ed25519 nonsense"], server.story.say)
            with pytest.raises(InvalidInput):
                await ensure_password(host, account, SecretStr("$6$x\nroot:$6$y"), server.story.say)
            with pytest.raises(NotFound):
                await ensure_keys(host, account, [new_keypair()[1]], server.story.say)


class TestCertificates:
    async def test_https_with_the_servers_own_key_and_challenges_over_http(
        self, server: WebServer, authority: Authority
    ) -> None:
        account = account_of(30)
        name = account.domains[0]
        async with server.enter() as host:
            await server.place(host, account)
            csr = await make_csr(host, account, server.story.say)
            chain = authority.sign(csr)
            for first in (True, False):
                assert await install_certificate(host, account, chain, server.story.say) is first
            assert "This site is ready" in (await server.get(name, tls=authority)).text
            plain = await server.get(name, "/a?b=c")
            assert (plain.status_code, plain.headers["location"]) == (301, f"https://{name}/a?b=c")
            await challenges.publish(host, CHALLENGES, "token-1", "token-1.thumbprint")
            assert (await server.get(name, "/.well-known/acme-challenge/token-1")).text == "token-1.thumbprint"
            await challenges.withdraw(host, CHALLENGES, "token-1")
            assert (await server.get(name, "/.well-known/acme-challenge/token-1")).status_code == 404
            assert await install_certificate(host, account, authority.sign(csr, days=30), server.story.say) is True
            assert (await facts(host, account)).https is True

    async def test_a_certificate_for_another_key_or_name_changes_nothing(
        self, server: WebServer, authority: Authority
    ) -> None:
        first, second = account_of(31), account_of(32)
        async with server.enter() as host:
            for account in (first, second):
                await server.place(host, account)
            chain = authority.sign(await make_csr(host, first, server.story.say))
            with pytest.raises(InvalidInput, match=r"not for site32\.example\.test"):
                await install_certificate(host, second, chain, server.story.say)
            await make_csr(host, second, server.story.say)
            both = second.model_copy(update={"domains": first.domains})
            with pytest.raises(InvalidInput, match="another key"):
                await install_certificate(host, both, chain, server.story.say)
            assert (await server.get(second.domains[0])).status_code == 200
