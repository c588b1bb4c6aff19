"""The mail itself at a mailbox's end: put away where only root reads, deleted when that is asked for, and the proof.

Backups lie on the file system the mail lay on, so putting away is one rename: <removed>/<owner>/<address>/<number>.
"""

from __future__ import annotations

from providers.errors import Conflict, StillPresent, Transient
from providers.hosts import commands as host_commands
from providers.hosts.ssh import Host, failure
from providers.mailboxes import commands, host_files, usage
from providers.mailboxes.addresses import Address


def mail_of(where: Address) -> str:
    return f"{host_files.MAIL}/{where.domain}/{where.local}"


def backups_of(where: Address, owner: str) -> str:
    return f"{host_files.BACKUPS}/{owner}/{where}"


async def put_away(host: Host, where: Address, owner: str) -> None:
    if not await host.exists(mail_of(where)):
        return
    folder = backups_of(where, owner)
    await host.run(host_commands.make_directories([folder.rpartition("/")[0], folder], mode="0700"), show="nothing")
    taken = [int(name) for name in await _names(host, folder) if name.isdigit()]
    target = f"{folder}/{max(taken, default=0) + 1}"
    await host.run(commands.move_whole(mail_of(where), target), show="nothing")


async def backup_of(host: Host, where: Address, owner: str) -> tuple[str | None, int]:
    """(folder, bytes) of what is kept of this address for this owner."""
    folder = backups_of(where, owner)
    if not await host.exists(folder):
        return None, 0
    return folder, await usage.on_disk(host, folder)


async def discard(host: Host, where: Address, owner: str) -> bool:
    folder = backups_of(where, owner)
    if not await host.exists(folder):
        return False
    await host.run(host_commands.remove_tree([folder]), timeout=600, show="nothing")
    parent = commands.remove_empty(folder.rpartition("/")[0], tolerant=True)
    await host.run(parent, check=False, show="nothing")
    return True


async def remove_empty_accounts(host: Host, domain: str) -> None:
    """The folder goes only while it is empty: from then on no mailbox can be made in the domain."""
    folder = f"{host_files.ACCOUNTS}/{domain}"
    if not await host.exists(folder):
        return
    argv = commands.remove_empty(folder)
    result = await host.run(argv, check=False, show="nothing")
    if result.ok or not await host.exists(folder):
        return
    if await _names(host, folder):
        raise Conflict(f"the mail domain {domain} still has mailboxes", field="domain")
    raise failure(argv, result)


async def prove_absent(host: Host, where: Address, account: str) -> str:
    left = [what for what, path in (("an account", account), ("mail", mail_of(where))) if await host.exists(path)]
    argv = commands.known_user(str(where))
    answer = await host.run(argv, check=False, show="nothing")
    if answer.ok:
        left.append("a user Dovecot knows")
    if left:
        raise StillPresent(f"of {where} there is still {' and '.join(left)} on the host")
    if answer.exit_status != commands.NO_SUCH_USER:
        raise Transient(f"Dovecot does not say whether it knows {where}:\n{answer.tail(3)}")
    return (f"{host.target.address}: no account file {account}, no mail in {mail_of(where)}, "
            f"and Dovecot knows no user {where}")  # fmt: skip


async def _names(host: Host, folder: str) -> list[str]:
    found = await host.run(commands.names_in(folder), check=False, show="nothing")
    return found.stdout.splitlines() if found.ok else []
