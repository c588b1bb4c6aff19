"""What on the host is ours: users by their GECOS field, files by their first line. Nothing else is ever changed."""

from __future__ import annotations

from providers.errors import Conflict, NotFound
from providers.hosting import commands
from providers.hosting.account import Account
from providers.hosts.ssh import Host


async def user_exists(host: Host, account: Account) -> bool:
    """Whether the account's user is there. Conflict when a user of that name does not carry the account's mark."""
    found = await host.run(commands.passwd_entry(account.system_user), check=False, show="command")
    if not found.ok:
        return False
    fields = found.stdout.strip().split(":")
    if len(fields) < 5 or fields[4].split(",")[0] != account.gecos:
        raise Conflict(
            f"the user {account.system_user} of this server is not the account {account.account_id}; it is left alone",
            field="system_user",
        )
    return True


async def require_user(host: Host, account: Account) -> None:
    """NotFound when the account is not on the host, Conflict when somebody else's user has its name."""
    if not await user_exists(host, account):
        raise NotFound(f"the account {account.account_id} is not on this server")


async def read_ours(host: Host, path: str, account: Account) -> str | None:
    """A configuration file of the account's, None where there is none, Conflict where it is not the account's."""
    text = await host.read(path)
    if text is not None and account.mark not in text.partition("\n")[0]:
        raise Conflict(f"{path} was not written for the account {account.account_id}; it is left alone")
    return text
