"""Keep-alive connections that each ask again as soon as they were answered; prints how many answers a second came.

`python -m bench.load PORT PATH CONNECTIONS SECONDS`, an access token on standard input (may be empty). A process of its
own, so that the load's work is not done by the side that is measured. Any answer but 200 ends it with an error.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import cast

import uvloop


class Poller(asyncio.Protocol):
    """One connection. Reads just enough of HTTP to know where an answer ends."""

    def __init__(self, request: bytes, failed: asyncio.Future[None]) -> None:
        self._request = request
        self._failed = failed
        self._seen = b""
        self.answers = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._seen += data
        head, found, body = self._seen.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        if not head.startswith(b"HTTP/1.1 200 ") or len(body) > length:
            self._fail(head.partition(b"\r\n")[0].decode())
            return
        self._seen = b""
        self.answers += 1
        self._transport.write(self._request)

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(f"the connection was closed: {error}")

    def _fail(self, why: str) -> None:
        if not self._failed.done():
            self._failed.set_exception(RuntimeError(why))


async def run(port: int, request: bytes, connections: int, seconds: float) -> float:
    loop = asyncio.get_running_loop()
    failed: asyncio.Future[None] = loop.create_future()
    pollers = [Poller(request, failed) for _ in range(connections)]
    await asyncio.gather(*(loop.create_connection(lambda each=each: each, "127.0.0.1", port) for each in pollers))
    began, before = time.perf_counter(), sum(poller.answers for poller in pollers)
    await asyncio.wait([failed], timeout=seconds)
    if failed.done():
        await failed
    rate = (sum(poller.answers for poller in pollers) - before) / (time.perf_counter() - began)
    failed.cancel()
    return rate


def main() -> None:
    port, path, connections, seconds = sys.argv[1:]
    token = sys.stdin.read().strip()
    signed = f"Authorization: Bearer {token}\r\n" if token else ""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: application/json\r\n{signed}\r\n"
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(runner.run(run(int(port), request.encode(), int(connections), float(seconds))))


if __name__ == "__main__":
    main()
