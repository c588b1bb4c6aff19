"""One driver for several clouds: opened once, closed by the last, and looked into as if it were alone."""

from __future__ import annotations

from pathlib import Path

from sandbox.hosts.driver import HostSpec, Modelled
from sandbox.hosts.emulated import EmulatedDriver
from sandbox.hosts.shared import shared
from tests.sandbox.transip.memory_driver import MemoryDriver


async def test_the_last_cloud_closes_it(tmp_path: Path) -> None:
    driver = MemoryDriver(tmp_path)
    both = shared(driver)
    await both.open()
    await both.open()
    await both.close()
    assert not driver.closed
    await both.close()
    assert driver.closed


async def test_hosts_of_all_clouds_live_side_by_side(tmp_path: Path) -> None:
    driver = shared(EmulatedDriver(tmp_path, address_pool="127.99.0.0/24"))
    await driver.open()
    await driver.open()
    addresses = [await driver.reserve_address() for _ in range(2)]
    for name, address in zip(("acme-vps1", "droplet-1"), addresses, strict=True):
        await driver.create(HostSpec(name=name, address=address, hostname=name))
        await driver.start(name)
    await driver.close()
    assert len(set(addresses)) == 2
    assert {name: await driver.power(name) for name in await driver.names()} == {
        "acme-vps1": "running", "droplet-1": "running"}  # fmt: skip
    for name in await driver.names():
        await driver.destroy(name)
    await driver.close()


async def test_modelled_hosts_can_still_be_harmed_and_real_ones_cannot(tmp_path: Path) -> None:
    driver = shared(EmulatedDriver(tmp_path / "emulated", address_pool="127.99.1.0/24"))
    assert not isinstance(shared(MemoryDriver(tmp_path / "memory")), Modelled)
    assert isinstance(driver, Modelled)
    await driver.open()
    await driver.create(HostSpec(name="one", address=await driver.reserve_address(), hostname="one"))
    driver.fault("one", "disk_full", times=1, seconds=None, match="", after=False)
    assert driver.look("one")["faults"]
    driver.clear("one")
    assert driver.look("one")["faults"] == []
    await driver.destroy("one")
    await driver.close()
