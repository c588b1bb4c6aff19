"""An account's site: what is on disk, tested before it counts, and read by nginx and PHP. One account at a time."""

from __future__ import annotations

import asyncio
import hashlib
import re

from providers.errors import CommandFailed, Conflict, Transient, Unhealthy
from providers.hosting import commands, setup_files, site_files
from providers.hosting.account import Account
from providers.hosting.locks import exclusive
from providers.hosting.ownership import read_ours, require_user
from providers.hosts import commands as general
from providers.hosts.packages import Say
from providers.hosts.ssh import CommandResult, Host

_TAKEN = re.compile(r'conflicting server name "([^"]+)"')
TRIES = 25
PAUSE = 0.2


async def ensure_site(host: Host, account: Account, say: Say) -> bool:
    """nginx serves the account's names from its folder, by PHP of its own where it has PHP. Whether anything changed.

    An empty site gets a page that says so. A suspended account stays suspended, and one with a certificate keeps HTTPS.
    Errors: NotFound or Conflict (not our account; a name that another site of this server has), CommandFailed (nginx or
    PHP refuse it; all is as before), Unhealthy (it is not served), Transient, HostUnreachable.
    """
    async with exclusive(host):
        await require_user(host, account)
        if not (await host.run(commands.first_entry(account.public), show="command")).stdout.strip():
            welcome = commands.copy_unless_there(setup_files.WELCOME_PAGE, f"{account.public}/index.html")
            await host.run(commands.as_user(account.system_user, welcome), show="command")
        changed = await apply(host, account)
    kind = "PHP" if account.kind == "php" else "static"
    await say(f"Site of {account.domains[0]} ({kind}): {'served' if changed else 'already present'}")
    return changed


async def apply(host: Host, account: Account) -> bool:
    """Bring nginx and PHP to what the account's state on the host asks for, and see it served.

    The caller holds the lock. Whether anything changed.
    """
    suspended = await host.exists(account.suspension)
    chain = await host.read(account.chain_file)
    site = site_files.site(account, chain=_digest(chain) if chain else None, suspended=suspended)
    runs_php = account.kind == "php" and not suspended
    # The pool comes before the site that sends visitors to it, and goes after it.
    changed = await _put_pool(host, account, site_files.pool(account)) if runs_php else False
    changed |= await _put_site(host, account, site)
    if not runs_php:
        changed |= await _put_pool(host, account, None)
    return changed


async def take_down(host: Host, account: Account) -> bool:
    """The undo: no site, no pool. The caller holds the lock."""
    changed = await _put_site(host, account, None)
    return await _put_pool(host, account, None) or changed


async def answer(host: Host, domain: str, path: str = "/") -> tuple[int, str]:
    """Status and body of the name's page over HTTP on the server itself; 0 when no site has the name."""
    result = await host.run(commands.ask(domain, path), check=False, show="nothing")
    body, _, status = result.stdout.rstrip().rpartition("\n")
    return (int(status) if status.isdigit() else 0), body


async def _put_site(host: Host, account: Account, text: str | None) -> bool:
    before = await read_ours(host, account.site_file, account)
    if before == text and await _is_loaded(host, account, "site", text):
        if text is not None:
            await _await_served(host, account, text, before)
        return False
    if text is not None:
        await host.put(setup_files.CANDIDATE, text, mode=0o600)
        alone = await host.run(commands.check_candidate(setup_files.CANDIDATE_MAIN), check=False)
        if not alone.ok:
            raise CommandFailed(
                f"nginx refuses the site of {account.domains[0]}; nothing was changed:\n{alone.tail()}",
                exit_status=alone.exit_status,
            )
    await _write(host, account.site_file, text)
    test = await host.run(general.check_nginx(), check=False)
    taken = set(_TAKEN.findall(test.stderr)) & set(account.domains) if text is not None else set()
    if not test.ok or taken:
        await _write(host, account.site_file, before)
        if taken:
            raise Conflict(f"another site of this server has {', '.join(sorted(taken))}", field="domains")
        raise _refused("nginx", test)
    await host.run(general.reload_nginx(), show="command")
    await _await_served(host, account, text, before)
    # nginx starts the new processes, and tells the old ones a tenth of a second later to accept no more.
    await asyncio.sleep(PAUSE)
    await _note_loaded(host, account, "site", text)
    return True


async def _await_served(host: Host, account: Account, text: str | None, before: str | None) -> None:
    """Wait until nginx serves this text, or no more the one before: a reload returns before it has an effect."""
    wanted, former = (site_files.version_in(t) if t is not None else None for t in (text, before))
    for _ in range(TRIES):
        _, shown = await answer(host, account.domains[0], site_files.VERSION_PATH)
        if shown == wanted if wanted is not None else shown != former or former is None:
            return
        await asyncio.sleep(PAUSE)
    raise Unhealthy(f"nginx does not serve {account.domains[0]} as it was told to")


async def _put_pool(host: Host, account: Account, text: str | None) -> bool:
    before = await read_ours(host, account.pool_file, account)
    if before == text and await _is_loaded(host, account, "pool", text):
        return False
    await _write(host, account.pool_file, text)
    test = await host.run(commands.check_php(), check=False)
    if not test.ok:
        await _write(host, account.pool_file, before)
        raise _refused("php-fpm", test)
    await host.run(commands.reload_php(), show="command")
    for _ in range(TRIES):
        if await host.exists(account.socket) == (text is not None):
            await _note_loaded(host, account, "pool", text)
            return True
        await asyncio.sleep(PAUSE)
    raise Transient(f"php-fpm has not {'opened' if text else 'closed'} {account.socket} yet")


def _refused(program: str, test: CommandResult) -> CommandFailed:
    return CommandFailed(
        f"{program} refuses its configuration; the former was restored:\n{test.tail()}", exit_status=test.exit_status
    )


async def _write(host: Host, path: str, text: str | None) -> None:
    if text is None:
        await host.run(general.remove_file(path), show="command")
    else:
        await host.put(path, text, mode=0o644)


# A file on disk may never have been read: the connection can end between the two. What was read is noted.


async def _is_loaded(host: Host, account: Account, part: str, text: str | None) -> bool:
    noted = await host.read(f"{account.state}/loaded.{part}")
    return noted == _digest(text) if text is not None else noted is None


async def _note_loaded(host: Host, account: Account, part: str, text: str | None) -> None:
    path = f"{account.state}/loaded.{part}"
    await _write(host, path, None if text is None else _digest(text))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
