"""Steps 1 to 7 on an emulated host, by the procedures alone; each twice, and through the failures that happen."""

from __future__ import annotations

import asyncio

import pytest

from providers.errors import (
    DiskFull,
    HostUnreachable,
    InvalidInput,
    MigrationFailed,
    Transient,
    Unauthorized,
    Unhealthy,
)
from providers.hosts.application import remove, transfer, write_env
from providers.hosts.inspection import inspect_health
from providers.hosts.migrations import run_migrations
from providers.hosts.services import RegistryLogin, start_services
from providers.hosts.setup import set_up
from providers.hosts.ssh import Host, connect
from providers.hosts.tls import install_certificate, make_csr
from tests.providers.hosts.conftest import Subject


def enter(subject: Subject) -> Host:
    return connect(subject.deploy, on_line=subject.story.sink, redact=subject.secret_values)


async def set_up_host(subject: Subject) -> bool:
    return (await set_up(subject.root, subject.plan, subject.story.say, on_line=subject.story.sink)).already


async def put_in_place(subject: Subject, extra: dict[str, str] | None = None) -> None:
    async with enter(subject) as host:
        await transfer(host, subject.app, subject.story.say)
        await env(subject, host, extra)


async def env(subject: Subject, host: Host, extra: dict[str, str] | None = None) -> bool:
    return await write_env(
        host, subject.app, subject.story.say, values=subject.values, admin=subject.admin, extra=extra
    )


async def whole(subject: Subject) -> None:
    await set_up_host(subject)
    await put_in_place(subject)
    async with enter(subject) as host:
        await start_services(host, subject.app, subject.story.say)
        await run_migrations(host, subject.app, subject.story.say)
        csr = await make_csr(host, subject.app, subject.story.say)
        await install_certificate(host, subject.app, subject.authority.sign(csr), subject.story.say)
        await inspect_health(host, subject.app, subject.story.say)


class TestTheWholeWay:
    async def test_each_step_done_twice_reports_already_present_the_second_time(self, subject: Subject) -> None:
        story, app = subject.story, subject.app
        assert await set_up_host(subject) is False
        story.take()
        assert await set_up_host(subject) is True
        assert "already present" in story.take()[0]

        login = RegistryLogin(username="robot", password="registry-pass-word")
        async with enter(subject) as host:
            assert await transfer(host, app, story.say) is True
            story.take()
            assert await transfer(host, app, story.say) is False
            assert all("already present" in line for line in story.take())
            assert await env(subject, host) is True
            assert await env(subject, host) is False
            assert "already present" in story.take()[-1]
            assert await start_services(host, app, story.say, login=login) is True
            story.take()
            assert await start_services(host, app, story.say, login=login) is False
            assert all("already present" in line for line in story.take())
            assert await run_migrations(host, app, story.say) is True
            assert await run_migrations(host, app, story.say) is False
            assert "already present" in story.take()[-1]
            csr = await make_csr(host, app, story.say)
            key = subject.machine.tree.text(app.context.key_file)
            await make_csr(host, app, story.say)
            assert "already present" in story.take()[-1]
            assert subject.machine.tree.text(app.context.key_file) == key
            chain = subject.authority.sign(csr)
            assert await install_certificate(host, app, chain, story.say) is True
            assert await install_certificate(host, app, chain, story.say) is False
            assert "already present" in story.take()[-1]
            found = await inspect_health(host, app, story.say)
            assert len(found.good) == 8
        assert subject.machine.unknown == []

    async def test_no_secret_stands_in_a_command_or_a_line(self, subject: Subject) -> None:
        login = RegistryLogin(username="robot", password="registry-pass-word")
        await set_up_host(subject)
        await put_in_place(subject)
        async with enter(subject) as host:
            await start_services(host, subject.app, subject.story.say, login=login)
            await run_migrations(host, subject.app, subject.story.say)
        secrets = [*subject.secret_values, login.password, subject.root.private_key]
        told = [text for _, text in subject.story.lines] + subject.story.said
        commands = [line for _, line in subject.machine.commands]
        assert commands
        assert [s for s in secrets for text in (*told, *commands) if s in text] == []
        assert subject.machine.state.logins == {}  # signed out of the registry again
        node = subject.machine.tree.get(subject.app.context.env_file)
        assert (node.mode, node.owner) == (0o600, "slipway")

    async def test_the_environment_arrives_in_the_containers_letter_by_letter(self, subject: Subject) -> None:
        await whole(subject)
        backend = subject.machine.state.projects["acme"]["backend"]
        assert backend.environment["ADMIN_PASSWORD"] == subject.admin.password
        assert backend.environment["ADMIN_NAME"] == subject.admin.name
        assert backend.environment["ORGANIZATION_NAME"] == "Acme & Söhne"
        assert backend.environment["JWT_SECRET"] == subject.values["JWT_SECRET"]


