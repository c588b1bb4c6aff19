"""The end of an account on a server, and the proof of it. Back-ups outlive it: they are discarded by name."""

from __future__ import annotations

from providers.errors import CommandFailed, StillPresent
from providers.hosting import commands, sites, volumes
from providers.hosting.account import NGINX_SITES, Account
from providers.hosting.backups import alone
from providers.hosting.locks import exclusive
from providers.hosting.ownership import read_ours, user_exists
from providers.hosts import commands as general
from providers.hosts.packages import Say
from providers.hosts.ssh import Host

NGINX_FOLDERS = (NGINX_SITES, "/etc/nginx/sites-enabled", "/etc/nginx/conf.d")
USERDEL_ABSENT = 6


async def remove(host: Host, account: Account, say: Say) -> bool:
    """Take everything of the account off the server, its content included. Whether anything was there.

    The user goes last, since it carries our mark: what a lost connection leaves is still known as ours. A user or file
    of the account's names without the mark is Conflict, before anything is touched. Transient when the volume is busy.
    """
    async with alone(host, account), exclusive(host):
        known = await user_exists(host, account)
        for path in (account.site_file, account.pool_file, account.mount_file):
            known |= await read_ours(host, path, account) is not None
        if not known:
            await say(f"Account {account.system_user}: already absent")
            return False
        # The site first: nobody is sent any more to what is about to go.
        await sites.take_down(host, account)
        await host.run(general.remove_file(account.keys_file), show="command")
        await _remove_volume(host, account)
        for path in (account.socket, *account.logs):
            await host.run(general.remove_file(path), show="command")
        await host.run(general.remove_tree([account.state]), show="command")
        await _remove_user(host, account)
    await say(f"Account {account.system_user}: removed")
    return True


async def _remove_volume(host: Host, account: Account) -> None:
    await volumes.unmount(host, account)
    if await host.exists(account.mount_file):
        for path in (account.mount_link, account.mount_file):
            await host.run(general.remove_file(path), show="command")
        await host.run(general.reload_units(), show="command")
    if await host.exists(account.home):
        await host.run(commands.remove_empty(account.home), show="command")
    for path in (account.volume, f"{account.volume}.new"):
        await host.run(general.remove_file(path), show="command")


async def _remove_user(host: Host, account: Account) -> None:
    await host.run(commands.end_processes(account.system_user), check=False, show="command")
    gone = await host.run(commands.remove_user(account.system_user), check=False)
    if gone.exit_status not in (0, USERDEL_ABSENT):
        raise CommandFailed(
            f"the user {account.system_user} could not be removed:\n{gone.tail()}", exit_status=gone.exit_status
        )


async def prove_absent(host: Host, account: Account) -> str:
    """A sentence of evidence that nothing of the account is on the server; StillPresent names what is.

    Back-ups are named in the evidence and are no trace. A name of the account may by now be another site's.
    """
    left = []
    user = await host.run(commands.passwd_entry(account.system_user), check=False, show="command")
    if user.ok:
        left.append(f"user {account.system_user}")
    paths = (account.home, account.volume, account.mount_file, account.site_file, account.pool_file, account.socket,
             account.keys_file, account.state)  # fmt: skip
    left += [path for path in paths if await host.exists(path)]
    listed = await host.run(commands.served_names(NGINX_FOLDERS), check=False, show="nothing")
    others = {word for line in listed.stdout.splitlines() for word in line.replace(";", " ").split()[1:]}
    elsewhere = [domain for domain in account.domains if domain in others]
    for domain in account.domains:
        status, _ = await sites.answer(host, domain)
        if status and domain not in others:
            left.append(f"an answer ({status}) for {domain}")
    if left:
        raise StillPresent(f"of the account {account.account_id} there is still: {', '.join(left)}")
    proof = (
        f"no user {account.system_user}, no {account.home}, no volume, no site, no PHP pool, no key; "
        f"nginx gives no answer for {', '.join(d for d in account.domains if d not in elsewhere) or 'no name of it'}"
    )
    if elsewhere:
        proof += f"; {', '.join(elsewhere)} is another site's by now"
    if await host.exists(account.backups):
        proof += f"; back-ups are kept in {account.backups}"
    return proof
