"""Hashes of passwords on their way to a server: encrypted rows that a job's id names, destroyed when they were set."""

from __future__ import annotations

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession

from db import secrets
from db.keyring import KeyRing


async def keep(session: AsyncSession, keys: KeyRing, job_id: str, hashed: str) -> None:
    await secrets.ensure(session, keys, _purpose(job_id), lambda: hashed)


async def read(session: AsyncSession, keys: KeyRing, job_id: str) -> SecretStr | None:
    """None where there was none, or it was destroyed."""
    found = await secrets.read(session, keys, _purpose(job_id))
    return SecretStr(found) if found is not None else None


async def forget(session: AsyncSession, job_id: str) -> None:
    await secrets.destroy_global(session, _purpose(job_id))


def _purpose(job_id: str) -> str:
    return f"job:{job_id}"
