"""Backups whose time is over. The rule of this file: one by one and by name, never what another row still keeps."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity

from activities._context import Deps
from activities._errors import mapped
from activities._heartbeat import beating
from activities._house import visit
from activities._log import Lines
from activities._mailboxes import mailboxes
from db.models_hosting import BackupJob, HostingAccount, MailAccount, Server
from db.queries import backups
from domain.fulfilment import JobCall
from domain.journal import SubjectKind
from domain.sales import ServerStatus, ServiceStatus
from providers.hosting import backups as archives
from providers.hosting.account import Account

STEP = "discard_backups"


class DiscardActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @activity.defn
    @mapped
    async def discard_backups(self, call: JobCall) -> None:
        """Delete the subscription's backups whose time is over.

        Effect: archives gone from their servers, rows EXPIRED; the rows stay.
        Idempotency: absent is success.
        Undo: none.
        Heartbeat: while at work.
        """
        async with self._deps.db.begin() as session:
            rows = await backups.over_of(session, call.subscription_id, datetime.now(UTC))
        for row in rows:
            if row.hosting_account_id is not None:
                await self._site(call, row)
            elif row.mail_account_id is not None:
                await self._mail(call, row)
            async with self._deps.db.begin() as session:
                await backups.expired(session, row.id)

    async def _site(self, call: JobCall, row: BackupJob) -> None:
        async with self._deps.db.begin() as session:
            account = await session.get_one(HostingAccount, row.hosting_account_id)
            server = await _server(session, account.server_id)
        if server is None:
            await self._gone(call, row)
            return
        known = Account(account_id=str(account.id), system_user=account.system_user, domains=(account.fqdn,))
        async with visit(self._deps, server, call.job_id, STEP) as there:
            await archives.discard(there.host, known, str(row.id), there.log.say)

    async def _mail(self, call: JobCall, row: BackupJob) -> None:
        async with self._deps.db.begin() as session:
            mailbox = await session.get_one(MailAccount, row.mail_account_id)
            server = await _server(session, mailbox.server_id) if mailbox.server_id else None
            # The rest of an ended mailbox, what lay in it to the last, goes with its last backup.
            whole = mailbox.status == ServiceStatus.REMOVED and not await backups.others_kept(session, row)
        if server is None:
            await self._gone(call, row)
            return
        owner = str(row.subscription_id)
        async with mailboxes(self._deps, server, call.job_id, STEP) as (adapter, say):
            await say((await adapter.discard_archive(mailbox.email, owner, str(row.id))).text)
            if whole:
                await say((await adapter.discard_backup(mailbox.email, owner)).text)

    async def _gone(self, call: JobCall, row: BackupJob) -> None:
        async with Lines(self._deps, call.job_id, STEP, kind=SubjectKind.JOB) as log, beating():
            await log.say(f"{row.s3_key}: went with its server")


async def _server(session: AsyncSession, server_id: object) -> Server | None:
    """None where the house has it no more."""
    server = await session.get(Server, server_id)
    return server if server is not None and server.status != ServerStatus.REMOVED else None
