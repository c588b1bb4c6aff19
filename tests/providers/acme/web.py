"""A web server as a host's, on a port of its own: serves challenges under whatever name it is asked by."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from sandbox.embedded import Embedded


class Web:
    """A webroot. `stale` answers with something else first, so many times; `moved` redirects everything."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.asked: list[str] = []
        self.stale = 0
        self.moved = False
        self.port = 0

    async def put(self, token: str, content: str) -> None:
        self.files[token] = content

    async def remove(self, token: str) -> None:
        self.files.pop(token, None)

    async def answer(self, request: Request) -> Response:
        self.asked.append(request.headers["host"])
        if self.moved:
            return RedirectResponse("https://elsewhere.invalid/")
        if self.stale:
            self.stale -= 1
            return PlainTextResponse("a page that was here before")
        token = request.path_params["token"]
        if token not in self.files:
            return PlainTextResponse("not here", 404)
        return PlainTextResponse(self.files[token] + "\n")


@contextlib.asynccontextmanager
async def website() -> AsyncIterator[Web]:
    web = Web()
    app = Starlette(routes=[Route("/.well-known/acme-challenge/{token}", web.answer)])
    async with Embedded(app, "127.0.0.1:0") as http:
        web.port = http.port
        yield web
