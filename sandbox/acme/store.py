"""Accounts, orders, authorizations and certificates as JSON documents in one SQLite file: a restart keeps them."""

from __future__ import annotations

import json
import secrets
import sqlite3
from pathlib import Path
from typing import Any

SCHEMA = "create table if not exists documents (kind text, id text, body text not null, primary key (kind, id))"


class Store:
    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = normal")
        self._db.execute(SCHEMA)

    def close(self) -> None:
        self._db.close()

    def get(self, kind: str, id_: str) -> dict[str, Any] | None:
        row = self._db.execute("select body from documents where kind = ? and id = ?", (kind, id_)).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, kind: str, document: dict[str, Any]) -> dict[str, Any]:
        """Write a document under its member `id`, which is given out here when it has none."""
        document.setdefault("id", secrets.token_urlsafe(16))
        self._db.execute(
            "insert into documents values (?, ?, ?) on conflict (kind, id) do update set body = excluded.body",
            (kind, document["id"], json.dumps(document)),
        )
        return document
