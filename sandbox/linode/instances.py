"""The routes of `/linode/instances`: list, create, show, change, power and delete."""

from __future__ import annotations

import time
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.clouds.front import seen_late
from sandbox.clouds.store import Store
from sandbox.linode import orders, wire
from sandbox.linode.filters import filtered
from sandbox.linode.machines import Machines
from sandbox.linode.records import Limits, Linode, Timings
from sandbox.linode.wire import NOT_FOUND, Refusal

FILTERS = {"group", "id", "image", "interface_generation", "ipv4", "label", "region", "tags"}
BUSY = "Linode busy."
# Members that a change may name. What a customer cannot change is ignored, as clients send back what they read.
CHANGES = {"alerts", "backups", "group", "label", "maintenance_policy", "tags", "watchdog_enabled"}
READ_ONLY = {
    "capabilities", "created", "disk_encryption", "has_user_data", "host_uuid", "hypervisor", "id", "image",
    "interface_generation", "ipv4", "ipv6", "lke_cluster_id", "placement_group", "region", "site_type", "specs",
    "status", "type", "updated",
}  # fmt: skip


class Instances:
    def __init__(self, store: Store, machines: Machines, timings: Timings, limits: dict[str, Limits]) -> None:
        self._store = store
        self._machines = machines
        self._timings = timings
        self._limits = limits

    def routes(self) -> list[BaseRoute]:
        one = "/linode/instances/{id:int}"
        return [
            Route("/linode/instances", self.index, methods=["GET"]),
            Route("/linode/instances", self.create, methods=["POST"]),
            Route(one, self.show, methods=["GET"]),
            Route(one, self.change, methods=["PUT"]),
            Route(one, self.delete, methods=["DELETE"]),
            Route(one + "/boot", self.boot, methods=["POST"]),
            Route(one + "/reboot", self.reboot, methods=["POST"]),
            Route(one + "/shutdown", self.shutdown, methods=["POST"]),
        ]

    async def index(self, request: Request) -> Response:
        found = [linode for linode in self._visible(request) if not seen_late(linode, request.scope)]
        shown = [await self._shown(linode) for linode in found]
        return wire.listed(request, filtered(request.headers.get("X-Filter"), shown, FILTERS))

    async def create(self, request: Request) -> Response:
        """Answered with the whole Linode: its id, and the address it will have."""
        body = await wire.body_of(request, orders.MEMBERS)
        account: str = request.scope["account"]
        linode = orders.place(self._store, self._machines, self._timings, self._limits[account], account, body,
                              request.scope)  # fmt: skip
        try:
            linode = await self._machines.address_of(linode)
        except Exception:
            orders.withdraw(self._store, linode)
            raise
        self._machines.wake(linode.name)
        return wire.answer(wire.linode(linode, "stopped"))

    async def show(self, request: Request) -> Response:
        return wire.answer(await self._shown(self._linode(request)))

    async def change(self, request: Request) -> Response:
        """Allowed while it is busy."""
        body = await wire.body_of(request, CHANGES | READ_ONLY)
        linode = self._linode(request)
        changes: dict[str, Any] = {"updated_at": time.time()}
        if "label" in body:
            changes["label"] = orders.label_of(body["label"]) or linode.label
            others = [other for other in self._mine(request) if other.id != linode.id]
            if any(other.label == changes["label"] for other in others):
                raise Refusal(orders.TAKEN, "label")
        if "tags" in body:
            changes["tags"] = orders.tags_of(body["tags"])
            orders.remember_tags(self._store, linode.account, changes["tags"])
        if isinstance(body.get("alerts"), dict):
            changes["alerts"] = {**linode.alerts, **body["alerts"]}
        for name, member in (("group", "group"), ("watchdog_enabled", "watchdog")):
            if body.get(name) is not None:
                changes[member] = body[name]
        return wire.answer(await self._shown(self._machines.change(linode.name, **changes)))

    async def delete(self, request: Request) -> Response:
        """At any time, also while it boots."""
        linode = self._linode(request)
        self._machines.begin(linode, "linode_delete", phase="ending", power=None)
        return wire.answer({})

    async def boot(self, request: Request) -> Response:
        linode = await self._free(request)
        if linode.image is None:
            raise Refusal("Linode has no configuration profile to boot.")
        self._machines.begin(linode, "linode_boot", power="start")
        return wire.answer({})

    async def reboot(self, request: Request) -> Response:
        self._machines.begin(await self._free(request), "linode_reboot", power="reboot")
        return wire.answer({})

    async def shutdown(self, request: Request) -> Response:
        self._machines.begin(await self._free(request), "linode_shutdown", power="stop")
        return wire.answer({})

    # ----

    async def _shown(self, linode: Linode) -> dict[str, Any]:
        return wire.linode(linode, await self._machines.host_power(linode))

    def _mine(self, request: Request) -> list[Linode]:
        return [one for one in self._store.all(Linode) if one.account == request.scope["account"] and one.living]

    def _visible(self, request: Request) -> list[Linode]:
        now = time.time()
        return [linode for linode in self._mine(request) if linode.appears_at <= now]

    def _linode(self, request: Request) -> Linode:
        for linode in self._visible(request):
            if linode.id == request.path_params["id"]:
                return linode
        raise Refusal(NOT_FOUND, status=404)

    async def _free(self, request: Request) -> Linode:
        await wire.body_of(request, {"config_id"})
        linode = self._linode(request)
        if linode.event is not None:
            raise Refusal(BUSY)
        return linode
