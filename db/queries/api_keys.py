"""Keys of machines, as rows: only the hash of a key is kept, and a revoked one stays for the record."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import new_id
from db.models_jobs import ApiKey
from db.models_sales import Tenant

PREFIX = "slw_"
HINT = 12  # characters that are kept in clear; 43 follow the prefix
NAME_LOCK = 7466902
USED_EVERY = timedelta(minutes=1)


class NameTaken(Exception):
    """A key that is not revoked is called so: the audit log knows keys by their names."""


class NoTenant(Exception):
    pass


def digest(key: str) -> str:
    """Plain SHA-256: a key is 256 random bits, so there is nothing to guess."""
    return hashlib.sha256(key.encode()).hexdigest()


async def create(session: AsyncSession, *, tenant_id: uuid.UUID | None, **columns: object) -> tuple[ApiKey, str]:
    """(row, the key in clear, which nobody can read ever again)."""
    await session.execute(select(func.pg_advisory_xact_lock(NAME_LOCK)))
    named = select(ApiKey.id).where(ApiKey.name == columns["name"], ApiKey.revoked_at.is_(None)).limit(1)
    if (await session.execute(named)).first() is not None:
        raise NameTaken
    if tenant_id is not None and await session.get(Tenant, tenant_id) is None:
        raise NoTenant
    key = PREFIX + secrets.token_urlsafe(32)
    row = ApiKey(id=new_id(), key_hash=digest(key), hint=key[:HINT], tenant_id=tenant_id, **columns)
    session.add(row)
    await session.flush()
    await session.refresh(row)
    return row, key


async def page(session: AsyncSession, *, offset: int, limit: int) -> tuple[int, list[ApiKey]]:
    """(how many there are, one page, the newest first)."""
    total = (await session.execute(select(func.count()).select_from(ApiKey))).scalar_one()
    rows = select(ApiKey).order_by(ApiKey.created_at.desc(), ApiKey.id.desc()).offset(offset).limit(limit)
    return total, list((await session.execute(rows)).scalars())


async def revoke(session: AsyncSession, key_id: uuid.UUID) -> ApiKey | None:
    """None where there is none; the first revocation's time stays."""
    row = await session.get(ApiKey, key_id, with_for_update=True)
    if row is not None and row.revoked_at is None:
        row.revoked_at = (await session.execute(select(func.now()))).scalar_one()
    return row


async def holder_of(session: AsyncSession, key: str, now: datetime) -> ApiKey | None:
    """The living row of a key. That it was used is noted once a minute: a read must not cost a write each time."""
    hashed = digest(key)
    row = (await session.execute(select(ApiKey).where(ApiKey.key_hash == hashed))).scalar_one_or_none()
    if row is None or not hmac.compare_digest(row.key_hash, hashed):
        return None
    if row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now):
        return None
    if row.last_used_at is None or row.last_used_at <= now - USED_EVERY:
        stale = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at <= now - USED_EVERY)
        await session.execute(
            update(ApiKey)
            .where(ApiKey.id == row.id, stale)
            .values(last_used_at=now)
            .execution_options(synchronize_session=False)
        )
    return row