class TestSettingUp:
    async def test_root_is_shut_out_and_its_key_withdrawn(self, subject: Subject) -> None:
        await set_up_host(subject)
        with pytest.raises(Unauthorized):
            async with connect(subject.root):
                pass
        assert subject.machine.tree.text("/root/.ssh/authorized_keys") == ""

    async def test_only_three_ports_answer(self, subject: Subject) -> None:
        await set_up_host(subject)
        assert sorted(subject.machine.listening()) == [2222, 8080, 8443]
        assert subject.machine.state.firewall.ports == [22, 80, 443]

    async def test_the_deploy_user_may_do_nothing_else_as_root(self, subject: Subject) -> None:
        await set_up_host(subject)
        async with enter(subject) as host:
            refused = await host.run(["sudo", "-n", "cat", "/root/.ssh/authorized_keys"], check=False)
            assert "password is required" in refused.stderr
            refused = await host.run(["sudo", "-n", "nginx", "-t", "-c", "/tmp/mine"], check=False)
            assert "password is required" in refused.stderr

    async def test_a_connection_dropped_in_apt_is_taken_up_again(self, subject: Subject) -> None:
        subject.driver.fault(subject.name, "drop", times=1, match="install -y")
        with pytest.raises(HostUnreachable, match="lost"):
            await set_up_host(subject)
        assert subject.machine.state.half_installed
        assert await set_up_host(subject) is False
        assert "An interrupted package installation is being finished" in subject.story.said

    @pytest.mark.parametrize("command", ["useradd", "visudo", "openssl", "ufw --force", "enable --now", "sshd -t",
                                         "reload ssh", "systemctl reload nginx"])  # fmt: skip
    @pytest.mark.parametrize("after", [False, True])
    async def test_a_drop_at_any_command_leaves_a_host_that_can_be_entered(
        self, subject: Subject, command: str, after: bool
    ) -> None:
        subject.driver.fault(subject.name, "drop", times=1, match=command, after=after)
        with pytest.raises(HostUnreachable):
            await set_up_host(subject)
        await set_up_host(subject)
        assert await set_up_host(subject) is True

    async def test_a_held_package_lock_says_so(self, subject: Subject) -> None:
        subject.driver.fault(subject.name, "dpkg_lock", times=1)
        with pytest.raises(Transient, match="package manager is busy"):
            await set_up_host(subject)
        assert await set_up_host(subject) is False

    async def test_cloud_init_is_waited_for(self, subject: Subject) -> None:
        subject.driver.fault(subject.name, "cloud_init_running", seconds=0.3)
        assert await set_up_host(subject) is False

    async def test_too_little_memory_is_the_products_fault(self, driver, authority) -> None:
        from tests.providers.hosts.conftest import born

        small = await born(driver, authority, name="small", memory_mb=2048)
        with pytest.raises(InvalidInput, match="R327") as caught:
            await set_up_host(small)
        assert caught.value.field == "product"

    async def test_a_full_disk_is_named(self, subject: Subject) -> None:
        subject.driver.fault(subject.name, "disk_full")
        with pytest.raises(DiskFull):
            await set_up_host(subject)
        subject.driver.clear(subject.name)
        assert await set_up_host(subject) is False


class TestServices:
    async def test_a_registry_that_is_down_is_worth_a_repeat(self, subject: Subject) -> None:
        await set_up_host(subject)
        await put_in_place(subject)
        subject.driver.fault(subject.name, "registry_down", times=1)
        async with enter(subject) as host:
            with pytest.raises(Transient, match=r"registry\.test:5000"):
                await start_services(host, subject.app, subject.story.say)
            assert await start_services(host, subject.app, subject.story.say) is True

    async def test_refused_registry_credentials_are_final(self, subject: Subject) -> None:
        await set_up_host(subject)
        await put_in_place(subject)
        subject.driver.fault(subject.name, "registry_denied", times=1)
        async with enter(subject) as host:
            with pytest.raises(Unauthorized, match="credentials"):
                await start_services(host, subject.app, subject.story.say)

    async def test_another_database_password_than_the_first_is_seen(self, subject: Subject) -> None:
        """X39: this is what regenerating secrets on a retry would do."""
        await whole(subject)
        subject.values["DATABASE_PASSWORD"] = "another-password-of-more-than-32-characters"
        async with enter(subject) as host:
            await env(subject, host)
            with pytest.raises(Unhealthy, match="backend is running, unhealthy"):
                await start_services(host, subject.app, subject.story.say)

    async def test_a_full_disk_while_pulling_is_named(self, subject: Subject) -> None:
        await set_up_host(subject)
        await put_in_place(subject)
        subject.driver.fault(subject.name, "disk_full")
        async with enter(subject) as host:
            with pytest.raises(DiskFull):
                await start_services(host, subject.app, subject.story.say)
            with pytest.raises(DiskFull, match="No space left"):
                await host.put("/srv/slipway/acme/more", "x" * 100, mode=0o640)


