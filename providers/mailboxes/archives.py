"""A mailbox's mail as one archive, packed on the host beside what `remove` puts away; `discard_backup` deletes both."""

from __future__ import annotations

import re

from providers.errors import InvalidInput
from providers.hosts import commands as host_commands
from providers.hosts.ssh import Host, failure
from providers.mailboxes import commands, leftovers
from providers.mailboxes.addresses import Address
from providers.mailboxes.base import Archive

PACK_SECONDS = 6 * 3600
CHANGED_WHILE_READ = 1  # tar's exit status: the archive is whole, that file may be of two moments
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


async def discard(host: Host, where: Address, owner: str, name: str) -> bool:
    """Delete one archive and nothing else. Whether it was there."""
    path = _path(where, owner, name)
    found = await host.exists(path)
    await host.run(host_commands.remove_file(path), show="nothing")
    return found


async def pack(host: Host, where: Address, owner: str, name: str) -> Archive | None:
    """A repeat finds the archive of that name and makes no second. Size and checksum are read back from the disk.

    None where no mail was ever delivered. Errors: DiskFull, CommandFailed, HostUnreachable.
    """
    folder, path = leftovers.backups_of(where, owner), _path(where, owner, name)
    if not await host.exists(path):
        mail = leftovers.mail_of(where)
        if not await host.exists(mail):
            return None
        directories = [folder.rpartition("/")[0], folder]
        await host.run(host_commands.make_directories(directories, mode="0700"), show="nothing")
        draft = f"{path}.new"
        parent, _, folder_name = mail.rpartition("/")
        argv = commands.pack(parent, folder_name, draft)
        packed = await host.run(argv, check=False, timeout=PACK_SECONDS, show="nothing")
        if packed.exit_status not in (0, CHANGED_WHILE_READ):
            await host.run(host_commands.remove_file(draft), check=False, show="nothing")
            raise failure(argv, packed)
        await host.run(host_commands.rename(draft, path), show="nothing")
    digest = await host.run(commands.digest(path), timeout=PACK_SECONDS, show="nothing")
    size = await host.run(commands.file_size(path), show="nothing")
    return Archive(path=path, size=int(size.stdout), sha256=digest.stdout.split()[0])


def _path(where: Address, owner: str, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InvalidInput("an archive's name is of lower-case letters, digits and dashes", field="name")
    return f"{leftovers.backups_of(where, owner)}/{name}.tar.gz"
