"""What a test or a demonstration may do to the sandbox from this machine: faults, host power, a look at everything."""

from __future__ import annotations

import re
import time
from collections import deque
from typing import Any

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.hosts.driver import HostDriver
from sandbox.transip.faults import Faults
from sandbox.transip.records import Action, Fault, Invoice, Vps
from sandbox.transip.store import Store
from sandbox.transip.tokens import Authority

HOST_VERBS = ("kill", "stop", "start", "unplug", "plug")
LOOPBACK = {"127.0.0.1", "::1"}


class Admin:
    def __init__(
        self, store: Store, driver: HostDriver, faults: Faults, authority: Authority, calls: deque[dict[str, Any]]
    ) -> None:
        self._store = store
        self._driver = driver
        self._faults = faults
        self._authority = authority
        self._calls = calls

    def app(self) -> Starlette:
        root = "/_sandbox"
        return Starlette(
            routes=[
                Route(f"{root}/state", self.state, methods=["GET"]),
                Route(f"{root}/faults", self.list_faults, methods=["GET"]),
                Route(f"{root}/faults", self.add_fault, methods=["POST"]),
                Route(f"{root}/faults", self.clear_faults, methods=["DELETE"]),
                Route(f"{root}/hosts/{{name}}/{{verb}}", self.host, methods=["POST"]),
                Route(f"{root}/vps/{{name}}/{{verb}}", self.block, methods=["POST"]),
                Route(f"{root}/tokens/revoke", self.revoke, methods=["POST"]),
            ]
        )

    async def state(self, request: Request) -> Response:
        """`vpss` also holds what is not listed yet and what is gone; `invoices` is what was paid."""
        hosts = {name: await self._driver.power(name) for name in await self._driver.names()}
        shown = [vps.model_dump(exclude={"user_data"}) for vps in self._store.all(Vps)]
        return JSONResponse(
            {
                "now": time.time(),
                "vpss": shown,
                "actions": [action.model_dump() for action in self._store.all(Action)],
                "invoices": [invoice.model_dump() for invoice in self._store.all(Invoice)],
                "faults": [fault.model_dump() for fault in self._faults.all()],
                "calls": [*self._calls],
                "hosts": hosts,
            }
        )

    async def list_faults(self, request: Request) -> Response:
        return JSONResponse({"faults": [fault.model_dump() for fault in self._faults.all()]})

    async def add_fault(self, request: Request) -> Response:
        try:
            fault = self._faults.add(Fault.model_validate_json(await request.body()))
        except (ValidationError, re.error) as error:
            return JSONResponse({"error": str(error)}, 422)
        return JSONResponse({"fault": fault.model_dump()}, 201)

    async def clear_faults(self, request: Request) -> Response:
        self._faults.clear()
        return Response(status_code=204)

    async def host(self, request: Request) -> Response:
        name, verb = request.path_params["name"], request.path_params["verb"]
        if verb not in HOST_VERBS:
            raise HTTPException(404)
        try:
            await getattr(self._driver, verb)(name)
        except KeyError:
            raise HTTPException(404, f"there is no host '{name}'") from None
        return Response(status_code=204)

    async def block(self, request: Request) -> Response:
        """What TransIP's staff may do to a server: `block` and `unblock`."""
        vps = self._store.get(Vps, request.path_params["name"])
        verb = request.path_params["verb"]
        if vps is None or verb not in {"block", "unblock"}:
            raise HTTPException(404)
        self._store.put(vps.name, vps.model_copy(update={"blocked": verb == "block"}))
        return Response(status_code=204)

    async def revoke(self, request: Request) -> Response:
        return JSONResponse({"revoked": self._authority.revoke_all()})
