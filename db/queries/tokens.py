"""Refresh tokens, by hash: issued, spent once, revoked by family (X05). Knows nothing of HTTP."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import new_id
from db.models import RefreshToken, User

# Two tabs of one browser may renew at the same moment. A token spent that recently is refused without ending the
# session; nothing is issued for it either way.
TWIN_SECONDS = 10


class Refusal(Enum):
    UNKNOWN = "unknown"
    ENDED = "ended"  # expired, revoked, or its user is not active
    TWIN = "twin"  # spent a moment ago
    REUSED = "reused"  # spent before: the family has just been revoked


@dataclass(frozen=True)
class Renewed:
    token: str
    user: User
    family_id: uuid.UUID


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


async def issue(session: AsyncSession, user_id: uuid.UUID, family_id: uuid.UUID, lifetime: timedelta) -> str:
    """A new token of the family: 256 bits, shown to the caller once."""
    token = secrets.token_urlsafe(32)
    session.add(
        RefreshToken(id=new_id(), family_id=family_id, user_id=user_id, token_hash=digest(token),
                     expires_at=datetime.now(UTC) + lifetime)
    )  # fmt: skip
    await session.flush()
    return token


async def renew(session: AsyncSession, token: str, lifetime: timedelta) -> Renewed | tuple[Refusal, uuid.UUID | None]:
    """Spend a token and issue its successor, or say why not (with the user it belonged to, for the audit)."""
    now = datetime.now(UTC)
    query = select(RefreshToken).where(RefreshToken.token_hash == digest(token)).with_for_update()
    row = (await session.execute(query)).scalar_one_or_none()
    if row is None:
        return Refusal.UNKNOWN, None
    if row.revoked_at is not None or row.expires_at <= now:
        return Refusal.ENDED, row.user_id
    if row.spent_at is not None:
        if now - row.spent_at < timedelta(seconds=TWIN_SECONDS):
            return Refusal.TWIN, row.user_id
        await revoke_family(session, row.family_id)
        return Refusal.REUSED, row.user_id
    user = await session.get_one(User, row.user_id)
    if not user.is_active:
        return Refusal.ENDED, row.user_id
    row.spent_at = now
    return Renewed(await issue(session, row.user_id, row.family_id, lifetime), user, row.family_id)


async def revoke_family(session: AsyncSession, family_id: uuid.UUID) -> None:
    await session.execute(
        update(RefreshToken)
        .where(RefreshToken.family_id == family_id, RefreshToken.revoked_at.is_(None))
        .values(revoked_at=datetime.now(UTC))
    )


async def revoke_other_families(session: AsyncSession, user_id: uuid.UUID, kept: uuid.UUID) -> None:
    """After a password change every other session of the user ends."""
    await session.execute(
        update(RefreshToken)
        .where(RefreshToken.user_id == user_id, RefreshToken.family_id != kept, RefreshToken.revoked_at.is_(None))
        .values(revoked_at=datetime.now(UTC))
    )


async def forget_expired(session: AsyncSession, user_id: uuid.UUID) -> None:
    """Tokens that ended a day ago prove nothing any more; called at sign-in so that the table stays small."""
    await session.execute(
        delete(RefreshToken).where(
            RefreshToken.user_id == user_id, RefreshToken.expires_at < datetime.now(UTC) - timedelta(days=1)
        )
    )


async def revoke_all(session: AsyncSession, user_id: uuid.UUID) -> None:
    """Every session of the user ends."""
    await session.execute(
        update(RefreshToken)
        .where(RefreshToken.user_id == user_id, RefreshToken.revoked_at.is_(None))
        .values(revoked_at=datetime.now(UTC))
    )
