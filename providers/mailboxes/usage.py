"""How much a mailbox holds."""

from __future__ import annotations

import json

from providers.errors import CommandFailed
from providers.hosts.ssh import Host
from providers.mailboxes import commands, host_files
from providers.mailboxes.addresses import Address

KIB = 1024


async def used(host: Host, where: Address, *, measured_by_dovecot: bool) -> int:
    """Bytes. Dovecot counts what it enforces; of a mailbox it keeps shut only the disk can be asked."""
    if not measured_by_dovecot:
        folder = f"{host_files.MAIL}/{where.domain}/{where.local}"
        return await on_disk(host, folder) if await host.exists(folder) else 0
    answer = await host.run(commands.used_quota(str(where)), show="nothing")
    return storage_in(answer.stdout)


def storage_in(text: str) -> int:
    """Out of `doveadm -f json quota get`: a list with one object per resource; STORAGE is in KiB."""
    try:
        return next(int(row["value"]) * KIB for row in json.loads(text) if row["type"] == "STORAGE")
    except (ValueError, KeyError, TypeError, StopIteration):
        raise CommandFailed("doveadm printed no storage in use", output=text) from None


async def on_disk(host: Host, folder: str) -> int:
    answer = await host.run(commands.size_of(folder), timeout=300, show="nothing")
    return int(answer.stdout.split()[0])
