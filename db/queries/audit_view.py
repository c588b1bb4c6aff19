"""The audit log as it is read: filtered, newest first, a page at a time. Read only."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import AuditEntry, User


@dataclass(frozen=True)
class AuditFilter:
    actor: str | None = None
    action: str | None = None
    target_type: str | None = None
    target_id: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def name_of(session: AsyncSession, who: str) -> str:
    """The name under which a user's acts are written down: `who` may be that name, or the id of somebody who may have
    been deleted since."""
    try:
        user_id = uuid.UUID(who)
    except ValueError:
        return who
    user = await session.get(User, user_id)
    if user is not None:
        return user.username
    last_seen = (
        select(AuditEntry.details["username"].astext)
        .where(AuditEntry.target_id == str(user_id), AuditEntry.action == "user.delete", AuditEntry.outcome == "ok")
        .limit(1)
    )
    return (await session.execute(last_seen)).scalar_one_or_none() or who


async def entries(
    session: AsyncSession, wanted: AuditFilter, *, offset: int, limit: int
) -> tuple[int, list[AuditEntry]]:
    """(how many match, one page of them, newest first)."""
    query = _matching(wanted)
    total = (await session.execute(select(func.count()).select_from(query.subquery()))).scalar_one()
    page = query.order_by(AuditEntry.at.desc(), AuditEntry.id.desc()).offset(offset).limit(limit)
    return total, list((await session.execute(page)).scalars())


def _matching(wanted: AuditFilter) -> Select[AuditEntry]:
    query = select(AuditEntry)
    for column in ("actor", "action", "target_type", "target_id", "outcome"):
        value = getattr(wanted, column)
        if value is not None:
            query = query.where(getattr(AuditEntry, column) == value)
    if wanted.since is not None:
        query = query.where(AuditEntry.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(AuditEntry.at <= wanted.until)
    return query
