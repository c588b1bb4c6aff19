"""The memory of a sandbox cloud: one SQLite file of records that outlives a SIGKILL at any moment.

A transaction is either whole or never was; that is all the emulator needs of a database.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

T = TypeVar("T", bound=BaseModel)

SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, key TEXT NOT NULL, doc TEXT NOT NULL, UNIQUE (kind, key)
);
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""


class Store:
    """Records by their class and key, listed in the order in which they were first put."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        # WAL keeps every committed transaction when the process is killed; only a power cut could lose the newest.
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(SCHEMA)
        self._depth = 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything put inside becomes true at once, or nothing does. May be nested; no await inside."""
        if self._depth:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        self._depth = 1
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        else:
            self._db.execute("COMMIT")
        finally:
            self._depth = 0

    def put(self, key: str, record: BaseModel) -> None:
        self._db.execute(
            "INSERT INTO records (kind, key, doc) VALUES (?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET doc = "
            "excluded.doc",
            (type(record).__name__, key, record.model_dump_json()),
        )

    def get(self, kind: type[T], key: str) -> T | None:
        row = self._db.execute("SELECT doc FROM records WHERE kind = ? AND key = ?", (kind.__name__, key)).fetchone()
        return kind.model_validate_json(row[0]) if row else None

    def all(self, kind: type[T]) -> list[T]:
        rows = self._db.execute("SELECT doc FROM records WHERE kind = ? ORDER BY seq", (kind.__name__,))
        return [kind.model_validate_json(doc) for (doc,) in rows]

    def delete(self, kind: type[BaseModel], key: str) -> None:
        self._db.execute("DELETE FROM records WHERE kind = ? AND key = ?", (kind.__name__, key))

    def next(self, counter: str) -> int:
        """1, 2, 3, …; a number is never given twice, also when what it named is gone."""
        row = self._db.execute(
            "INSERT INTO counters VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
            (counter,),
        ).fetchone()
        return int(row[0])

    def close(self) -> None:
        self._db.close()
