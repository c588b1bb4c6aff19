"""The life of the sandbox's servers: from an order to a running host, and to its end. Survives any interruption.

What a server is waiting for stands in its record, so a restarted process goes on where a killed one was; every call to
the host driver is idempotent. One task per server; the customer's calls only change records and wake it.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from typing import Any

from sandbox.hosts.driver import HostDriver, HostSpec
from sandbox.transip import catalogue
from sandbox.transip.records import Action, Timings, Vps
from sandbox.transip.store import Store

IN_BIRTH = {"ordered", "created", "installing"}


class Machines:
    def __init__(self, store: Store, driver: HostDriver, timings: Timings) -> None:
        self._store = store
        self._driver = driver
        self._timings = timings
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._wakers: dict[str, asyncio.Event] = {}

    async def open(self) -> None:
        await self._driver.open()
        for vps in self._store.all(Vps):
            if vps.phase != "gone":
                self.wake(vps.name)

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

    def leave(self, name: str) -> None:
        """Stop living for a server that was taken out of the store."""
        if (task := self._tasks.pop(name, None)) is not None:
            task.cancel()

    async def status(self, vps: Vps) -> str:
        """The word TransIP has for it; of a finished server the host itself is asked."""
        if vps.phase in {"created", "installing"}:
            return vps.phase
        try:
            return await self._driver.power(vps.name)
        except KeyError:
            return "stopped"

    async def _live(self, name: str) -> None:
        waker, failures = self._wakers[name], 0
        while (vps := self._store.get(Vps, name)) is not None and vps.phase != "gone":
            waker.clear()
            try:
                wait = await self._advance(vps)
                failures = 0
            except Exception as error:
                failures += 1
                wait = min(30.0, 2.0**failures)
                print(f"sandbox: {name} in {vps.phase}: {error!r}, again in {wait:.0f} s", file=sys.stderr, flush=True)
            if wait != 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(waker.wait(), wait)
        self._tasks.pop(name, None)

    async def _advance(self, vps: Vps) -> float | None:
        """One step of a life. Returns the seconds to wait before the next look; None until it is woken."""
        if vps.phase == "ordered":
            await _until(vps.appears_at)
            self._change(vps.name, phase="created", created_at=time.time())
        elif vps.phase == "created":
            await _until((vps.created_at or 0) + self._timings.create)
            address = await self._driver.reserve_address()
            mac = "52:54:00:" + ":".join(vps.uuid[i : i + 2] for i in (0, 2, 4))
            now = time.time()
            child = Action(login=vps.login, name="Vps.install", started_at=now, parent=vps.order, resource=vps.name)
            with self._store.transaction():
                self._store.put(child.uuid, child)
                self._change(vps.name, phase="installing", address=address, mac=mac, installing_at=now)
        elif vps.phase == "installing":
            await self._install(vps)
        elif vps.phase == "ending":
            await asyncio.sleep(self._timings.destroy)
            await self._driver.destroy(vps.name)
            self._change(vps.name, phase="gone", action=None, user_data="")
        elif vps.power is not None:
            await self._switch(vps)
        elif vps.ends_at is None:
            return None
        elif vps.ends_at > time.time():
            return vps.ends_at - time.time()
        else:
            self.end(vps)
        return 0

    async def _install(self, vps: Vps) -> None:
        product = catalogue.BY_NAME[vps.product]
        await self._driver.create(
            HostSpec(
                name=vps.name,
                address=vps.address or "",
                hostname=vps.hostname,
                user_data=vps.user_data,
                authorized_keys=vps.ssh_keys,
                cpus=product.cpus,
                memory_mb=product.memory_mb,
                disk_gb=product.disk_gb,
            )
        )
        await _until(max((vps.installing_at or 0) + self._timings.install, vps.unlocks_at))
        await self._driver.start(vps.name)
        with self._store.transaction():
            self._change(vps.name, phase="active", action=None)
            for child in self._store.all(Action):
                if child.parent == vps.order and child.resource == vps.name:
                    self._finish(child.uuid)
            siblings = [other for other in self._store.all(Vps) if other.order == vps.order]
            if not any(other.phase in IN_BIRTH for other in siblings):
                self._finish(vps.order)

    async def _switch(self, vps: Vps) -> None:
        await asyncio.sleep(self._timings.power)
        if vps.power == "stop":
            await self._driver.stop(vps.name)
        elif vps.power == "reset":
            await self._driver.kill(vps.name)
        if vps.power != "stop":
            await self._driver.start(vps.name)
        self._change(vps.name, power=None, action=None)

    def begin(self, vps: Vps, name: str, **changes: Any) -> str:
        """Start an action on a server, which locks it; returns the action's id."""
        action = Action(login=vps.login, name=name, started_at=time.time(), resource=vps.name)
        with self._store.transaction():
            self._store.put(action.uuid, action)
            self._change(vps.name, action=action.uuid, **changes)
        self.wake(vps.name)
        return action.uuid

    def end(self, vps: Vps) -> str:
        return self.begin(vps, "Vps.cancel", phase="ending")

    def _change(self, name: str, **changes: Any) -> None:
        """Onto the newest record: a customer may have renamed the server while its task waited."""
        with self._store.transaction():
            vps = self._store.get(Vps, name)
            assert vps is not None
            if "action" in changes and changes["action"] is None and vps.action != vps.order:
                self._finish(vps.action)
            self._store.put(name, Vps.model_validate({**vps.model_dump(), **changes}))

    def _finish(self, action: str | None) -> None:
        found = self._store.get(Action, action) if action else None
        if found is not None:
            self._store.put(found.uuid, found.model_copy(update={"running": False}))


async def _until(at: float) -> None:
    await asyncio.sleep(max(0.0, at - time.time()))
