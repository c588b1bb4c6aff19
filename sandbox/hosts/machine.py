"""Real Debian hosts on this machine: systemd containers that boot, reboot, lose power and keep their disks.

Each is a copy-on-write clone of the lab's base image with its own network, control groups, init, sshd and, once the
product has set it up, Docker and nginx. Hosts live in a session of their own: they outlive the process that made them
and are found again by the next `open()` with the same state folder.

This file is the life of a host. Its parts are told in machine_disk.py, machine_container.py (start and stop),
machine_cgroups.py, machine_record.py (what is remembered) and network.py.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Literal

from sandbox.hosts import machine_cgroups as cgroups
from sandbox.hosts import machine_container as container
from sandbox.hosts import network as networks
from sandbox.hosts.driver import HostPorts, HostSpec, PowerState
from sandbox.hosts.machine_disk import Disk
from sandbox.hosts.machine_record import Addresses, ImageName, Record, Records
from sandbox.hosts.machine_tools import HostError
from sandbox.hosts.network import Network
from sandbox.lab.paths import Lab


class MachineDriver:
    """A HostDriver of real hosts. `image` is "bare", as a cloud ships it, "baked" with Docker, nginx and
    ufw in it, or "hosting" with nginx, PHP, Postfix, Dovecot and ufw.

    `disk_limit_mb` applies to hosts created while it is set: their disk is that small and can be filled.
    """

    def __init__(
        self,
        lab: Lab,
        state_dir: Path,
        index: int | None = None,
        image: ImageName = "bare",
        disk_limit_mb: int | None = None,
    ) -> None:
        self.kind: Literal["machine", "emulated"] = "machine"
        self.ports = HostPorts()
        self.lab = lab
        self.state_dir = state_dir.resolve()
        self.image: ImageName = image
        self.disk_limit_mb = disk_limit_mb
        self._index = index
        self._network: Network | None = None
        self._records = Records(self.state_dir / "hosts")
        self._addresses = Addresses(self.state_dir / "addresses.json")
        self._locks: dict[str, asyncio.Lock] = {}

    @property
    def network(self) -> Network:
        if self._network is None:
            raise HostError("the driver is not open")
        return self._network

    @property
    def gateway(self) -> str:
        """This machine's own address on the hosts' network, where their name server, apt and registry listen."""
        return self.network.gateway

    async def open(self) -> None:
        if self._network is not None:
            return
        self._records.folder.mkdir(parents=True, exist_ok=True)
        self._network = await networks.claim(self.state_dir, self._index)
        try:
            known = {name: self._records.get(name) for name in self._records.names()}
            await networks.clear(self.network.index, keep=frozenset(record.number for record in known.values()))
            await self.network.up()
            await asyncio.gather(*(self._resume(name, record) for name, record in known.items()))
        except BaseException:
            await self.network.release()
            self._network = None
            raise

    async def close(self) -> None:
        if self._network is None:
            return
        await asyncio.gather(*(self._put_away(name) for name in self._records.names()))
        await self.network.release()
        self._network = None

    async def reserve_address(self) -> str:
        used = {self._records.get(name).number for name in self._records.names()}
        return self.network.address(await self._addresses.reserve(used))

    async def create(self, spec: HostSpec) -> None:
        number = self.network.number(spec.address)
        async with self._lock(spec.name):
            if self._records.find(spec.name) is not None:
                return
            disk = self._disk(spec.name, self.image)
            # What a creation cut short left behind is made anew.
            await disk.delete()
            await disk.create(self.disk_limit_mb)
            await asyncio.to_thread(disk.seed, spec, self.gateway)
            await self._records.put(Record(spec=spec, number=number, image=self.image))

    async def start(self, name: str) -> None:
        async with self._lock(name):
            record = await self._records.want(name, "running")
            await self.network.attach(record.number)
            group = self.network.namespace(record.number)
            if cgroups.alive(group):
                return
            disk = self._disk(name, record.image)
            await disk.mount()
            cgroups.prepare(group, memory_mb=record.spec.memory_mb, cpus=record.spec.cpus)
            await container.boot(disk, group)

    async def stop(self, name: str) -> None:
        async with self._lock(name):
            record = await self._records.want(name, "stopped")
            await container.shut_down(self._folder(name), self.network.namespace(record.number))

    async def kill(self, name: str) -> None:
        async with self._lock(name):
            record = await self._records.want(name, "stopped")
            await cgroups.kill(self.network.namespace(record.number))

    async def destroy(self, name: str) -> None:
        async with self._lock(name):
            record = self._records.find(name)
            if record is not None:
                await self._take_down(record.number)
            await Disk(self._folder(name), ()).delete()
            if record is not None:
                await self._addresses.free(record.number)

    async def power(self, name: str) -> PowerState:
        return "running" if cgroups.alive(self.network.namespace(self._number(name))) else "stopped"

    async def names(self) -> list[str]:
        return self._records.names()

    async def unplug(self, name: str) -> None:
        await self.network.set_link(self._number(name), "down")

    async def plug(self, name: str) -> None:
        await self.network.set_link(self._number(name), "up")

    async def fill_disk(self, name: str, leave_mb: int = 0) -> int:
        """Fault: let the host's disk run full; only for one created with `disk_limit_mb`. Returns megabytes taken."""
        return await asyncio.to_thread(Disk(self._folder(name), ()).fill, leave_mb)

    async def free_disk(self, name: str) -> None:
        await asyncio.to_thread(Disk(self._folder(name), ()).empty)

    def console(self, name: str) -> str:
        """What the host printed on its console since it was made."""
        return container.console(self._folder(name))

    def _lock(self, name: str) -> asyncio.Lock:
        return self._locks.setdefault(name, asyncio.Lock())

    def _folder(self, name: str) -> Path:
        return self._records.folder / name

    def _number(self, name: str) -> int:
        return self._records.get(name).number

    def _disk(self, name: str, image: ImageName) -> Disk:
        above = {"bare": (), "baked": (self.lab.baked_layer,), "hosting": (self.lab.hosting_layer,)}[image]
        return Disk(self._folder(name), (*above, self.lab.base_rootfs))

    async def _resume(self, name: str, record: Record) -> None:
        """Bring a host to where it was last told to be; one that switched itself off stays off."""
        if record.wanted == "stopped":
            await container.shut_down(self._folder(name), self.network.namespace(record.number))
        elif not container.ended(self._folder(name)).exists():
            await self.start(name)

    async def _put_away(self, name: str) -> None:
        """Off, unmounted and unplugged, but still wanted as it was."""
        async with self._lock(name):
            number = self._number(name)
            await container.shut_down(self._folder(name), self.network.namespace(number))
            await self._take_down(number)
            await Disk(self._folder(name), ()).unmount()

    async def _take_down(self, number: int) -> None:
        group = self.network.namespace(number)
        await cgroups.kill(group)
        await cgroups.remove(group)
        await self.network.detach(number)