class TestMigrations:
    async def test_a_failing_migration_is_final_and_succeeds_once_corrected(self, subject: Subject) -> None:
        await set_up_host(subject)
        await put_in_place(subject, {"MIGRATION_TARGET": "0099_never"})
        async with enter(subject) as host:
            await start_services(host, subject.app, subject.story.say)
            with pytest.raises(MigrationFailed, match="unknown migration target '0099_never'"):
                await run_migrations(host, subject.app, subject.story.say)
            assert await env(subject, host, {"MIGRATION_TARGET": "latest"}) is True
            await start_services(host, subject.app, subject.story.say)
            assert await run_migrations(host, subject.app, subject.story.say) is True

    async def test_pending_migrations_are_not_taken_for_done(self, subject: Subject) -> None:
        await set_up_host(subject)
        await put_in_place(subject, {"MIGRATION_TARGET": "0002_users"})
        async with enter(subject) as host:
            await start_services(host, subject.app, subject.story.say)
            with pytest.raises(MigrationFailed, match="still pending: 0003_initial_admin"):
                await run_migrations(host, subject.app, subject.story.say)


class TestTls:
    async def test_a_site_nginx_refuses_leaves_the_old_one_serving(self, subject: Subject) -> None:
        await whole(subject)
        context = subject.app.context
        before = {p: subject.machine.tree.text(p) for p in (context.site_file, context.chain_file)}
        broken = subject.app.blueprint.model_copy(update={"site": "broken.j2"})
        from providers.errors import CommandFailed
        from providers.hosts.application import Application

        app = Application(broken, context)
        object.__setattr__(broken, "render_site", lambda _: "server { listen 443 ssl; oops }\n")
        async with enter(subject) as host:
            csr = await make_csr(host, subject.app, subject.story.say)
            with pytest.raises(CommandFailed, match="old state was restored"):
                await install_certificate(host, app, subject.authority.sign(csr), subject.story.say)
        assert {p: subject.machine.tree.text(p) for p in before} == before
        assert any("acme.recruitiq.nl" in site.names for site in subject.machine.sites)

    async def test_a_certificate_for_another_key_is_refused(self, subject: Subject, driver, authority) -> None:
        from tests.providers.hosts.conftest import born

        await set_up_host(subject)
        other = await born(driver, authority, name="other")
        await set_up_host(other)
        async with enter(other) as host:
            foreign = await make_csr(host, other.app, other.story.say)
        async with enter(subject) as host:
            await make_csr(host, subject.app, subject.story.say)
            with pytest.raises(InvalidInput, match="another key"):
                await install_certificate(host, subject.app, authority.sign(foreign), subject.story.say)


class TestRemoval:
    async def test_nothing_is_left_and_a_repeat_finds_nothing(self, subject: Subject) -> None:
        await whole(subject)
        machine, context = subject.machine, subject.app.context
        async with enter(subject) as host:
            assert await remove(host, subject.app, subject.story.say) is True
            assert machine.state.projects == {}
            assert machine.state.volumes == {}
            for path in (context.root, context.tls_dir, context.site_file, context.site_link):
                assert machine.tree.find(path, follow=False) is None
            assert await remove(host, subject.app, subject.story.say) is False
        assert not any("acme.recruitiq.nl" in site.names for site in machine.sites)


class TestTwoOnOneServer:
    async def test_a_second_application_gets_ports_of_its_own(self, subject: Subject) -> None:
        await whole(subject)
        first = subject.app
        context = first.context.model_copy(update={"slug": "globex", "fqdn": "globex.recruitiq.nl", "place": 1})
        subject.app = type(first)(first.blueprint, context)
        subject.values = {s.name: s.generate() for s in first.blueprint.secrets}
        await whole(subject)
        assert sorted(subject.machine.state.projects) == ["acme", "globex"]
        async with enter(subject) as host:
            await remove(host, subject.app, subject.story.say)
            await inspect_health(host, first, subject.story.say)
        assert sorted(subject.machine.state.projects) == ["acme"]


async def test_a_cut_line_is_noticed(subject: Subject) -> None:
    async with connect(subject.root) as host:
        subject.driver.fault(subject.name, "cloud_init_running", seconds=30)
        waiting = asyncio.create_task(host.run(["cloud-init", "status", "--wait"]))
        await asyncio.sleep(0.2)
        await subject.driver.unplug(subject.name)
        with pytest.raises(HostUnreachable):
            await waiting
    with pytest.raises(HostUnreachable):
        async with connect(subject.root):
            pass
