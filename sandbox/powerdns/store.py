"""Zones, records and comments in one SQLite file, so that a killed server finds everything again.

Only statements; which change is allowed is decided in changes.py. One connection, used from one event loop.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

SCHEMA = """
create table if not exists zones (
  name text primary key, kind text not null, account text not null default '', soa_edit_api text not null,
  masters text not null default '[]', notified integer not null default 0);
create table if not exists records (
  zone text not null references zones(name) on delete cascade, name text not null, type text not null,
  content text not null, ttl integer not null, disabled integer not null default 0);
create index if not exists records_by_name on records (zone, name, type);
create table if not exists comments (
  zone text not null references zones(name) on delete cascade, name text not null, type text not null,
  account text not null, content text not null, modified_at integer not null);
"""


class Zone(NamedTuple):
    name: str
    kind: str
    account: str
    soa_edit_api: str
    masters: list[str]
    notified: int


class Record(NamedTuple):
    name: str
    type: str
    content: str
    ttl: int
    disabled: bool = False


class Comment(NamedTuple):
    name: str
    type: str
    account: str
    content: str
    modified_at: int


class Store:
    def __init__(self, path: Path | str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = normal")
        self._db.execute("pragma foreign_keys = on")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        """All or nothing."""
        self._db.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")

    # ---- zones

    def zones(self) -> list[Zone]:
        return [self._zone(row) for row in self._db.execute("select * from zones order by name")]

    def zone(self, name: str) -> Zone | None:
        row = self._db.execute("select * from zones where name = ?", (name,)).fetchone()
        return self._zone(row) if row else None

    @staticmethod
    def _zone(row: tuple[str, str, str, str, str, int]) -> Zone:
        return Zone(row[0], row[1], row[2], row[3], json.loads(row[4]), row[5])

    def put_zone(self, zone: Zone) -> None:
        self._db.execute(
            "insert into zones values (?, ?, ?, ?, ?, ?) on conflict (name) do update set kind = excluded.kind,"
            " account = excluded.account, soa_edit_api = excluded.soa_edit_api, masters = excluded.masters,"
            " notified = excluded.notified",
            (zone.name, zone.kind, zone.account, zone.soa_edit_api, json.dumps(zone.masters), zone.notified),
        )

    def drop_zone(self, name: str) -> None:
        self._db.execute("delete from zones where name = ?", (name,))

    # ---- records

    def records(self, zone: str, name: str | None = None, type_: str | None = None) -> list[Record]:
        rows = self._db.execute(
            "select name, type, content, ttl, disabled from records where zone = ?1 and (?2 is null or name = ?2)"
            " and (?3 is null or type = ?3) order by name, type <> 'SOA', type, rowid",
            (zone, name, type_),
        )
        return [Record(row[0], row[1], row[2], row[3], bool(row[4])) for row in rows]

    def below(self, zone: str, name: str) -> bool:
        """Whether something enabled stands under `name` (an empty non-terminal exists)."""
        row = self._db.execute(
            "select 1 from records where zone = ? and not disabled and substr(name, ?) = ? limit 1",
            (zone, -(len(name) + 1), f".{name}"),
        ).fetchone()
        return row is not None

    def replace_records(self, zone: str, name: str, type_: str, records: list[Record]) -> None:
        self._db.execute("delete from records where zone = ? and name = ? and type = ?", (zone, name, type_))
        self._db.executemany(
            "insert into records values (?, ?, ?, ?, ?, ?)",
            [(zone, r.name, r.type, r.content, r.ttl, int(r.disabled)) for r in records],
        )

    # ---- comments

    def comments(self, zone: str) -> list[Comment]:
        rows = self._db.execute(
            "select name, type, account, content, modified_at from comments where zone = ? order by rowid", (zone,)
        )
        return [Comment(*row) for row in rows]

    def replace_comments(self, zone: str, name: str, type_: str, comments: list[Comment]) -> None:
        self._db.execute("delete from comments where zone = ? and name = ? and type = ?", (zone, name, type_))
        self._db.executemany("insert into comments values (?, ?, ?, ?, ?, ?)", [(zone, *c) for c in comments])
