"""Reads that are polled: raw psycopg on autocommit connections, prepared by the server, no ORM and no transaction.

A status page asked every few seconds by many portals costs one statement here (measured twice as fast as SQLAlchemy).
Knows the connection string and nothing of the tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString

from psycopg import OperationalError
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

Row = dict[str, Any]
Params = Sequence[object] | dict[str, object]


class Reader:
    """`one` and `all` of a statement. psycopg_pool.PoolTimeout when `timeout` seconds bring no connection."""

    def __init__(self, dsn: str, *, size: int = 10, timeout: float = 5) -> None:
        self._pool = AsyncConnectionPool(
            dsn,
            min_size=1,
            max_size=size,
            timeout=timeout,
            open=False,
            name="slipway-reader",
            # The second use of a statement prepares it; every timestamp comes back in UTC.
            kwargs={
                "autocommit": True,
                "prepare_threshold": 1,
                "row_factory": dict_row,
                "options": "-c timezone=UTC",
                "application_name": "slipway-reader",
            },
        )

    async def open(self) -> None:
        """Returns at once; connections are made in the background, so a missing database does not stop the start."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        await self._pool.close()

    async def all(self, sql: LiteralString, params: Params = ()) -> list[Row]:
        try:
            return await self._fetch(sql, params)
        except PoolTimeout:
            raise
        except OperationalError:
            # After a restart of the server the pool's idle connections are dead; a second one is fresh.
            await self._pool.check()
            return await self._fetch(sql, params)

    async def one(self, sql: LiteralString, params: Params = ()) -> Row | None:
        rows = await self.all(sql, params)
        return rows[0] if rows else None

    async def _fetch(self, sql: LiteralString, params: Params) -> list[Row]:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(sql, params)
            return await cursor.fetchall()  # type: ignore[return-value]
