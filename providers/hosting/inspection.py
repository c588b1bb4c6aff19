"""What the server itself says of an account."""

from __future__ import annotations

import json
from typing import Literal

from pydantic import BaseModel

from providers.errors import Conflict
from providers.hosting import commands, volumes
from providers.hosting.account import VOLUMES, Account
from providers.hosting.ownership import user_exists
from providers.hosts.ssh import Host

MEGABYTE = 1024 * 1024


class Facts(BaseModel, frozen=True):
    """`foreign`: a user of that name is not ours. Megabytes are of 2^20 bytes; `quota_mb` is what can be stored."""

    state: Literal["absent", "foreign", "incomplete", "suspended", "active"]
    used_mb: float = 0
    quota_mb: int = 0
    https: bool = False
    sftp_keys: int = 0
    backups: tuple[str, ...] = ()


class Room(BaseModel, frozen=True):
    """What the server can still take. Volumes are sparse, so more can be promised than there is."""

    free_mb: int
    promised_mb: int
    used_mb: int
    accounts: int


async def room(host: Host) -> Room:
    """Disk below the volumes, what their quotas add up to, and how many there are."""
    total, used, free = (
        int(word) // MEGABYTE for word in (await host.run(commands.sizes(VOLUMES), show="command")).stdout.split()[-3:]
    )
    promised = int((await host.run(commands.apparent_size(VOLUMES), show="command")).stdout.split()[0])
    names = (await host.run(commands.list_names(VOLUMES), show="command")).stdout.split()
    return Room(
        free_mb=free,
        promised_mb=promised,
        used_mb=min(used, total),
        accounts=sum(name.endswith(".ext4") for name in names),
    )


async def facts(host: Host, account: Account) -> Facts:
    """Changes nothing. `incomplete`: there is a user, but no volume or no site."""
    try:
        known = await user_exists(host, account)
    except Conflict:
        return Facts(state="foreign")
    kept = await _backups(host, account)
    if not known:
        return Facts(state="absent", backups=kept)
    used, quota = 0.0, 0
    mounted = await volumes.is_mounted(host, account)
    if mounted:
        sizes = (await host.run(commands.sizes(account.home), show="command")).stdout.split()
        used = round(int(sizes[-2]) / MEGABYTE, 1)
        note = await host.read(f"{account.state}/quota_mb") or "0"
        quota = int(note)
    whole = mounted and await host.exists(account.site_file)
    suspended = await host.exists(account.suspension)
    keys = await host.read(account.keys_file) or ""
    return Facts(
        state="incomplete" if not whole else "suspended" if suspended else "active",
        used_mb=used,
        quota_mb=quota,
        https=await host.exists(account.chain_file),
        sftp_keys=len(keys.splitlines()),
        backups=kept,
    )


async def _backups(host: Host, account: Account) -> tuple[str, ...]:
    listed = await host.run(commands.list_names(account.backups), check=False, show="command")
    names = []
    for file in listed.stdout.split() if listed.ok else ():
        if file.endswith(".json"):
            note = json.loads(await host.read(f"{account.backups}/{file}") or "{}")
            if note.get("account_id") == account.account_id:
                names.append(file.removesuffix(".json"))
    return tuple(sorted(names))
