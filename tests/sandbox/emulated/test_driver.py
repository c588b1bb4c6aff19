"""The emulated driver as a driver: life, death, restart, faults, and many hosts in one process."""

from __future__ import annotations

import asyncio
import ssl
import tracemalloc
from pathlib import Path

import httpx
import pytest

from providers.errors import HostUnreachable
from providers.hosts.probe import open_ports
from providers.hosts.ssh import connect
from sandbox.hosts.driver import HostDriver, HostSpec
from sandbox.hosts.emulated import EmulatedDriver
from tests.providers.hosts.conftest import POOL, Authority, Subject, born
from tests.providers.hosts.test_steps import enter, whole


def is_driver(driver: EmulatedDriver) -> HostDriver:
    return driver


async def get(
    subject: Subject, path: str, *, method: str = "GET", name: str = "", json: object = None
) -> httpx.Response:
    context = ssl.create_default_context(cafile=str(subject.authority.file))
    fqdn = name or subject.app.context.fqdn
    async with httpx.AsyncClient(verify=context, trust_env=False) as client:
        return await client.request(
            method, f"https://{subject.root.address}:{subject.driver.ports.https}{path}", json=json,
            headers={"Host": fqdn}, extensions={"sni_hostname": fqdn},
        )  # fmt: skip


class TestLife:
    async def test_unknown_names_and_repeats(self, driver: EmulatedDriver) -> None:
        is_driver(driver)
        await driver.destroy("never-born")
        with pytest.raises(KeyError):
            await driver.start("never-born")
        address = await driver.reserve_address()
        assert await driver.reserve_address() != address
        spec = HostSpec(name="one", address=address, hostname="one")
        await driver.create(spec)
        await driver.create(spec)
        assert await driver.power("one") == "stopped"
        await driver.start("one")
        await driver.start("one")
        assert (await driver.power("one"), await driver.names()) == ("running", ["one"])
        await driver.destroy("one")
        assert await driver.names() == []

    async def test_a_stopped_host_answers_nowhere_and_returns_as_it_was(self, subject: Subject) -> None:
        await whole(subject)
        address, ports = subject.root.address, [2222, 8080, 8443]
        assert await open_ports(address, ports) == ports
        await subject.driver.stop(subject.name)
        assert await open_ports(address, ports) == []
        await subject.driver.start(subject.name)
        assert (await get(subject, "/api/health")).json()["status"] == "healthy"

    async def test_a_killed_process_finds_its_hosts_again(self, tmp_path: Path, authority: Authority) -> None:
        first = EmulatedDriver(tmp_path / "kept", address_pool=POOL)
        await first.open()
        subject = await born(first, authority)
        await whole(subject)
        for network in first._hosts.values():  # the process is gone: sockets close, nothing else happens
            network.plugged = False
            network.refresh()
            network.cut()

        second = EmulatedDriver(tmp_path / "kept", address_pool=POOL)
        await second.open()
        subject.driver = second
        assert (await get(subject, "/api/health")).json()["status"] == "healthy"
        assert await second.reserve_address() != subject.root.address
        async with enter(subject) as host:
            assert await host.exists(subject.app.context.env_file)
        await second.close()

    async def test_destroy_leaves_no_file_and_frees_the_address(self, tmp_path: Path, authority: Authority) -> None:
        driver = EmulatedDriver(tmp_path / "kept", address_pool=POOL)
        await driver.open()
        subject = await born(driver, authority)
        await driver.destroy(subject.name)
        assert list((tmp_path / "kept" / "hosts").iterdir()) == []
        assert await open_ports(subject.root.address, [2222]) == []
        await driver.close()

    async def test_unplugged_is_silent_and_plugged_is_back(self, subject: Subject) -> None:
        await subject.driver.unplug(subject.name)
        with pytest.raises(HostUnreachable):
            async with connect(subject.root):
                pass
        await subject.driver.plug(subject.name)
        async with connect(subject.root):
            pass


class TestHonesty:
    async def test_pages_routes_redirect_and_the_first_administrator(self, subject: Subject) -> None:
        await whole(subject)
        assert "recruitiq" in (await get(subject, "/")).text
        assert "portal" in (await get(subject, "/portal/")).text
        assert (await get(subject, "/nothing")).status_code == 404
        assert (await get(subject, "/")).headers["strict-transport-security"].startswith("max-age=")
        async with httpx.AsyncClient(trust_env=False) as client:
            plain = await client.get(f"http://{subject.root.address}:8080/x", headers={"Host": "acme.recruitiq.nl"})
        assert (plain.status_code, plain.headers["location"]) == (301, "https://acme.recruitiq.nl:8443/x")
        told = {"email": subject.admin.email, "password": subject.admin.password}
        assert (await get(subject, "/api/login", method="POST", json=told)).json()["mustChangePassword"] is True
        wrong = {**told, "password": "guessed"}
        assert (await get(subject, "/api/login", method="POST", json=wrong)).status_code == 401

    async def test_a_name_without_a_site_gets_the_fallback_certificate(self, subject: Subject) -> None:
        await whole(subject)
        with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
            await get(subject, "/", name="other.recruitiq.nl")

    async def test_a_port_published_on_every_address_passes_the_firewall_without_the_drop_rule(
        self, subject: Subject
    ) -> None:
        """Docker's rules come before ufw's (moby #4737): what the unit of step 1 is for."""
        await whole(subject)
        state, address = subject.machine.state, subject.root.address
        state.projects["acme"]["postgres"].ports = ["0.0.0.0:5555:5432"]
        subject.machine.open_ports()
        assert await open_ports(address, [5555]) == []
        state.active.remove("slipway-docker-firewall.service")
        subject.machine.open_ports()
        assert await open_ports(address, [5555]) == [5555]

    async def test_the_deploy_user_reads_and_writes_only_what_is_its_own(self, subject: Subject) -> None:
        await whole(subject)
        async with enter(subject) as host:
            assert not (await host.run(["cat", "/root/.ssh/authorized_keys"], check=False)).ok
            assert not (await host.run(["apt-get", "update"], check=False)).ok
            assert not (await host.run(["rm", "-f", "--", "/etc/slipway/setup.json"], check=False)).ok

    async def test_shell_syntax_is_no_program(self, subject: Subject) -> None:
        status = await subject.machine.run("root", "cat /etc/passwd | sh", "", lambda _: None, lambda _: None)
        assert status == 127
        assert subject.machine.unknown == ["cat /etc/passwd | sh"]


async def test_hundreds_of_idle_hosts_cost_no_task_and_little_memory(tmp_path: Path) -> None:
    driver = EmulatedDriver(tmp_path / "many", address_pool=POOL)
    await driver.open()
    tasks = len(asyncio.all_tasks())
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    count = 200
    for number in range(count):
        address = await driver.reserve_address()
        await driver.create(HostSpec(name=f"h{number}", address=address, hostname=f"h{number}"))
        await driver.start(f"h{number}")
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert len(asyncio.all_tasks()) == tasks
    assert grown / count < 60_000
    await driver.close()
