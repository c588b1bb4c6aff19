"""Secrets as rows: made once per owner and purpose, read by the activity that needs them, shown once, destroyed."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import new_id
from db.keyring import KeyRing
from db.models import Secret


class SecretMissing(LookupError):
    """No such secret, or it has been destroyed."""


def context_of(secret_id: uuid.UUID) -> str:
    """The place a value is bound to (db/keyring.py)."""
    return f"secrets/{secret_id}"


async def ensure(
    session: AsyncSession,
    keys: KeyRing,
    purpose: str,
    make: Callable[[], str],
    *,
    deployment_id: uuid.UUID | None = None,
    vps_id: uuid.UUID | None = None,
    expires_at: datetime | None = None,
) -> str:
    """The owner's value for `purpose`, generated on first use only: a retry gets the same one (X39)."""
    found = await read(session, keys, purpose, deployment_id=deployment_id, vps_id=vps_id)
    if found is not None:
        return found
    row_id, value = new_id(), make()
    key_id, blob = keys.encrypt(value.encode(), context=context_of(row_id))
    made = await session.execute(
        insert(Secret)
        .values(id=row_id, purpose=purpose, key_id=key_id, ciphertext=blob, deployment_id=deployment_id,
                vps_id=vps_id, expires_at=expires_at)
        .on_conflict_do_nothing()
        .returning(Secret.id)
    )  # fmt: skip
    if made.scalar_one_or_none() is not None:
        return value
    stored = await read(session, keys, purpose, deployment_id=deployment_id, vps_id=vps_id)
    if stored is None:
        raise SecretMissing(purpose)
    return stored


async def read(
    session: AsyncSession,
    keys: KeyRing,
    purpose: str,
    *,
    deployment_id: uuid.UUID | None = None,
    vps_id: uuid.UUID | None = None,
) -> str | None:
    row = await row_of(session, purpose, deployment_id=deployment_id, vps_id=vps_id)
    if row is None or row.ciphertext is None:
        return None
    return keys.decrypt(row.key_id, row.ciphertext, context=context_of(row.id)).decode()


async def row_of(
    session: AsyncSession,
    purpose: str,
    *,
    deployment_id: uuid.UUID | None = None,
    vps_id: uuid.UUID | None = None,
    lock: bool = False,
) -> Secret | None:
    # `== None` is `is null`: with "is not distinct from" the partial indexes of the owners would not be used.
    query = select(Secret).where(
        Secret.purpose == purpose, Secret.deployment_id == deployment_id, Secret.vps_id == vps_id)  # fmt: skip
    return (await session.execute(query.with_for_update() if lock else query)).scalar_one_or_none()


async def destroy(
    session: AsyncSession,
    *,
    deployment_id: uuid.UUID | None = None,
    vps_id: uuid.UUID | None = None,
    purpose: str | None = None,
) -> None:
    """Empty the ciphertext and keep the row: that a secret existed, and when it was shown, stays known."""
    if deployment_id is None and vps_id is None:
        raise ValueError("destroy() needs an owner")
    query = update(Secret).values(ciphertext=None).where(
        Secret.deployment_id == deployment_id if deployment_id is not None else Secret.vps_id == vps_id)  # fmt: skip
    await session.execute(query if purpose is None else query.where(Secret.purpose == purpose))


async def destroy_global(session: AsyncSession, purpose: str) -> None:
    """The same for one that has no owner and is found by its purpose alone."""
    await session.execute(
        update(Secret)
        .where(Secret.purpose == purpose, Secret.deployment_id.is_(None), Secret.vps_id.is_(None))
        .values(ciphertext=None)
    )
