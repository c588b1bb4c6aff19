"""Changing a file of the mail host that others may be changing too: read, draft, swap under the host's lock.

The swap happens only if the file still is what was read; else everything is done again from what is there now. So no
change is lost, and no lock outlives a connection that dies.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable

from providers.errors import Transient
from providers.hosts.ssh import Host, failure
from providers.mailboxes import commands, host_files

TRIES = 20

Edit = Callable[[bytes | None], bytes | None]


async def change(host: Host, path: str, edit: Edit, *, mode: int, reload: str = "") -> bool:
    """Whether anything was done. `edit` turns the content into the wanted one; None stands for no file.

    A unit that is to `reload` with a change is reloaded by the next call too, until that succeeded.

    Transient when the file does not stand still, CommandFailed when `reload` or the swap fails.
    """
    for _ in range(TRIES):
        before = await host.content(path)
        after = edit(before)
        if after == before and not (reload and await host.exists(path + host_files.PENDING)):
            return False
        if await _swap(host, path, before, after, mode, reload):
            return True
        await asyncio.sleep(random.uniform(0.02, 0.2))  # noqa: S311
    raise Transient(f"{path} is being changed by others all the time")


async def _swap(host: Host, path: str, before: bytes | None, after: bytes | None, mode: int, reload: str) -> bool:
    draft = "-"
    if after is not None:
        # Named after what it is for: the repeat of a change that was cut short takes up the same draft.
        draft = f"{host_files.DRAFTS}/{_digest(path.encode() + b' ' + after)[:32]}"
        await host.put(draft, after, mode=mode)
    base = "absent" if before is None else _digest(before)
    argv = commands.replace(host_files.PROGRAM, host_files.LOCK, base, draft, path, reload)
    result = await host.run(argv, check=False, show="nothing")
    if result.exit_status == commands.LOCK_BUSY:
        raise Transient(f"another change of this mail host has held its lock for {commands.LOCK_WAIT_SECONDS} s")
    if not result.ok and result.exit_status != commands.CHANGED_MEANWHILE:
        raise failure(argv, result)
    return result.ok


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
