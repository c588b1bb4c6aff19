"""One driver for the several clouds of a process: the first of them opens it, and the last one closes it.

Names and addresses come from one pool, so no two clouds can have the same; every cloud names its hosts in its own way.
"""

from __future__ import annotations

import asyncio
from typing import Literal

from sandbox.hosts.driver import FaultKind, HostDriver, HostPorts, HostSpec, Modelled, PowerState


def shared(driver: HostDriver) -> HostDriver:
    return SharedModelled(driver, driver) if isinstance(driver, Modelled) else Shared(driver)


class Shared:
    def __init__(self, driver: HostDriver) -> None:
        self.kind: Literal["machine", "emulated"] = driver.kind
        self.ports: HostPorts = driver.ports
        self._driver = driver
        self._users = 0
        self._lock = asyncio.Lock()

    async def open(self) -> None:
        async with self._lock:
            if self._users == 0:
                await self._driver.open()
            self._users += 1

    async def close(self) -> None:
        async with self._lock:
            self._users -= 1
            if self._users == 0:
                await self._driver.close()

    async def reserve_address(self) -> str:
        return await self._driver.reserve_address()

    async def create(self, spec: HostSpec) -> None:
        await self._driver.create(spec)

    async def start(self, name: str) -> None:
        await self._driver.start(name)

    async def stop(self, name: str) -> None:
        await self._driver.stop(name)

    async def kill(self, name: str) -> None:
        await self._driver.kill(name)

    async def destroy(self, name: str) -> None:
        await self._driver.destroy(name)

    async def power(self, name: str) -> PowerState:
        return await self._driver.power(name)

    async def names(self) -> list[str]:
        return await self._driver.names()

    async def unplug(self, name: str) -> None:
        await self._driver.unplug(name)

    async def plug(self, name: str) -> None:
        await self._driver.plug(name)


class SharedModelled(Shared):
    def __init__(self, driver: HostDriver, modelled: Modelled) -> None:
        super().__init__(driver)
        self._modelled = modelled

    def fault(
        self, name: str, kind: FaultKind, *, times: int | None, seconds: float | None, match: str, after: bool
    ) -> None:
        self._modelled.fault(name, kind, times=times, seconds=seconds, match=match, after=after)

    def clear(self, name: str, kind: FaultKind | None = None) -> None:
        self._modelled.clear(name, kind)

    def look(self, name: str) -> dict[str, object]:
        return self._modelled.look(name)
