"""Links that work once: kept by the hash of their token, issued to one user for one purpose."""

from __future__ import annotations

import secrets
import uuid
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import new_id
from db.models_mail import OneTimeLink
from db.queries.tokens import digest


async def issue(session: AsyncSession, user_id: uuid.UUID, purpose: str, lifetime: timedelta) -> str:
    """A new token of 256 bits; older links of that user and purpose end. It is in no row: keep it now or never."""
    await end(session, user_id, purpose)
    token = secrets.token_urlsafe(32)
    session.add(OneTimeLink(id=new_id(), user_id=user_id, purpose=purpose, token_hash=digest(token),
                            expires_at=datetime.now(UTC) + lifetime))  # fmt: skip
    await session.flush()
    return token


async def issued_since(session: AsyncSession, user_id: uuid.UUID, purpose: str, since: datetime) -> int:
    query = select(func.count()).where(
        OneTimeLink.user_id == user_id, OneTimeLink.purpose == purpose, OneTimeLink.created_at > since)  # fmt: skip
    return (await session.execute(query)).scalar_one()


async def end(session: AsyncSession, user_id: uuid.UUID, purpose: str) -> None:
    """Unused links of that user and purpose work no more."""
    now = datetime.now(UTC)
    await session.execute(
        update(OneTimeLink)
        .where(OneTimeLink.user_id == user_id, OneTimeLink.purpose == purpose, OneTimeLink.used_at.is_(None),
               OneTimeLink.expires_at > now)
        .values(expires_at=now)
    )  # fmt: skip


async def use(session: AsyncSession, token: str, purpose: str) -> uuid.UUID | None:
    """Spend a token: whose it was. None where it is unknown, expired or spent; of two at once, one gets it."""
    now = datetime.now(UTC)
    spent = await session.execute(
        update(OneTimeLink)
        .where(OneTimeLink.token_hash == digest(token), OneTimeLink.purpose == purpose,
               OneTimeLink.used_at.is_(None), OneTimeLink.expires_at > now)
        .values(used_at=now)
        .returning(OneTimeLink.user_id)
    )  # fmt: skip
    return spent.scalar_one_or_none()
