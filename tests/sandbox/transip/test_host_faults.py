"""Faults of modelled hosts over the sandbox's own controls: set, seen and healed, also before the host exists."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from providers.hosts.probe import open_ports
from sandbox.hosts.driver import HostSpec
from sandbox.hosts.emulated import EmulatedDriver
from sandbox.transip.app import create_transip_app
from tests.providers.hosts.conftest import POOL
from tests.sandbox.transip.emulator import LOGIN, Emulator, key_pair, until


class Controls:
    """The emulated driver and, through the cloud's application, its controls."""

    def __init__(self, driver: EmulatedDriver, folder: Path) -> None:
        self.driver = driver
        app = create_transip_app(folder, driver, accounts={LOGIN: key_pair()[1]})
        transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 1))
        self.http = httpx.AsyncClient(transport=transport, base_url="http://sandbox/_sandbox/hosts")

    async def birth(self, name: str) -> str:
        address = await self.driver.reserve_address()
        await self.driver.create(HostSpec(name=name, address=address, hostname=name))
        await self.driver.start(name)
        return address

    async def harm(self, name: str, **fault: object) -> int:
        return (await self.http.post(f"/{name}/fault", json=fault)).status_code

    async def faults(self, name: str) -> list[str]:
        found = (await self.http.get(f"/{name}")).raise_for_status().json()
        return [fault["kind"] for fault in found["faults"]]


@pytest.fixture
async def controls(tmp_path: Path) -> AsyncIterator[Controls]:
    (tmp_path / "token-key.pem").write_text(key_pair()[0])
    driver = EmulatedDriver(tmp_path / "hosts", address_pool=POOL)
    await driver.open()
    made = Controls(driver, tmp_path)
    yield made
    await made.http.aclose()
    await driver.close()


async def test_a_fault_is_set_seen_and_healed(controls: Controls) -> None:
    await controls.birth("one")
    assert await controls.harm("one", kind="disk_full") == 204
    assert await controls.harm("one", kind="drop", match="apt-get", times=2, after=True) == 204
    assert await controls.faults("one") == ["disk_full", "drop"]
    assert (await controls.http.delete("/one/fault")).status_code == 204
    assert await controls.faults("one") == []


async def test_the_next_host_is_born_with_it_and_the_one_after_is_not(controls: Controls) -> None:
    assert await controls.harm("next", kind="wrong_host_key") == 204
    await controls.birth("one")
    await controls.birth("two")
    assert (await controls.faults("one"), await controls.faults("two")) == (["wrong_host_key"], [])
    assert await controls.harm("next", kind="disk_full") == 204
    assert (await controls.http.delete("/next/fault")).status_code == 204
    await controls.birth("three")
    assert await controls.faults("three") == []


async def test_a_refused_port_answers_again_when_its_time_is_over(controls: Controls) -> None:
    assert await controls.harm("next", kind="refuse_ssh", seconds=0.4) == 204
    await asyncio.sleep(0.5)  # seconds count from the first boot, not from the call
    address = await controls.birth("one")
    ssh = controls.driver.ports.ssh
    assert await open_ports(address, [ssh]) == []
    await until(lambda: open_ports(address, [ssh]))
    assert await controls.faults("one") == []


async def test_what_makes_no_sense_is_refused(controls: Controls) -> None:
    await controls.birth("one")
    assert await controls.harm("one", kind="explode") == 422
    assert await controls.harm("one", kind="drop", times=0) == 422
    assert await controls.harm("nobody", kind="drop") == 404
    assert (await controls.http.get("/nobody")).status_code == 404


async def test_hosts_that_are_not_modelled_have_no_such_controls(cloud: Emulator) -> None:
    refused = await cloud.admin.post("/_sandbox/hosts/next/fault", json={"kind": "drop"})
    assert refused.status_code == 409
    assert (await cloud.admin.get("/_sandbox/hosts/next")).status_code == 409
