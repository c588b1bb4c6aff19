"""One change at a time on a web server, whichever worker makes it: a lock that the host itself keeps."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from providers.errors import Transient
from providers.hosting import commands
from providers.hosting.account import LOCKS
from providers.hosts.ssh import Host

WEB = f"{LOCKS}/web"
# Longer than the server needs to notice that a connection is gone (ClientAlive in setup_files.py).
WAIT_SECONDS = 90


@contextlib.asynccontextmanager
async def exclusive(host: Host, path: str = WEB, *, seconds: int = WAIT_SECONDS) -> AsyncIterator[None]:
    """Hold the lock of that file, or existing folder, of the host. Given back with the block, or with the connection.

    Needed because daemons read all accounts' files at once: one's half-written site would fail another's test.
    Transient when others hold it for longer than `seconds`.
    """
    async with host.start(commands.lock(path, seconds), show="nothing") as holder:
        await holder.write(b"\n")
        if await holder.read(1) != b"\n":
            raise Transient(f"other changes of the web server took longer than {seconds} s")
        yield
        await holder.end()
