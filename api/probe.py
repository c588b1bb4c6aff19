"""Whether the parts behind the API answer: one look a second, however many load balancers ask."""

from __future__ import annotations

import asyncio
import time

from psycopg import Error as PsycopgError

from api.temporal_link import TemporalLink
from db.queries.reading import Reader

FRESH_SECONDS = 1.0
PATIENCE_SECONDS = 2.5


class Probe:
    def __init__(self, reader: Reader, temporal: TemporalLink) -> None:
        self._reader = reader
        self._temporal = temporal
        self._lock = asyncio.Lock()
        self._looked_at = 0.0
        self._seen: dict[str, bool] = {}

    async def components(self) -> dict[str, bool]:
        """{"database": answers, "temporal": answers}"""
        async with self._lock:
            if not self._seen or time.monotonic() - self._looked_at > FRESH_SECONDS:
                database, temporal = await asyncio.gather(self._database(), self._engine())
                self._seen = {"database": database, "temporal": temporal}
                self._looked_at = time.monotonic()
            return dict(self._seen)

    async def _database(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._reader.one("select 1 as one") is not None
        except (PsycopgError, OSError, TimeoutError):
            return False

    async def _engine(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._temporal.healthy()
        except TimeoutError:
            return False
