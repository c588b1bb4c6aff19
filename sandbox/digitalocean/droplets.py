"""The routes of `/droplets` and `/actions`: list, create, show, act and destroy."""

from __future__ import annotations

import time
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.clouds.front import seen_late
from sandbox.clouds.records import Switch
from sandbox.clouds.store import Store
from sandbox.digitalocean import orders, wire
from sandbox.digitalocean.machines import Machines
from sandbox.digitalocean.records import Action, Droplet, Limits, Timings
from sandbox.digitalocean.wire import NOT_FOUND, Refusal

BUSY = "Droplet already has a pending event."
# What is done to the host; the others change the record alone, and take their time all the same.
SWITCHES: dict[str, Switch] = {
    "power_on": "start", "shutdown": "stop", "power_off": "kill", "reboot": "reboot", "power_cycle": "reset",
}  # fmt: skip
CHANGES: dict[str, dict[str, Any]] = {
    "enable_ipv6": {"ipv6": True},
    "enable_backups": {"backups": True},
    "disable_backups": {"backups": False},
    "password_reset": {},
}
NOT_HERE = {"restore", "resize", "rebuild", "change_kernel", "snapshot"}


class Droplets:
    def __init__(self, store: Store, machines: Machines, timings: Timings, limits: dict[str, Limits]) -> None:
        self._store = store
        self._machines = machines
        self._timings = timings
        self._limits = limits

    def routes(self) -> list[BaseRoute]:
        one = "/droplets/{id:int}"
        return [
            Route("/droplets", self.index, methods=["GET"]),
            Route("/droplets", self.create, methods=["POST"]),
            Route(one, self.show, methods=["GET"]),
            Route(one, self.destroy, methods=["DELETE"]),
            Route(one + "/actions", self.actions_of, methods=["GET"]),
            Route(one + "/actions", self.act, methods=["POST"]),
            Route(one + "/actions/{action:int}", self.action_of, methods=["GET"]),
            Route("/actions", self.actions, methods=["GET"]),
            Route("/actions/{action:int}", self.action, methods=["GET"]),
        ]

    async def index(self, request: Request) -> Response:
        tag, name = request.query_params.get("tag_name"), request.query_params.get("name")
        if tag is not None and name is not None:
            raise Refusal(422, "name cannot be combined with tag_name.")
        found = [
            droplet
            for droplet in self._visible(request)
            if not seen_late(droplet, request.scope)
            and (tag is None or tag in droplet.tags)
            and (name is None or name.lower() == droplet.label.lower())
            and request.query_params.get("type") != "gpus"
        ]
        return wire.listed(request, "droplets", [await self._shown(droplet) for droplet in found])

    async def create(self, request: Request) -> Response:
        """Answered at once with droplets that are new and without an address; 202 says nothing of success."""
        body = await wire.body_of(request)
        account: str = request.scope["account"]
        made = orders.place(self._store, self._machines, self._timings, self._limits[account], account, body,
                            request.scope)  # fmt: skip
        for droplet, _ in made:
            self._machines.wake(droplet.name)
        shown = [wire.droplet(droplet, "stopped") for droplet, _ in made]
        root = str(request.base_url).rstrip("/")
        links = {"actions": [{"id": action.id, "rel": "create", "href": f"{root}/actions/{action.id}"}
                             for _, action in made]}  # fmt: skip
        if "names" in body:
            return wire.answer({"droplets": shown, "links": links}, 202)
        return wire.answer({"droplet": shown[0], "links": links}, 202)

    async def show(self, request: Request) -> Response:
        return wire.answer({"droplet": await self._shown(self._droplet(request))})

    async def destroy(self, request: Request) -> Response:
        droplet = self._free(request)
        self._machines.begin(droplet, "destroy", phase="ending")
        return wire.done()

    async def act(self, request: Request) -> Response:
        body = await wire.body_of(request)
        kind = body.get("type")
        droplet = self._free(request)
        if isinstance(kind, str) and kind in SWITCHES:
            changes: dict[str, Any] = {"power": SWITCHES[kind]}
        elif isinstance(kind, str) and kind in CHANGES:
            changes = {"power": "settle", **CHANGES[kind]}
        elif kind == "rename":
            (label,) = orders.names_of(body)[:1]
            changes = {"power": "settle", "label": label}
        elif kind in NOT_HERE:
            raise Refusal(422, f"The action {kind} is not offered here.")
        else:
            raise Refusal(422, "You specified an invalid type for this action.")
        return wire.answer({"action": wire.action(self._machines.begin(droplet, str(kind), **changes))}, 201)

    async def actions_of(self, request: Request) -> Response:
        droplet = self._droplet(request)
        found = [action for action in self._actions(request) if action.droplet == droplet.id]
        return wire.listed(request, "actions", [wire.action(action) for action in found])

    async def actions(self, request: Request) -> Response:
        return wire.listed(request, "actions", [wire.action(action) for action in self._actions(request)])

    async def action(self, request: Request) -> Response:
        return wire.answer({"action": wire.action(self._action(request))})

    async def action_of(self, request: Request) -> Response:
        droplet, action = self._droplet(request), self._action(request)
        if action.droplet != droplet.id:
            raise Refusal(404, NOT_FOUND)
        return wire.answer({"action": wire.action(action)})

    # ----

    async def _shown(self, droplet: Droplet) -> dict[str, Any]:
        return wire.droplet(droplet, await self._machines.host_power(droplet))

    def _visible(self, request: Request) -> list[Droplet]:
        """Not what is not known of yet, and not what is being destroyed: that is 404 from the 204 on."""
        now = time.time()
        return [
            droplet
            for droplet in self._store.all(Droplet)
            if droplet.account == request.scope["account"] and droplet.living and droplet.appears_at <= now
        ]

    def _droplet(self, request: Request) -> Droplet:
        """One that lists still lack is not found by its id either, as it happens right after a 202."""
        for droplet in self._visible(request):
            if droplet.id == request.path_params["id"] and droplet.listed_at <= time.time():
                return droplet
        raise Refusal(404, NOT_FOUND)

    def _free(self, request: Request) -> Droplet:
        droplet = self._droplet(request)
        if droplet.action is not None:
            raise Refusal(422, BUSY)
        return droplet

    def _actions(self, request: Request) -> list[Action]:
        """The newest first."""
        found = [action for action in self._store.all(Action) if action.account == request.scope["account"]]
        return found[::-1]

    def _action(self, request: Request) -> Action:
        for action in self._actions(request):
            if action.id == request.path_params["action"]:
                return action
        raise Refusal(404, NOT_FOUND)
