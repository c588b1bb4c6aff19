"""An account's order has changed: more room, more PHP, other names, another kind."""

from __future__ import annotations

from providers.hosting.account import Account
from providers.hosting.accounts import ensure_account
from providers.hosting.sites import ensure_site
from providers.hosts.packages import Say
from providers.hosts.ssh import Host


async def change_limits(host: Host, account: Account, say: Say) -> bool:
    """Bring an account that is on the host to what `account` says now. Whether anything changed.

    A larger quota takes the site away for about a second. Its undo is the same call with the former account, except
    for the quota: a smaller one is InvalidInput (`quota_mb`). Other errors as of the two steps.
    """
    changed = await ensure_account(host, account, say)
    return await ensure_site(host, account, say) or changed
