"""UDP and TCP sockets before the answerer."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from typing import cast

from sandbox.powerdns.answers import Answers

IDLE_SECONDS = 10.0


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio's own class is no subclass of DatagramTransport before Python 3.13.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._answers.reply(data, datagram=True)
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)


class Listeners:
    """Both protocols on every address. `addresses` tells the ports really taken, for port 0."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._datagrams: list[asyncio.DatagramTransport] = []
        self._servers: list[asyncio.Server] = []
        self._open: set[asyncio.Task[None]] = set()
        self.addresses: list[str] = []

    async def listen(self, host: str, port: int) -> None:
        server = await asyncio.start_server(self._connection, host, port)
        self._servers.append(server)
        port = server.sockets[0].getsockname()[1]
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Datagrams(self._answers), local_addr=(host, port)
        )
        self._datagrams.append(transport)
        self.addresses.append(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")

    async def close(self) -> None:
        for transport in self._datagrams:
            transport.close()
        for server in self._servers:
            server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        for server in self._servers:
            await server.wait_closed()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._open.add(task)
        try:
            while True:
                async with asyncio.timeout(IDLE_SECONDS):
                    (length,) = struct.unpack("!H", await reader.readexactly(2))
                    query = await reader.readexactly(length)
                answer = self._answers.reply(query, datagram=False)
                if answer is None:
                    return
                writer.write(struct.pack("!H", len(answer)) + answer)
                await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            if task is not None:
                self._open.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()
