"""How lists of offers were answered: counted in this process, written down every few seconds.

A write for each read would cost more than the read. A process that is killed takes the counts of some seconds with it.
"""

from __future__ import annotations

import time
from collections import Counter
from enum import StrEnum

from sqlalchemy.exc import SQLAlchemyError

from db.queries.offers import add_counts
from db.session import Database

EVERY_SECONDS = 5.0


class Read(StrEnum):
    HIT = "hits"
    MISS = "misses"  # its cloud was asked
    STALE_HIT = "stale_hits"  # its cloud could not be asked


class OfferReads:
    def __init__(self) -> None:
        self._counts: dict[str, Counter[Read]] = {}
        self._written_at = time.monotonic()

    def add(self, key: str, read: Read) -> None:
        self._counts.setdefault(key, Counter())[read] += 1

    async def write_if_due(self, db: Database) -> None:
        if time.monotonic() - self._written_at >= EVERY_SECONDS:
            await self.write(db)

    async def write(self, db: Database) -> None:
        """Counts that cannot be written now are kept for the next time."""
        self._written_at = time.monotonic()
        counts, self._counts = self._counts, {}
        while counts:
            key, reads = counts.popitem()
            try:
                async with db.begin() as session:  # one row at a time: nobody waits for two in another order
                    await add_counts(
                        session, key, hits=reads[Read.HIT], misses=reads[Read.MISS], stale_hits=reads[Read.STALE_HIT]
                    )
            except (SQLAlchemyError, OSError):
                for left, kept in (*counts.items(), (key, reads)):
                    self._counts.setdefault(left, Counter()).update(kept)
                return
