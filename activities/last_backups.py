"""Last backups: put away and read back before anything is removed, deleted when their time is over.

The rule of this file: a row is SUCCESS only with the size and the checksum that were read from the place it names.
"""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime

from temporalio import activity

from activities._context import Deps
from activities._errors import mapped
from activities._heartbeat import beating
from activities._house import visit
from activities._log import Lines
from activities._mailboxes import mailboxes
from activities.hosting import account_of
from db.queries import backups, delivery
from db.queries.backups import Copy
from db.queries.delivery import Delivery
from domain.fulfilment import JobCall
from domain.journal import SubjectKind
from domain.sales import KEPT_LAST_BACKUP
from providers.errors import NotFound
from providers.hosting import backups as archives


class LastBackupActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @activity.defn
    @mapped
    async def back_up_site(self, call: JobCall) -> None:
        """Pack the site's content on its server and read the archive back.

        Effect: an archive that only root may read; a row with its size, checksum, place and end.
        Idempotency: the archive is called by its row, which is the job's; one that is there is read again.
        Undo: none; it is kept until its time is over.
        Heartbeat: while at work.
        """
        held = await self._load(call)
        account = held.living_account
        if account is None:
            return
        async with self._deps.db.begin() as session:
            row = await backups.opened(session, call.job_id, account)
            earlier = await backups.last_of(session, account)
        async with visit(self._deps, held.site[1], call.job_id, "back_up_site") as there:
            known = account_of(held)
            try:
                await archives.back_up(there.host, known, str(row.id), there.log.say)
            except NotFound:
                # An earlier run had begun to remove it: what it has backed up is what there is.
                if earlier is None:
                    raise
                await self._nothing(row.id)
                await there.log.say(f"The account is gone; its backup of {earlier.ended_at} is kept")
                return
            made = await archives.verify(there.host, known, str(row.id), there.log.say)
        copy = Copy(f"ssh:{held.site[1].hostname}{made.path}", made.size, made.sha256)
        await self._succeeded(row.id, copy)

    @activity.defn
    @mapped
    async def back_up_mail(self, call: JobCall) -> None:
        """Pack the mailbox's mail on its server and read the archive back.

        Effect: an archive that only root may read; a row with its size, checksum, place and end. None of both where no
            mail was ever delivered, or mailboxes are records only.
        Idempotency: the archive is called by its row, which is the job's; one that is there is read again.
        Undo: none; it is kept until its time is over.
        Heartbeat: while at work.
        """
        held = await self._load(call)
        mailbox = held.living_mailbox
        if mailbox is None:
            return
        async with self._deps.db.begin() as session:
            row = await backups.opened(session, call.job_id, mailbox)
        async with mailboxes(self._deps, held.mail, call.job_id, "back_up_mail") as (adapter, say):
            made = await adapter.back_up(mailbox.email, held.owner, str(row.id))
            if made is None or held.mail is None:
                await self._nothing(row.id)
                await say(f"Mailbox {mailbox.email}: it holds no mail")
                return
            await say(f"Mailbox {mailbox.email}: {made.size} bytes put away and read back, SHA-256 {made.sha256}")
        await self._succeeded(row.id, Copy(f"ssh:{held.mail.hostname}{made.path}", made.size, made.sha256))

    @activity.defn
    @mapped
    async def export_zone(self, call: JobCall) -> None:
        """Keep a copy of the zone as text. Names of the platform's zone have nothing that a row does not know.

        Effect: a row that holds the zone file.
        Idempotency: the row is the job's, and keeps the first text.
        Undo: none; it is kept until its time is over.
        Heartbeat: while the name server is spoken to.
        """
        held = await self._load(call)
        zone = held.living_zone
        if zone is None:
            return
        async with Lines(self._deps, call.job_id, "export_zone", kind=SubjectKind.JOB) as log, beating():
            try:
                text = await self._deps.dns.zones.export(zone.zone_name)
            except NotFound:
                await log.say(f"Zone {zone.zone_name}: already absent")
                return
            async with self._deps.db.begin() as session:
                row = await backups.opened(session, call.job_id, zone)
                data = text.encode()
                copy = Copy(f"row:backup_jobs/{row.id}", len(data), hashlib.sha256(data).hexdigest(), text)
                await backups.succeeded(session, row.id, copy, datetime.now(UTC) + KEPT_LAST_BACKUP)
            await log.say(f"Zone {zone.zone_name}: {len(data)} bytes put away")

    # ---- parts

    async def _load(self, call: JobCall) -> Delivery:
        async with self._deps.db.begin() as session:
            return await delivery.load(session, call.subscription_id)

    async def _succeeded(self, backup_id: uuid.UUID, copy: Copy) -> None:
        async with self._deps.db.begin() as session:
            await backups.succeeded(session, backup_id, copy, datetime.now(UTC) + KEPT_LAST_BACKUP)

    async def _nothing(self, backup_id: uuid.UUID) -> None:
        async with self._deps.db.begin() as session:
            await backups.nothing_there(session, backup_id)
