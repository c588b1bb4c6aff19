"""A subscription's site and mailbox switched off and on again. Their content is never touched."""

from __future__ import annotations

from temporalio import activity

from activities._context import Deps
from activities._errors import mapped
from activities._house import visit
from activities._mailboxes import mailboxes
from activities.hosting import account_of
from db.models_hosting import HostingAccount
from db.queries import backups, delivery
from db.queries.delivery import Delivery
from domain.fulfilment import JobCall
from domain.sales import SubscriptionStatus
from providers.errors import Conflict, NotFound
from providers.hosting import suspension

REMOVED = "already removed by an earlier run; its last backup is kept"


class SuspensionActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @activity.defn
    @mapped
    async def suspend_site(self, call: JobCall) -> None:
        """Let the site answer 503 with a page that says so, and lock its file access.

        Effect: nginx site, expiry of the system user, its processes ended.
        Idempotency: what is off stays off. An account that is gone with its last backup is no failure.
        Undo: reopen_site.
        Heartbeat: while at work.
        """
        held = await self._load(call)
        account = held.living_account
        if account is None:
            return
        async with visit(self._deps, held.site[1], call.job_id, "suspend_site") as there:
            try:
                await suspension.suspend(there.host, account_of(held), there.log.say)
            except NotFound:
                if not await self._backed_up(account):
                    raise
                await there.log.say(f"Account {account.system_user}: {REMOVED}")

    @activity.defn
    @mapped
    async def suspend_mail(self, call: JobCall) -> None:
        """Let nobody sign in at the mailbox; senders are told to try again later, so no mail is lost.

        Effect: the mailbox's file at the mail server, its sessions ended.
        Idempotency: what is off stays off. A mailbox that is gone, or leaving, with its mail kept is no failure.
        Undo: reopen_mail.
        Heartbeat: while at work.
        """
        held = await self._load(call)
        mailbox = held.living_mailbox
        if mailbox is None:
            return
        async with mailboxes(self._deps, held.mail, call.job_id, "suspend_mail") as (adapter, say):
            try:
                await say((await adapter.suspend(mailbox.email, held.owner)).text)
            except (Conflict, NotFound):
                seen = await adapter.facts(mailbox.email)
                leaving = seen.owner == held.owner and seen.suspended
                if not leaving and (seen.exists or not await self._backed_up(held.account)):
                    raise
                await say(f"Mailbox {mailbox.email}: {REMOVED}")

    @activity.defn
    @mapped
    async def resume_site(self, call: JobCall) -> None:
        """Serve the site again and open its file access.

        Effect: nginx site, the system user's expiry taken away.
        Idempotency: what is on stays on.
        Undo: suspend_site.
        Heartbeat: while at work.
        """
        await self._resume_site(call, "resume_site")

    @activity.defn
    @mapped
    async def resume_mail(self, call: JobCall) -> None:
        """Open the mailbox again, with the password it had.

        Effect: the mailbox's file at the mail server.
        Idempotency: what is on stays on.
        Undo: suspend_mail.
        Heartbeat: while at work.
        """
        await self._resume_mail(call, "resume_mail")

    @activity.defn
    @mapped
    async def reopen_site(self, call: JobCall) -> None:
        """Undo suspend_site; what was suspended before the run began stays so.

        Effect: as resume_site, or none.
        Idempotency: what is on stays on.
        Undo: suspend_site.
        Heartbeat: while at work.
        """
        await self._resume_site(call, "suspend_site", unless_suspended=True)

    @activity.defn
    @mapped
    async def reopen_mail(self, call: JobCall) -> None:
        """Undo suspend_mail; what was suspended before the run began stays so.

        Effect: as resume_mail, or none.
        Idempotency: what is on stays on.
        Undo: suspend_mail.
        Heartbeat: while at work.
        """
        await self._resume_mail(call, "suspend_mail", unless_suspended=True)

    # ---- parts

    async def _resume_site(self, call: JobCall, step: str, *, unless_suspended: bool = False) -> None:
        held = await self._load(call)
        if held.living_account is None or (unless_suspended and _is_suspended(held)):
            return
        async with visit(self._deps, held.site[1], call.job_id, step) as there:
            await suspension.resume(there.host, account_of(held), there.log.say)

    async def _resume_mail(self, call: JobCall, step: str, *, unless_suspended: bool = False) -> None:
        held = await self._load(call)
        mailbox = held.living_mailbox
        if mailbox is None or (unless_suspended and _is_suspended(held)):
            return
        async with mailboxes(self._deps, held.mail, call.job_id, step) as (adapter, say):
            await say((await adapter.resume(mailbox.email, held.owner)).text)

    async def _load(self, call: JobCall) -> Delivery:
        async with self._deps.db.begin() as session:
            return await delivery.load(session, call.subscription_id)

    async def _backed_up(self, account: HostingAccount | None) -> bool:
        if account is None:
            return False
        async with self._deps.db.begin() as session:
            return await backups.last_of(session, account) is not None


def _is_suspended(held: Delivery) -> bool:
    return held.subscription.status == SubscriptionStatus.SUSPENDED
