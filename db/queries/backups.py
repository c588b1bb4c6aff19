"""Last backups as rows (R161): opened before anything is packed, SUCCESS once read back, EXPIRED when deleted."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import new_id
from db.models_hosting import BackupJob, DnsZone, HostingAccount, MailAccount

LAST = "last"
Kept = HostingAccount | MailAccount | DnsZone
_COLUMNS = {HostingAccount: "hosting_account_id", MailAccount: "mail_account_id", DnsZone: "dns_zone_id"}


@dataclass(frozen=True)
class Copy:
    """What was read back. `where` is scheme:path; `content` is what has no other place than the row."""

    where: str
    size: int
    sha256: str
    content: str | None = None


async def opened(session: AsyncSession, job_id: str, what: Kept) -> BackupJob:
    """The job's row for what is backed up, made where there is none. Its id is the archive's name on a server."""
    row = await of_job(session, job_id, what)
    if row is None:
        row = BackupJob(id=new_id(), subscription_id=what.subscription_id, job_id=uuid.UUID(job_id), reason=LAST,
                        **{_COLUMNS[type(what)]: what.id})  # fmt: skip
        session.add(row)
        await session.flush()
    return row


async def of_job(session: AsyncSession, job_id: str, what: Kept) -> BackupJob | None:
    query = select(BackupJob).where(
        BackupJob.job_id == uuid.UUID(job_id), getattr(BackupJob, _COLUMNS[type(what)]) == what.id)  # fmt: skip
    return (await session.execute(query)).scalar_one_or_none()


async def succeeded(session: AsyncSession, backup_id: uuid.UUID, copy: Copy, keep_until: datetime) -> None:
    """Once; a repeat keeps the first end."""
    await session.execute(
        update(BackupJob)
        .where(BackupJob.id == backup_id, BackupJob.status != "SUCCESS")
        .values(status="SUCCESS", size_bytes=copy.size, sha256=copy.sha256, s3_key=copy.where, content=copy.content,
                keep_until=keep_until, ended_at=func.now())
    )  # fmt: skip


async def nothing_there(session: AsyncSession, backup_id: uuid.UUID) -> None:
    """There was nothing to pack: a row would speak of a backup that does not exist."""
    await session.execute(delete(BackupJob).where(BackupJob.id == backup_id, BackupJob.status == "PENDING"))


async def abandoned(session: AsyncSession, job_id: str) -> None:
    """Of a run that was taken back: what it had not finished. What it had is kept until its time is over."""
    await session.execute(
        update(BackupJob)
        .where(BackupJob.job_id == uuid.UUID(job_id), BackupJob.status == "PENDING")
        .values(status="FAILED", ended_at=func.now())
    )


async def last_of(session: AsyncSession, what: Kept) -> BackupJob | None:
    """The newest that is whole, whichever run made it."""
    query = (
        select(BackupJob)
        .where(getattr(BackupJob, _COLUMNS[type(what)]) == what.id, BackupJob.status == "SUCCESS")
        .order_by(BackupJob.id.desc())
        .limit(1)
    )
    return (await session.execute(query)).scalar_one_or_none()


async def kept_until(session: AsyncSession, job_id: str) -> datetime | None:
    """Until when what a job has backed up is kept; None where there was nothing."""
    query = select(func.min(BackupJob.keep_until)).where(
        BackupJob.job_id == uuid.UUID(job_id), BackupJob.status == "SUCCESS")  # fmt: skip
    return (await session.execute(query)).scalar_one_or_none()


# ---- their end ------------------------------------------------------------------------------------------------------


async def over(session: AsyncSession, now: datetime, limit: int) -> list[uuid.UUID]:
    """Subscriptions that have backups whose time is over."""
    query = (
        select(BackupJob.subscription_id)
        .where(BackupJob.status == "SUCCESS", BackupJob.keep_until <= now)
        .group_by(BackupJob.subscription_id)
        .limit(limit)
    )
    return list((await session.execute(query)).scalars())


async def over_of(session: AsyncSession, subscription_id: str, now: datetime) -> list[BackupJob]:
    query = select(BackupJob).where(
        BackupJob.subscription_id == uuid.UUID(subscription_id), BackupJob.status == "SUCCESS",
        BackupJob.keep_until <= now)  # fmt: skip
    return list((await session.execute(query.order_by(BackupJob.id))).scalars())


async def others_kept(session: AsyncSession, row: BackupJob) -> bool:
    """Whether another backup of the same mailbox is still to be kept."""
    query = exists().where(
        BackupJob.mail_account_id == row.mail_account_id, BackupJob.status == "SUCCESS", BackupJob.id != row.id
    )
    return bool((await session.execute(select(query))).scalar_one())


async def expired(session: AsyncSession, backup_id: uuid.UUID) -> None:
    """Deleted where it lay; the row stays."""
    await session.execute(
        update(BackupJob).where(BackupJob.id == backup_id).values(status="EXPIRED", content=None)
    )  # fmt: skip


async def kept_on(session: AsyncSession, server_id: uuid.UUID) -> int:
    """How many backups lie on a server of the house."""
    on_it = HostingAccount.server_id == server_id
    query = (
        select(func.count())
        .select_from(BackupJob)
        .outerjoin(HostingAccount, HostingAccount.id == BackupJob.hosting_account_id)
        .outerjoin(MailAccount, MailAccount.id == BackupJob.mail_account_id)
        .where(BackupJob.status == "SUCCESS", on_it | (MailAccount.server_id == server_id))
    )
    return int((await session.execute(query)).scalar_one())
