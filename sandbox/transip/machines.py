"""What TransIP tells of its servers' lives: the actions that lock a VPS, and its word for a state."""

from __future__ import annotations

import time
from typing import Any

from sandbox.clouds.life import Life
from sandbox.clouds.records import IN_BIRTH
from sandbox.clouds.store import Store
from sandbox.hosts.driver import HostDriver, HostSpec
from sandbox.transip import catalogue
from sandbox.transip.records import Action, Timings, Vps


class Machines(Life[Vps]):
    def __init__(self, store: Store, driver: HostDriver, timings: Timings) -> None:
        super().__init__(store, driver, timings, Vps)

    async def status(self, vps: Vps) -> str:
        """The word TransIP has for it."""
        return vps.phase if vps.phase in {"created", "installing"} else await self.host_power(vps)

    def begin(self, vps: Vps, name: str, **changes: Any) -> str:
        """Start an action on a server, which locks it; returns the action's id."""
        action = Action(login=vps.login, name=name, started_at=time.time(), resource=vps.name)
        with self._store.transaction():
            self._store.put(action.uuid, action)
            self.change(vps.name, action=action.uuid, **changes)
        self.wake(vps.name)
        return action.uuid

    def end(self, vps: Vps) -> str:
        return self.begin(vps, "Vps.cancel", phase="ending")

    # ---- its life

    def spec(self, server: Vps) -> HostSpec:
        product = catalogue.BY_NAME[server.product]
        return HostSpec(
            name=server.name,
            address=server.address or "",
            hostname=server.hostname,
            user_data=server.user_data,
            authorized_keys=server.ssh_keys,
            cpus=product.cpus,
            memory_mb=product.memory_mb,
            disk_gb=product.disk_gb,
        )

    def installing(self, server: Vps) -> dict[str, Any]:
        now = time.time()
        child = Action(login=server.login, name="Vps.install", started_at=now, parent=server.order,
                       resource=server.name)  # fmt: skip
        self._store.put(child.uuid, child)
        return {"mac": "52:54:00:" + ":".join(server.uuid[i : i + 2] for i in (0, 2, 4))}

    def born(self, server: Vps) -> dict[str, Any]:
        for child in self._store.all(Action):
            if child.parent == server.order and child.resource == server.name:
                self._finish(child.uuid)
        siblings = [vps for vps in self._store.all(Vps) if vps.order == server.order and vps.name != server.name]
        if not any(vps.phase in IN_BIRTH for vps in siblings):
            self._finish(server.order)
        return {"action": None}

    def settled(self, server: Vps) -> dict[str, Any]:
        self._finish(server.action)
        return {"action": None}

    def run_out(self, server: Vps) -> None:
        self.end(server)

    def _finish(self, action: str | None) -> None:
        found = self._store.get(Action, action) if action else None
        if found is not None:
            self._store.put(found.uuid, found.model_copy(update={"running": False}))
