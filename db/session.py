"""Engine and sessions. One engine per process, made at start and disposed at the end; nobody else opens connections."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine


class Database:
    """The pool and its unit of work: `async with db.begin() as session:` commits at the end or rolls back."""

    def __init__(self, url: str, *, pool_min: int = 5, pool_max: int = 20) -> None:
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_size=pool_min,
            max_overflow=max(0, pool_max - pool_min),
            pool_pre_ping=True,
            pool_timeout=10,
        )
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncSession]:
        async with self._sessions() as session, session.begin():
            yield session

    async def close(self) -> None:
        await self.engine.dispose()
