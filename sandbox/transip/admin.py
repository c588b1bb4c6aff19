"""What a test or a demonstration may do to the sandbox from this machine: faults, host power, a look at everything."""

from __future__ import annotations

import contextlib
import re
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.hosts.driver import FaultKind, HostDriver, Modelled
from sandbox.transip.faults import Faults
from sandbox.transip.records import Action, Fault, Invoice, Vps
from sandbox.transip.store import Store
from sandbox.transip.tokens import Authority

HOST_VERBS = ("kill", "stop", "start", "unplug", "plug")
LOOPBACK = {"127.0.0.1", "::1"}


class HostFault(BaseModel, extra="forbid"):
    """What goes wrong on a modelled host: for `times` uses, for `seconds`, or until it is healed."""

    kind: FaultKind
    times: int | None = Field(None, ge=1)
    seconds: float | None = Field(None, gt=0)
    match: str = ""  # part of a command line (drop) or of a registry's name
    after: bool = False  # drop: the command took effect, only its answer is lost


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
                Route(f"{root}/hosts/{{name}}", self.look_at_host, methods=["GET"]),
                Route(f"{root}/hosts/{{name}}/fault", self.harm_host, methods=["POST"]),
                Route(f"{root}/hosts/{{name}}/fault", self.heal_host, methods=["DELETE"]),
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
        with _known(request):
            await getattr(self._driver, verb)(name)
        return Response(status_code=204)

    async def look_at_host(self, request: Request) -> Response:
        with _known(request) as name:
            return JSONResponse(self._modelled.look(name))

    async def harm_host(self, request: Request) -> Response:
        """A `HostFault`; of the host named `next` it is a fault it is born with, its `seconds` from the first boot."""
        try:
            fault = HostFault.model_validate_json(await request.body())
        except ValidationError as error:
            return JSONResponse({"error": str(error)}, 422)
        with _known(request) as name:
            self._modelled.fault(name, **fault.model_dump())
        return Response(status_code=204)

    async def heal_host(self, request: Request) -> Response:
        with _known(request) as name:
            self._modelled.clear(name)
        return Response(status_code=204)

    @property
    def _modelled(self) -> Modelled:
        if not isinstance(self._driver, Modelled):
            raise HTTPException(409, f"{self._driver.kind} hosts are real: break them by their own means")
        return self._driver

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


@contextlib.contextmanager
def _known(request: Request) -> Iterator[str]:
    name: str = request.path_params["name"]
    try:
        yield name
    except KeyError:
        raise HTTPException(404, f"there is no host '{name}'") from None
