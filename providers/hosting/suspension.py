"""Switching an account off and on again. Its files, certificate, keys and password are not touched."""

from __future__ import annotations

from providers.hosting import commands, sites
from providers.hosting.account import Account
from providers.hosting.locks import exclusive
from providers.hosting.ownership import require_user
from providers.hosts import commands as general
from providers.hosts.packages import Say
from providers.hosts.ssh import Host

_EXPIRY = 7  # field of a shadow entry


async def suspend(host: Host, account: Account, say: Say) -> bool:
    """The site answers 503 with a page that says why, SFTP refuses, and whatever of the user ran has ended.

    ACME challenges are still answered, so that the certificate lives on. Whether anything changed. Errors as
    `sites.ensure_site`.
    """
    async with exclusive(host):
        await require_user(host, account)
        changed = await host.put(account.suspension, "suspended\n", mode=0o600)
        if not await is_expired(host, account):
            await host.run(commands.expire(account.system_user), show="command")
            changed = True
        changed |= await sites.apply(host, account)
        # Last: nothing can start any more.
        await host.run(commands.end_processes(account.system_user), check=False, show="command")
    await say(f"Account {account.system_user}: {'suspended' if changed else 'already suspended'}")
    return changed


async def resume(host: Host, account: Account, say: Say) -> bool:
    """The undo of `suspend`. Whether anything changed."""
    async with exclusive(host):
        await require_user(host, account)
        changed = await host.exists(account.suspension)
        await host.run(general.remove_file(account.suspension), show="command")
        if await is_expired(host, account):
            await host.run(commands.never_expire(account.system_user), show="command")
            changed = True
        changed |= await sites.apply(host, account)
    await say(f"Account {account.system_user}: {'resumed' if changed else 'already active'}")
    return changed


async def is_expired(host: Host, account: Account) -> bool:
    """Whether PAM refuses the user. Its shadow entry holds a hash: it is shown to nobody."""
    entry = await host.run(commands.shadow_entry(account.system_user), show="nothing")
    fields = entry.stdout.strip().split(":")
    return len(fields) > _EXPIRY and fields[_EXPIRY] != ""
