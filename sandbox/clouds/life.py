"""The life of a cloud's servers: from an order to a running host, and to its end. Survives any interruption.

What a server is waiting for stands in its record, so a restarted process goes on where a killed one was; every call to
the host driver is idempotent. One task per server; the customer's calls only change records and wake it. What a cloud
tells of all this, its actions and events, is the business of the class it derives from this one.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from sandbox.clouds.records import Server, Timings
from sandbox.clouds.store import Store
from sandbox.hosts.driver import HostDriver, HostSpec, PowerState

S = TypeVar("S", bound=Server)


class Life(ABC, Generic[S]):
    """Servers are kept in the store by their hosts' names."""

    def __init__(self, store: Store, driver: HostDriver, timings: Timings, kind: type[S]) -> None:
        self._store = store
        self._driver = driver
        self._timings = timings
        self._kind = kind
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._wakers: dict[str, asyncio.Event] = {}

    # ---- what a cloud says of its own

    @abstractmethod
    def spec(self, server: S) -> HostSpec:
        """The host a server is to be; its product decides on its size."""

    def installing(self, server: S) -> dict[str, Any]:
        """Its installation begins. Returns what else changes in the record."""
        return {}

    def born(self, server: S) -> dict[str, Any]:
        """Its host is there."""
        return {}

    def settled(self, server: S) -> dict[str, Any]:
        """What was asked of it is done, be it a switch or its end."""
        return {}

    def run_out(self, server: S) -> None:
        """The time it was paid for is over."""

    # ---- for its customers' calls

    async def open(self) -> None:
        await self._driver.open()
        for server in self._store.all(self._kind):
            if server.phase != "gone":
                self.wake(server.name)

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._tasks.clear()
        await self._driver.close()

    def wake(self, name: str) -> None:
        """Something about this server has changed: let its task look."""
        if name not in self._tasks:
            self._wakers[name] = asyncio.Event()
            self._tasks[name] = asyncio.create_task(self._live(name))
        self._wakers[name].set()

    async def forget(self, name: str) -> None:
        """Stop living for a server that was taken out of the store, and take its host away."""
        if (task := self._tasks.pop(name, None)) is not None:
            task.cancel()
        await self._driver.destroy(name)

    async def host_power(self, server: S) -> PowerState:
        """Of a finished server the host itself is asked."""
        try:
            return await self._driver.power(server.name)
        except KeyError:
            return "stopped"

    def change(self, name: str, **changes: Any) -> S:
        """Onto the newest record: a customer may have renamed the server while its task waited."""
        server = self._store.get(self._kind, name)
        assert server is not None
        changed = self._kind.model_validate({**server.model_dump(), **changes})
        self._store.put(name, changed)
        return changed

    # ---- one task per server

    async def _live(self, name: str) -> None:
        waker, failures = self._wakers[name], 0
        while (server := self._store.get(self._kind, name)) is not None and server.phase != "gone":
            waker.clear()
            try:
                wait = await self._advance(server)
                failures = 0
            except Exception as error:
                failures += 1
                wait = min(30.0, 2.0**failures)
                told = f"sandbox: {name} in {server.phase}: {error!r}, again in {wait:.0f} s"
                print(told, file=sys.stderr, flush=True)
            if wait is None or wait > 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(waker.wait(), wait)
        self._tasks.pop(name, None)

    async def _advance(self, server: S) -> float | None:
        """One step of a life. Returns the seconds to wait before the next look; None until it is woken."""
        timings = self._timings
        if server.phase == "ordered":
            if (wait := server.appears_at - time.time()) > 0:
                return wait
            self.change(server.name, phase="created", created_at=time.time())
        elif server.phase == "created":
            if (wait := (server.created_at or 0) + timings.create - time.time()) > 0:
                return wait
            address = server.address or await self._driver.reserve_address()
            with self._unless_ended(server) as still:
                if still:
                    more = self.installing(server)
                    self.change(server.name, phase="installing", address=address, installing_at=time.time(), **more)
        elif server.phase == "installing":
            return await self._install(server)
        elif server.phase == "ending":
            await asyncio.sleep(timings.destroy)
            await self._driver.destroy(server.name)
            with self._store.transaction():
                self.change(server.name, phase="gone", user_data="", **self.settled(server))
        elif server.power is not None:
            await self._switch(server)
        elif server.ends_at is None:
            return None
        elif server.ends_at > time.time():
            return server.ends_at - time.time()
        else:
            self.run_out(server)
        return 0

    async def _install(self, server: S) -> float:
        await self._driver.create(self.spec(server))
        ready_at = max((server.installing_at or 0) + self._timings.install, server.unlocks_at)
        if (wait := ready_at - time.time()) > 0:
            return wait
        if server.booted:
            await self._driver.start(server.name)
        with self._unless_ended(server) as still:
            if still:
                more = self.born(server)
                self.change(server.name, phase="active", **more)
        return 0

    async def _switch(self, server: S) -> None:
        await asyncio.sleep(self._timings.power)
        if server.power in {"stop", "reboot"}:
            await self._driver.stop(server.name)
        elif server.power in {"kill", "reset"}:
            await self._driver.kill(server.name)
        if server.power in {"start", "reboot", "reset"}:
            await self._driver.start(server.name)
        with self._unless_ended(server) as still:
            if still:
                self.change(server.name, power=None, **self.settled(server))

    @contextlib.contextmanager
    def _unless_ended(self, server: S) -> Iterator[bool]:
        """Whether a server is still in the phase in which a step began, and in one transaction what follows from it."""
        with self._store.transaction():
            now = self._store.get(self._kind, server.name)
            yield now is not None and now.phase == server.phase
