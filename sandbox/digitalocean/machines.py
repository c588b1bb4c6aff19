"""What DigitalOcean tells of its droplets' lives: the actions, of which a running one locks the droplet."""

from __future__ import annotations

import time
from typing import Any

from sandbox.clouds.life import Life
from sandbox.clouds.records import Timings
from sandbox.clouds.store import Store
from sandbox.digitalocean import catalogue
from sandbox.digitalocean.records import Action, Droplet
from sandbox.hosts.driver import HostDriver, HostSpec

FIRST_ACTION = 1_800_000_000


class Machines(Life[Droplet]):
    def __init__(self, store: Store, driver: HostDriver, timings: Timings) -> None:
        super().__init__(store, driver, timings, Droplet)

    def action_of(self, droplet: Droplet, kind: str) -> Action:
        """A new action, which is running."""
        number = FIRST_ACTION + self._store.next("action")
        action = Action(id=number, account=droplet.account, type=kind, droplet=droplet.id, region=droplet.region,
                        started_at=time.time())  # fmt: skip
        self._store.put(str(number), action)
        return action

    def begin(self, droplet: Droplet, kind: str, **changes: Any) -> Action:
        """Start an action on a droplet, which locks it."""
        with self._store.transaction():
            action = self.action_of(droplet, kind)
            self.change(droplet.name, action=action.id, **changes)
        self.wake(droplet.name)
        return action

    # ---- its life

    def spec(self, server: Droplet) -> HostSpec:
        size = catalogue.SIZES[server.size]
        return HostSpec(
            name=server.name,
            address=server.address or "",
            hostname=server.hostname,
            user_data=server.user_data,
            authorized_keys=server.ssh_keys,
            cpus=size.vcpus,
            memory_mb=size.memory_mb,
            disk_gb=size.disk_gb,
        )

    def born(self, server: Droplet) -> dict[str, Any]:
        return self.settled(server)

    def settled(self, server: Droplet) -> dict[str, Any]:
        action = self._store.get(Action, str(server.action))
        if action is not None:
            done = {"status": "completed", "completed_at": time.time()}
            self._store.put(str(action.id), action.model_copy(update=done))
        return {"action": None}
