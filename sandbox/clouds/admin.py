"""What a test or a demonstration may do to the sandbox from this machine: faults, host power, a look at everything."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sandbox.clouds.faults import Faults
from sandbox.clouds.records import Fault
from sandbox.hosts.driver import FaultKind, HostDriver, Modelled

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
    """An ASGI application; only for calls from this machine. `told` are the records of the cloud."""

    root = "/_sandbox"

    def __init__(self, driver: HostDriver, faults: Faults, told: Callable[[], dict[str, Any]]) -> None:
        self._driver = driver
        self._faults = faults
        self._told = told
        self._app = Starlette(
            routes=[
                Route(f"{self.root}/state", self.state, methods=["GET"]),
                Route(f"{self.root}/faults", self.list_faults, methods=["GET"]),
                Route(f"{self.root}/faults", self.add_fault, methods=["POST"]),
                Route(f"{self.root}/faults", self.clear_faults, methods=["DELETE"]),
                Route(f"{self.root}/hosts/{{name}}", self.look_at_host, methods=["GET"]),
                Route(f"{self.root}/hosts/{{name}}/fault", self.harm_host, methods=["POST"]),
                Route(f"{self.root}/hosts/{{name}}/fault", self.heal_host, methods=["DELETE"]),
                Route(f"{self.root}/hosts/{{name}}/{{verb}}", self.host, methods=["POST"]),
            ]
        )

    def add(self, path: str, endpoint: Callable[[Request], Any]) -> None:
        """A POST that only this cloud knows."""
        self._app.router.routes.append(Route(f"{self.root}{path}", endpoint, methods=["POST"]))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    async def state(self, request: Request) -> Response:
        """The cloud's records, also of what is not listed yet and what is gone; `invoices` is what was paid.

        `hosts` are those of the driver, which clouds of one sandbox share.
        """
        hosts = {name: await self._driver.power(name) for name in await self._driver.names()}
        faults = [fault.model_dump() for fault in self._faults.all()]
        return JSONResponse({"now": time.time(), **self._told(), "faults": faults, "hosts": hosts})

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


@contextlib.contextmanager
def _known(request: Request) -> Iterator[str]:
    name: str = request.path_params["name"]
    try:
        yield name
    except KeyError:
        raise HTTPException(404, f"there is no host '{name}'") from None
