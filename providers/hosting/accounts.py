"""An account's place on the server: its user, its volume with the quota, and the folders inside."""

from __future__ import annotations

import json

from providers.hosting import commands, volumes
from providers.hosting.account import Account
from providers.hosting.locks import exclusive
from providers.hosting.ownership import require_user, user_exists
from providers.hosts import commands as general
from providers.hosts.packages import Say
from providers.hosts.ssh import Host

WEB_GROUP = "www-data"


async def ensure_account(host: Host, account: Account, say: Say) -> bool:
    """A user without shell or password, and its volume, in which it owns `public`, `private` and `scratch` (R241).

    Other accounts cannot enter `public`: it is the user's and, for reading, the web server's group's; the folder above
    is root's, as SFTP's chroot demands. Whether anything changed.
    Errors: Conflict (a user of that name without our mark), InvalidInput (quota_mb smaller than before), DiskFull,
    Transient, CommandFailed, HostUnreachable.
    """
    async with exclusive(host):
        known = await user_exists(host, account)
        if not known:
            await host.run(commands.add_user(account))
        await say(f"User {account.system_user}: {'already present' if known else 'created'}")
        groups = await host.run(commands.groups_of(account.system_user), show="command")
        if commands.GROUP not in groups.stdout.split():
            await host.run(general.join_group(account.system_user, commands.GROUP), show="command")
        await host.run(general.make_directories([account.state], mode="0700"), show="command")
        changed = await volumes.ensure_volume(host, account, say)
        user = account.system_user
        await host.run(
            general.make_directories([account.home], mode="0755", owner="root", group="root"), show="command"
        )
        for path, mode, group in (
            (account.public, "0750", WEB_GROUP),
            (account.private, "0700", user),
            (account.scratch, "0700", user),
        ):
            await host.run(general.make_directories([path], mode=mode, owner=user, group=group), show="command")
        described = await host.put(f"{account.state}/account.json", _description(account), mode=0o600)
    return not known or changed or described


async def ensure_quota(host: Host, account: Account, say: Say) -> bool:
    """The account's volume has the size of `quota_mb`; see volumes.py for how it is enforced. Whether it changed.

    InvalidInput (quota_mb) where more is used than that.
    """
    async with exclusive(host):
        await require_user(host, account)
        changed = await volumes.ensure_volume(host, account, say, may_shrink=True)
        # The root of a volume that was made anew is as bare as a new one's.
        await host.run(
            general.make_directories([account.home], mode="0711", owner="root", group="root"), show="command"
        )
        return changed


def _description(account: Account) -> str:
    """For whoever looks after the server by hand, and for `facts`."""
    return json.dumps(account.model_dump(), indent=1, sort_keys=True) + "\n"
