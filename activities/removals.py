"""The end of what a customer has used. The rule of this file: nothing goes whose last backup is not there, whole."""

from __future__ import annotations

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities._context import Deps
from activities._errors import mapped
from activities._house import Visit, visit
from activities._mailboxes import mailboxes
from activities.hosting import account_of
from db.models_hosting import BackupJob
from db.queries import backups, delivery
from db.queries.delivery import Delivery
from domain.errors import Trouble
from domain.fulfilment import JobCall
from providers.errors import StillPresent
from providers.hosting import backups as archives
from providers.hosting import removal
from providers.mailboxes.base import Archive


class RemovalActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @activity.defn
    @mapped
    async def end_account(self, call: JobCall) -> None:
        """Remove the site, its content and its user, after its backup was read once more on the server.

        Effect: nothing of the account is on the server but its backups.
        Idempotency: absent is success. Without a whole backup of this run nothing is removed (Conflict).
        Undo: none; the backup is kept.
        Heartbeat: while at work.
        """
        held = await self._load(call)
        if held.living_account is None:
            return
        async with self._deps.db.begin() as session:
            row = await backups.of_job(session, call.job_id, held.living_account)
        async with visit(self._deps, held.site[1], call.job_id, "end_account") as there:
            if row is None or row.status != "SUCCESS":
                await _only_if_absent(there, held)
                return
            found = await archives.verify(there.host, account_of(held), str(row.id), there.log.say)
            if found.sha256 != row.sha256:
                raise _no_backup(f"the archive on {there.server.hostname} is another one than was recorded")
            await removal.remove(there.host, account_of(held), there.log.say)

    @activity.defn
    @mapped
    async def end_mailbox(self, call: JobCall) -> None:
        """Remove the mailbox and its domain, after its backup was read once more on the server.

        Effect: the mail server knows neither; what lay in the mailbox lies with its backups.
        Idempotency: absent is success. A backup that is not what was recorded stops it (Conflict).
        Undo: none; the backup is kept.
        Heartbeat: while at work.
        """
        held = await self._load(call)
        mailbox = held.living_mailbox
        if mailbox is None:
            return
        async with self._deps.db.begin() as session:
            row = await backups.of_job(session, call.job_id, mailbox)
        async with mailboxes(self._deps, held.mail, call.job_id, "end_mailbox") as (adapter, say):
            if row is not None:
                _compare(row, await adapter.back_up(mailbox.email, held.owner, str(row.id)))
            # What is not in an archive, a mail that came at the last moment, is moved aside by `remove`, never deleted.
            await say((await adapter.remove(mailbox.email, held.owner)).text)
            await say((await adapter.remove_domain(held.name, held.owner)).text)

    async def _load(self, call: JobCall) -> Delivery:
        async with self._deps.db.begin() as session:
            return await delivery.load(session, call.subscription_id)


async def _only_if_absent(there: Visit, held: Delivery) -> None:
    """An earlier run may have removed it, with a backup of its own; anything that is left has none."""
    try:
        await there.log.say(await removal.prove_absent(there.host, account_of(held)))
    except StillPresent as left:
        raise _no_backup(f"there is no whole last backup of the site, so it stays: {left.message}") from None


def _compare(row: BackupJob, found: Archive | None) -> None:
    if row.status != "SUCCESS" or found is None or found.sha256 != row.sha256:
        raise _no_backup("there is no whole last backup of the mailbox, so it stays")


def _no_backup(message: str) -> ApplicationError:
    return ApplicationError(message, type=Trouble.CONFLICT, non_retryable=True)
