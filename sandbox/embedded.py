"""An ASGI application on a socket inside a program that handles its own signals."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import uvicorn

GRACE_SECONDS = 1


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Embedded:
    """`async with Embedded(app, "127.0.0.1:0") as http: http.port`. OSError when the address cannot be taken."""

    def __init__(self, app: Any, address: str, **options: Any) -> None:
        host, port = host_and_port(address)
        self.host = host
        self.port = port
        quiet = {"log_level": "critical", "server_header": False, "date_header": False}
        self._server = _Server(uvicorn.Config(app, host=host, port=port, lifespan="off", **{**quiet, **options}))

    async def __aenter__(self) -> Embedded:
        self._serving = asyncio.create_task(self._serve())
        while not self._server.started:
            if self._serving.done():
                await self._serving
                raise OSError(f"cannot listen on {self.host}:{self.port}")
            await asyncio.sleep(0.01)
        self.port = self._server.servers[0].sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        done, _pending = await asyncio.wait({self._serving}, timeout=GRACE_SECONDS)
        if not done:
            # A TLS peer that left without a word is otherwise waited for, half a minute long.
            for connection in list(self._server.server_state.connections):
                if connection.transport is not None:
                    connection.transport.abort()
        await self._serving

    async def _serve(self) -> None:
        try:
            await self._server.serve()
        except SystemExit as error:  # uvicorn's way to say that the port is taken
            raise OSError(f"cannot listen on {self.host}:{self.port}") from error


def host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
