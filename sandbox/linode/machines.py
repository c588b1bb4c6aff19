"""What Linode tells of its instances' lives: the events, of which a running one makes the Linode busy."""

from __future__ import annotations

import time
from typing import Any

from sandbox.clouds.life import Life
from sandbox.clouds.records import Timings
from sandbox.clouds.store import Store
from sandbox.hosts.driver import HostDriver, HostSpec
from sandbox.linode import catalogue
from sandbox.linode.records import Event, Linode

FIRST_EVENT = 900_000_000


class Machines(Life[Linode]):
    def __init__(self, store: Store, driver: HostDriver, timings: Timings) -> None:
        super().__init__(store, driver, timings, Linode)

    def event_of(self, linode: Linode, action: str) -> Event:
        """A new event, which is running."""
        number = FIRST_EVENT + self._store.next("event")
        event = Event(id=number, account=linode.account, action=action, linode=linode.id, label=linode.label,
                      image=linode.image if action == "linode_create" else None, created_at=time.time())  # fmt: skip
        self._store.put(str(number), event)
        return event

    def begin(self, linode: Linode, action: str, **changes: Any) -> None:
        """Start an event of a Linode, which makes it busy."""
        with self._store.transaction():
            event = self.event_of(linode, action)
            self.change(linode.name, event=event.id, updated_at=time.time(), **changes)
        self.wake(linode.name)

    async def address_of(self, linode: Linode) -> Linode:
        """A Linode has its address from the first answer on."""
        address = await self._driver.reserve_address()
        return self.change(linode.name, address=address)

    # ---- its life

    def spec(self, server: Linode) -> HostSpec:
        plan = catalogue.PLANS[server.type]
        return HostSpec(
            name=server.name,
            address=server.address or "",
            hostname=server.hostname,
            user_data=server.user_data,
            authorized_keys=server.ssh_keys,
            cpus=plan.vcpus,
            memory_mb=plan.memory_mb,
            disk_gb=plan.disk_mb // 1024,
        )

    def installing(self, server: Linode) -> dict[str, Any]:
        """Its disks are there, and it boots."""
        if not server.booted:
            return {}
        self._finish(server.event)
        return {"event": self.event_of(server, "linode_boot").id}

    def born(self, server: Linode) -> dict[str, Any]:
        return self.settled(server)

    def settled(self, server: Linode) -> dict[str, Any]:
        self._finish(server.event)
        return {"event": None, "updated_at": time.time()}

    def _finish(self, event: int | None) -> None:
        found = self._store.get(Event, str(event))
        if found is not None:
            over = {"status": "finished", "ended_at": time.time()}
            self._store.put(str(found.id), found.model_copy(update=over))
