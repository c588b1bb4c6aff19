"""Back-ups of an account's content: packed on the server, fetched and brought back as a stream."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

from pydantic import BaseModel

from providers.errors import CommandFailed, DiskFull, HostUnreachable, InvalidInput, NotFound, Transient
from providers.hosting import commands
from providers.hosting.account import Account
from providers.hosting.locks import exclusive
from providers.hosting.ownership import require_user
from providers.hosts import commands as general
from providers.hosts.packages import Say
from providers.hosts.ssh import Host, failure

Sink = Callable[[bytes], Awaitable[None]]

PACK_SECONDS = 6 * 3600
FULL_BELOW = 65536  # bytes
CHANGED_WHILE_READ = 1  # tar's exit status: the archive is whole, that file may be of two moments
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class BackUp(BaseModel, frozen=True):
    """A gzipped tar of `public` and `private` on the server, in a folder that only root may read.

    `size` is in bytes, `sha256` of the file as it is, `consistent` is False when files changed while they were read.
    """

    account_id: str
    name: str
    path: str
    size: int
    sha256: str
    consistent: bool
    made_at: datetime


async def back_up(host: Host, account: Account, name: str, say: Say) -> BackUp:
    """Pack the account's content under a name of the caller's (a job's id): a repeat finds it and makes no second.

    The site goes on meanwhile. Errors: NotFound or Conflict (not our account), DiskFull, CommandFailed,
    HostUnreachable, Transient when the same account is packed by somebody else.
    """
    path, note = _places(account, name)
    async with alone(host, account):
        await require_user(host, account)
        found = await look(host, account, name)
        if found is not None:
            await say(f"Back-up {name}: already present ({found.size} bytes)")
            return found
        draft = f"{path}.new"
        argv = commands.pack(account.home, draft)
        packed = await host.run(argv, check=False, timeout=PACK_SECONDS, show="command")
        if packed.exit_status not in (0, CHANGED_WHILE_READ):
            error = failure(argv, packed)
            await host.run(general.remove_file(draft), check=False, show="command")
            raise error
        digest = await host.run(commands.digest(draft), timeout=PACK_SECONDS, show="command")
        size = await host.run(commands.file_size(draft), show="command")
        made = BackUp(
            account_id=account.account_id,
            name=name,
            path=path,
            size=int(size.stdout),
            sha256=digest.stdout.split()[0],
            consistent=packed.ok,
            made_at=datetime.now(UTC),
        )
        # The note first: an archive with its name is whole and described.
        await host.put(note, made.model_dump_json() + "\n", mode=0o600)
        await host.run(general.rename(draft, path), show="command")
    await say(f"Back-up {name}: {made.size} bytes, SHA-256 {made.sha256}")
    return made


async def look(host: Host, account: Account, name: str) -> BackUp | None:
    """A finished back-up by its name; also when its account is gone."""
    path, note = _places(account, name)
    text = await host.read(note) if await host.exists(path) else None
    if text is None:
        return None
    found = json.loads(text)
    return BackUp.model_validate(found) if found.get("account_id") == account.account_id else None


async def verify(host: Host, account: Account, name: str, say: Say) -> BackUp:
    """Read the whole archive again on the server and compare it with what was packed.

    NotFound where there is none, Transient where what is there is another thing than was packed.
    """
    found = await look(host, account, name)
    if found is None:
        raise NotFound(f"there is no back-up {name} of the account {account.account_id} on this server")
    digest = await host.run(commands.digest(found.path), timeout=PACK_SECONDS, show="command")
    size = await host.run(commands.file_size(found.path), show="command")
    if (int(size.stdout), digest.stdout.split()[0]) != (found.size, found.sha256):
        raise Transient(f"the back-up {name} on the server is not what was packed")
    await say(f"Back-up {name}: read back, SHA-256 {found.sha256}")
    return found


async def fetch(host: Host, account: Account, name: str, sink: Sink) -> BackUp:
    """Hand the archive to the sink piece by piece. Transient when what arrived is not what was packed."""
    found = await look(host, account, name)
    if found is None:
        raise NotFound(f"there is no back-up {name} of the account {account.account_id} on this server")
    digest, size = hashlib.sha256(), 0
    async with host.start(general.show(found.path)) as program:
        async for chunk in program.chunks():
            digest.update(chunk)
            size += len(chunk)
            await sink(chunk)
        await program.end()
    if (size, digest.hexdigest()) != (found.size, found.sha256):
        raise Transient(f"{size} of {found.size} bytes of the back-up {name} arrived, or others than were packed")
    return found


async def restore(host: Host, account: Account, chunks: AsyncIterator[bytes], say: Say) -> None:
    """Unpack an archive over the account's content, as the account's user and inside its quota.

    Files that the archive does not hold stay. A repeat writes the same again. Errors: CommandFailed (no archive),
    DiskFull (more than the quota), NotFound, Conflict, HostUnreachable.
    """
    async with alone(host, account):
        await require_user(host, account)
        unpack = commands.as_user(account.system_user, commands.unpack(account.home))
        try:
            async with host.start(unpack) as program:
                async for chunk in chunks:
                    await program.write(chunk)
                await program.end()
        except CommandFailed as error:
            # tar only says that it wrote less than it wanted.
            free = int((await host.run(commands.sizes(account.home), show="command")).stdout.split()[-1])
            if free < FULL_BELOW:
                raise DiskFull(f"the content does not fit into {account.quota_mb} MB", output=error.output) from error
            raise
    await say(f"Content of {account.system_user} restored")


async def discard(host: Host, account: Account, name: str, say: Say) -> bool:
    """Delete one back-up. Whether it was there."""
    path, note = _places(account, name)
    async with alone(host, account):
        found = await look(host, account, name) is not None
        if found:
            for file in (path, note):
                await host.run(general.remove_file(file), show="command")
    await say(f"Back-up {name}: {'deleted' if found else 'already absent'}")
    return found


@contextlib.asynccontextmanager
async def alone(host: Host, account: Account) -> AsyncIterator[None]:
    """No other back-up, restoration or removal of the account meanwhile: its folder of back-ups is the lock."""
    await host.run(general.make_directories([account.backups], mode="0700"), show="command")
    async with exclusive(host, account.backups):
        try:
            yield
        finally:
            # Only where it is empty. A lost connection was told already.
            with contextlib.suppress(HostUnreachable):
                await host.run(commands.remove_empty(account.backups), check=False, show="command")


def _places(account: Account, name: str) -> tuple[str, str]:
    if not _NAME.fullmatch(name):
        raise InvalidInput("a back-up's name is of lower-case letters, digits and dashes", field="name")
    return f"{account.backups}/{name}.tar.gz", f"{account.backups}/{name}.json"
