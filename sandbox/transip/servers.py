"""The routes of `/vps`: list, order, show, change, power and cancel."""

from __future__ import annotations

import math
import time
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.clouds.front import seen_late
from sandbox.clouds.store import Store
from sandbox.transip import catalogue, orders, wire
from sandbox.transip.machines import Machines
from sandbox.transip.records import Timings, Vps
from sandbox.transip.wire import Refusal

POWER = ("start", "stop", "reset")


class Servers:
    def __init__(self, store: Store, machines: Machines, timings: Timings) -> None:
        self._store = store
        self._machines = machines
        self._timings = timings

    def routes(self) -> list[BaseRoute]:
        one = "/vps/{name}"
        return [
            Route("/vps", self.index, methods=["GET"]),
            Route("/vps", self.order, methods=["POST"]),
            Route(one, self.show, methods=["GET"]),
            Route(one, self.change, methods=["PUT"]),
            Route(one, self.act, methods=["PATCH"]),
            Route(one, self.cancel, methods=["DELETE"]),
            Route(one + "/ip-addresses", self.addresses, methods=["GET"]),
            Route(one + "/addons", self.addons, methods=["GET"]),
            Route(one + "/upgrades", self.upgrades, methods=["GET"]),
            Route(one + "/operating-systems", self.operating_systems, methods=["GET"]),
            Route(one + "/firewall", self.firewall, methods=["GET"]),
        ]

    async def index(self, request: Request) -> Response:
        wanted = {tag for tag in request.query_params.get("tags", "").split(",") if tag}
        found = [vps for vps in self._visible(request) if wanted <= set(vps.tags) and not seen_late(vps, request.scope)]
        shown = [wire.vps(vps, await self._machines.status(vps)) for vps in found]
        return wire.read(request, vpss=wire.page_of(request, shown))

    async def order(self, request: Request) -> Response:
        body = await wire.body_of(request)
        if "vpsName" in body:
            raise Refusal(501, "Cloning is not offered here")
        entries = body.get("vpss", [body])
        if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
            raise Refusal(406, "The provided parameter 'vpss' should be a list of orders")
        action, names = orders.place(self._store, self._timings, request.scope["login"], entries, request.scope,
                                     test=request.query_params.get("test") == "1")  # fmt: skip
        for name in names:
            self._machines.wake(name)
        return wire.created(action)

    async def show(self, request: Request) -> Response:
        vps = self._vps(request)
        return wire.read(request, vps=wire.vps(vps, await self._machines.status(vps)))

    async def change(self, request: Request) -> Response:
        """Description, tags (all of them at once) and the customer's lock; everything else in the body is ignored."""
        body = await wire.body_of(request)
        new = body.get("vps")
        if not isinstance(new, dict):
            raise Refusal(406, "The provided parameter 'vps' should be an object")
        vps = self._vps(request)
        locked = new.get("isCustomerLocked", vps.customer_locked) is True
        self._check_free(vps, unlocking=not locked)
        changes: dict[str, Any] = {
            "description": wire.text_of(new, "description", longest=32) or None,
            "tags": wire.texts_of(new, "tags"),
            "customer_locked": locked,
        }
        self._store.put(vps.name, vps.model_copy(update=changes))
        return wire.done()

    async def act(self, request: Request) -> Response:
        wanted = wire.text_of(await wire.body_of(request), "action")
        vps = self._vps(request)
        if wanted not in POWER:
            raise Refusal(406, f"Action should be one of the following: {', '.join(POWER)}")
        self._check_free(vps)
        return wire.done(self._machines.begin(vps, f"Vps.{wanted}", power=wanted))

    async def cancel(self, request: Request) -> Response:
        end = wire.text_of(await wire.body_of(request), "endTime", default="end")
        vps = self._vps(request)
        if end not in {"end", "immediately"}:
            raise Refusal(406, f"This is not a valid cancellation time: '{end}', "
                               "please use either 'end' or 'immediately'")  # fmt: skip
        if vps.cancelled is not None:
            raise Refusal(409, f"VPS '{vps.name}' has a cancellation pending, it cannot be cancelled again")
        self._check_free(vps)
        if end == "immediately":
            self._store.put(vps.name, vps.model_copy(update={"cancelled": end}))
            return wire.done(self._machines.end(vps))
        started, period = vps.created_at or vps.ordered_at, self._timings.contract
        periods = max(1, math.ceil((time.time() - started) / period))
        self._store.put(vps.name, vps.model_copy(update={"cancelled": end, "ends_at": started + periods * period}))
        self._machines.wake(vps.name)
        return wire.done()

    async def addresses(self, request: Request) -> Response:
        vps = self._vps(request)
        address = {"address": vps.address, "subnetMask": "255.255.255.0", "gateway": _gateway(vps.address or ""),
                   "dnsResolvers": ["195.8.195.8", "195.135.195.135"], "reverseDns": vps.hostname}  # fmt: skip
        return wire.read(request, ipAddresses=[address] if vps.address else [])

    async def addons(self, request: Request) -> Response:
        vps = self._vps(request)
        active = [catalogue.priced(name, *catalogue.ADDONS[name]) for name in vps.addons]
        offered = [catalogue.priced(name, *terms) for name, terms in catalogue.ADDONS.items()]
        return wire.read(request, addons={"active": active, "cancellable": active, "available": offered})

    async def upgrades(self, request: Request) -> Response:
        cents = catalogue.BY_NAME[self._vps(request).product].cents
        larger = [product for product in catalogue.PRODUCTS if product.cents > cents]
        return wire.read(request, upgrades=[catalogue.priced(p.name, p.description, p.cents) for p in larger])

    async def operating_systems(self, request: Request) -> Response:
        self._vps(request)
        return wire.read(request, operatingSystems=catalogue.operating_systems())

    async def firewall(self, request: Request) -> Response:
        self._vps(request)
        return wire.read(request, vpsFirewall={"isEnabled": False, "ruleSet": []})

    def _visible(self, request: Request) -> list[Vps]:
        """An ordered server is not listed until it exists, nor one that is gone."""
        return [
            vps
            for vps in self._store.all(Vps)
            if vps.login == request.scope["login"] and vps.phase not in {"ordered", "gone"}
        ]

    def _vps(self, request: Request) -> Vps:
        """By name or uuid."""
        wanted = str(request.path_params["name"])
        for vps in self._visible(request):
            if wanted in {vps.name, vps.uuid}:
                return vps
        raise Refusal(404, f"VPS with identifier '{wanted}' not found")

    def _check_free(self, vps: Vps, *, unlocking: bool = False) -> None:
        if vps.blocked:
            raise Refusal(403, f"VPS '{vps.name}' is blocked, no modification is allowed")
        if vps.action is not None:
            raise Refusal(409, f"VPS '{vps.name}' has an action running, no modification is allowed")
        if vps.customer_locked and not unlocking:
            raise Refusal(409, f"VPS '{vps.name}' is customer locked, no modification is allowed")


def _gateway(address: str) -> str:
    return f"{address.rpartition('.')[0]}.1"
