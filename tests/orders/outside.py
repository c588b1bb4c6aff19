"""The web and mail servers and the CA, as a ledger: what was made, for whom, and who asked for something twice.

Its own SQLite file, so that it outlives every worker. A second maker of one thing is written down, not hidden.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio import activity

from activities._context import Deps
from db.queries import delivery
from domain.fulfilment import JobCall, SiteCsr
from domain.provisioning import CertificateIssued

SCHEMA = """
create table if not exists things (kind text, name text, owner text, primary key (kind, name));
create table if not exists strangers (kind text, name text, owner text, asked text);
"""


def opened(path: Path) -> sqlite3.Connection:
    ledger = sqlite3.connect(path, timeout=60, isolation_level=None)
    ledger.execute("pragma journal_mode=wal")
    ledger.executescript(SCHEMA)
    return ledger


class Outside:
    def __init__(self, deps: Deps, path: Path) -> None:
        self._deps = deps
        self._path = path

    async def _make(self, kind: str, name: str, owner: str) -> None:
        await asyncio.to_thread(self._write, kind, name, owner)

    def _write(self, kind: str, name: str, owner: str) -> None:
        ledger = opened(self._path)
        try:
            ledger.execute("begin immediate")
            found = ledger.execute("select owner from things where kind = ? and name = ?", (kind, name)).fetchone()
            if found is None:
                ledger.execute("insert into things values (?, ?, ?)", (kind, name, owner))
            elif found[0] != owner:
                ledger.execute("insert into strangers values (?, ?, ?, ?)", (kind, name, found[0], owner))
            ledger.execute("commit")
        finally:
            ledger.close()

    async def _held(self, call: JobCall | SiteCsr) -> delivery.Delivery:
        async with self._deps.db.begin() as session:
            return await delivery.load(session, call.subscription_id)

    @activity.defn
    async def create_account(self, call: JobCall) -> None:
        held = await self._held(call)
        await self._make("account", held.site[0].system_user, held.owner)

    @activity.defn
    async def create_site(self, call: JobCall) -> None:
        held = await self._held(call)
        for name in held.names:
            await self._make("site", name, held.owner)

    @activity.defn
    async def create_mailbox(self, call: JobCall) -> None:
        held = await self._held(call)
        assert held.mailbox is not None
        await self._make("mailbox", held.mailbox.email, held.owner)

    @activity.defn
    async def make_site_csr(self, call: JobCall) -> SiteCsr:
        return SiteCsr(job_id=call.job_id, subscription_id=call.subscription_id, csr_pem="CSR", inputs=call.inputs)

    @activity.defn
    async def configure_site_tls(self, call: JobCall) -> None:
        held = await self._held(call)
        await self._make("tls", held.name, held.owner)

    @activity.defn
    async def issue_site_certificate(self, call: SiteCsr) -> CertificateIssued:
        held = await self._held(call)
        await self._make("certificate", held.name, held.owner)
        return CertificateIssued(certificate_id="c", serial="1", not_after=datetime.now(UTC) + timedelta(days=90))

    @activity.defn
    async def check_site(self, call: JobCall) -> None:
        await self._held(call)

    def replaced(self, activities: list[Callable[..., Any]]) -> list[Callable[..., Any]]:
        """The product's activities, those of this class in the place of their namesakes."""
        return [getattr(self, made.__name__, made) for made in activities]
