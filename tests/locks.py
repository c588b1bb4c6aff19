"""Who waits for whom in the database, as it tells itself."""

from __future__ import annotations

import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


async def waiting(session: AsyncSession, count: int) -> bool:
    """Whether so many come to wait for an advisory lock of this database."""
    held_up = text("select count(*) from pg_locks join pg_database d on d.oid = database "
                   "where locktype = 'advisory' and not granted and d.datname = current_database()")  # fmt: skip
    for _ in range(200):
        if (await session.execute(held_up)).scalar_one() == count:
            return True
        await asyncio.sleep(0.05)
    return False
