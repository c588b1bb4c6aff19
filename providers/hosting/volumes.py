"""An account's quota: an ext4 file system of its own in a sparse file, mounted at the account's folder.

Why not quotas of users or projects: they need kernel support, a file system made or mounted for them, and count by
owner or inherited id; an overlay, many clouds' images and XFS differ in all three, and turning them on needs the root
file system's downtime. A volume works wherever a loop device does, and is a harder wall as well: writes end with
ENOSPC whoever makes them, the number of files is limited too, no hard link leads into another account, and nothing
in it is executed, a device, or set-uid. The price: growing takes the site away for about a second, and making it
smaller for as long as a copy of the volume takes.
"""

from __future__ import annotations

import asyncio

from providers.errors import CommandFailed, InvalidInput, Transient
from providers.hosting import commands
from providers.hosting.account import Account
from providers.hosting.ownership import read_ours
from providers.hosts import commands as general
from providers.hosts.packages import Say
from providers.hosts.ssh import Host

MEGABYTE = 1024 * 1024
MAKE_SECONDS = 600
COPY_SECONDS = 3600
BUSY_TRIES = 20


def image_mb(quota_mb: int) -> int:
    """Size of the file in which `quota_mb` can be stored: inodes take 3 %, journal and bitmaps some megabytes."""
    return quota_mb + quota_mb // 20 + 8


def mount_unit(account: Account) -> str:
    """A mount unit: after a reboot the volume is back before the web server, and a damaged one stops no boot."""
    return f"""\
# {account.mark}
[Unit]
Description=Web site {account.system_user}
Before=nginx.service

[Mount]
What={account.volume}
Where={account.home}
Type=ext4
Options=loop,discard,nosuid,nodev,noexec,errors=remount-ro

[Install]
WantedBy=local-fs.target
"""


async def ensure_volume(host: Host, account: Account, say: Say, *, may_shrink: bool = False) -> bool:
    """The account's volume is made, of its size, and mounted now and at each boot. Whether anything changed.

    The caller holds the host's lock. InvalidInput (quota_mb) when it would have to become smaller and may not, or holds
    more than that.
    """
    size_file = f"{account.state}/quota_mb"
    said = (await host.read(size_file) or "").strip()
    size = int(said) if said.isdigit() else 0
    if size > account.quota_mb and not may_shrink:
        raise InvalidInput(f"the volume holds {size} MB and is not made smaller here", field="quota_mb")
    changed = size != account.quota_mb
    if not await host.exists(account.volume):
        await _make(host, account, say)
        changed = True
    elif size > account.quota_mb:
        await _shrink(host, account, say)
    elif changed:
        await _grow(host, account, say)
    await host.put(size_file, f"{account.quota_mb}\n", mode=0o600)
    changed |= await _mount(host, account)
    await say(f"Volume of {account.quota_mb} MB: {'mounted' if changed else 'already present'}")
    return changed


async def _make(host: Host, account: Account, say: Say) -> None:
    draft = f"{account.volume}.new"
    await host.run(general.remove_file(draft), show="command")
    await host.run(commands.set_size(draft, image_mb(account.quota_mb)), show="command")
    await host.run(commands.make_file_system(draft), timeout=MAKE_SECONDS, show="command")
    await host.run(general.rename(draft, account.volume), show="command")
    await say(f"Volume made: {account.volume}")


async def _grow(host: Host, account: Account, say: Say) -> None:
    """Off line: kernels refuse to grow a mounted file system to a container's root. A repeat mends a half-grown one."""
    await unmount(host, account)
    check = await host.run(commands.check_file_system(account.volume), check=False, timeout=MAKE_SECONDS)
    if check.exit_status not in (0, 1):
        raise CommandFailed(f"the volume {account.volume} is damaged:\n{check.tail()}", exit_status=check.exit_status)
    await host.run(commands.set_size(account.volume, image_mb(account.quota_mb)), show="command")
    await host.run(commands.grow_file_system(account.volume), timeout=MAKE_SECONDS)
    await say(f"Volume grown to {account.quota_mb} MB")


async def _shrink(host: Host, account: Account, say: Say) -> None:
    """A new volume with the content of the old one takes its place when it is whole; cut short, the old one stays.

    resize2fs would ask for far more room than is used. Meanwhile the site is away: nothing may be written that is lost.
    """
    await _mount(host, account)  # an earlier try may have ended in between
    used = await used_mb(host, account)
    if used > account.quota_mb:
        raise InvalidInput(f"{used} MB are used; they do not fit into {account.quota_mb} MB", field="quota_mb")
    draft, source = f"{account.volume}.new", f"{account.state}/volume"
    await _put_down(host, source)
    await unmount(host, account)
    await host.run(general.make_directories([source], mode="0700"), show="command")
    await host.run(commands.mount_to_read(account.volume, source), show="command")
    try:
        await host.run(general.remove_file(draft), show="command")
        await host.run(commands.set_size(draft, image_mb(account.quota_mb)), show="command")
        await host.run(commands.make_file_system(draft, content=source), timeout=COPY_SECONDS, show="command")
    finally:
        await _put_down(host, source)
    await host.run(general.rename(draft, account.volume), show="command")
    await say(f"Volume made smaller: {account.quota_mb} MB")


async def _put_down(host: Host, path: str) -> None:
    """A place where a volume was read: not mounted any more, and gone."""
    if (await host.run(commands.mounted(path), check=False, show="command")).ok:
        await host.run(commands.unmount(path), show="command")
    if await host.exists(path):
        await host.run(commands.remove_empty(path), show="command")


async def used_mb(host: Host, account: Account) -> int:
    """Megabytes of 2^20 bytes in use, rounded up. Mounts nothing: Transient where the volume is not mounted."""
    if not await is_mounted(host, account):
        raise Transient(f"{account.home} is not mounted")
    sizes = (await host.run(commands.sizes(account.home), show="command")).stdout.split()
    return -(-int(sizes[-2]) // MEGABYTE)


async def _mount(host: Host, account: Account) -> bool:
    await read_ours(host, account.mount_file, account)
    written = await host.put(account.mount_file, mount_unit(account), mode=0o644)
    # What `systemctl enable` would do, without its seconds.
    linked = await host.exists(account.mount_link)
    if not linked:
        await host.run(general.link(account.mount_file, account.mount_link), show="command")
    if linked and not written and await is_mounted(host, account):
        return False
    if written:
        await host.run(general.reload_units(), show="command")
    if not await is_mounted(host, account):
        # The bare mount point is root's: without the volume nobody can write past the quota.
        await host.run(general.make_directories([account.home], mode="0711"), show="command")
        await host.run(commands.start_units([account.mount_unit]), show="command")
    if not await is_mounted(host, account):
        raise Transient(f"{account.home} is not mounted although its unit was started")
    return True


async def is_mounted(host: Host, account: Account) -> bool:
    return (await host.run(commands.mounted(account.home), check=False, show="command")).ok


async def unmount(host: Host, account: Account) -> None:
    """End whatever of the customer's runs and take the volume away; Transient when something keeps it busy."""
    for _ in range(BUSY_TRIES):
        if not await is_mounted(host, account):
            return
        await host.run(commands.end_processes(account.system_user), check=False, show="command")
        await host.run(commands.stop_units([account.mount_unit]), check=False, show="command")
        if not await is_mounted(host, account):
            return
        # A download that nginx is in the middle of, or a PHP process born a moment ago.
        await asyncio.sleep(0.25)
    raise Transient(f"{account.home} is still in use and cannot be unmounted")
