"""`python -m bench.certificates [ROWS …]`: certificates over 60 virtual days, and what finding the due ones costs.

The sweeps' own queries on a real PostgreSQL with the real policy, and the clock as an argument; what a CA and a run do
is one function that writes the rows which they write. Lives of 45 days, windows of two days around two thirds of it.
Two things are coarser than in production, as both only add more of the same: a sweep each hour and not each minute,
and a question for each window every twenty days and not twice a day (that would be 12 million answers).

Each size lives through its days first, so that the rows of the past lie beside the living ones; then 100 are made due
at once, again and again, and the claim of them is measured, in turns among 1,000 rows and among 100,000.
Exit status 1 where a renewal came outside its window, a certificate ran out, or the cost grew with the rows.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import random
import statistics
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import uvloop
from sqlalchemy import bindparam, func, insert, select, text, update

from bench.stack import database
from db.base import new_id
from db.models import Deployment, Organization
from db.models_certificates import Certificate
from db.queries import certificates
from db.session import Database
from domain.renewal import DEFAULT_RULES, next_poll

SIZES = (1_000, 10_000, 100_000)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
START = datetime(2028, 2, 16, tzinfo=UTC)  # from when on certificates live 45 days
DAYS = 60 * DAY
LIFE = 45 * DAY
STEP = HOUR
RULES = replace(DEFAULT_RULES, poll_every=20 * DAY)
CA = "https://ca.test/dir"
BATCH = 1_000
CHUNK = 5_000  # rows of one insert
ROUNDS, AT_ONCE = 60, 100
MOST = 2.0  # times the cost among the fewest rows
CHAIN_BYTES = 900


@dataclass
class Seen:
    rows: int
    sweeps: int = 0
    renewals: int = 0
    polls: int = 0
    outside: int = 0
    late: int = 0  # only after the certificate had run out
    claiming: float = 0.0  # seconds
    took: float = 0.0
    at_once: list[float] = field(default_factory=list)  # seconds, of AT_ONCE each
    empty: list[float] = field(default_factory=list)

    @property
    def due(self) -> int:
        return self.renewals + self.polls

    @property
    def cost(self) -> float:
        """Milliseconds a due certificate."""
        return quickly(self.at_once) * 1000 / AT_ONCE


def quickly(seconds: list[float]) -> float:
    """The quickest quarter's end: what else the machine does makes rounds longer, and never shorter."""
    return statistics.quantiles(seconds, n=4)[0]


class Fleet:
    def __init__(self, db: Database, owner: uuid.UUID, rows: int) -> None:
        self.db, self.owner, self.chance = db, owner, random.Random(rows)
        self.seen = Seen(rows)

    def values(self, born: datetime, **more: Any) -> dict[str, Any]:
        ref = new_id()
        return {
            "id": ref, "deployment_id": self.owner, "names": [f"{ref.hex}.test"], "serial": ref.hex, "issuer": "CN=CA",
            "not_before": born, "not_after": born + LIFE, "key_sha256": ref.hex, "key_type": "ec-secp256r1",
            "chain_pem": base64.b64encode(self.chance.randbytes(CHAIN_BYTES)).decode(), "directory_url": CA,
            "failures": 0, **more,
        }  # fmt: skip

    async def stock(self) -> None:
        """Of every age up to where they are renewed, never asked about so far."""

        def batches() -> Iterator[list[dict[str, Any]]]:
            for first in range(0, self.seen.rows, CHUNK):
                count = min(CHUNK, self.seen.rows - first)
                yield [self.values(START - LIFE * 0.6 * self.chance.random(), renew_after=START, next_action="poll")
                       for _ in range(count)]  # fmt: skip

        async with self.db.begin() as session:
            for batch in batches():
                await session.execute(insert(Certificate), batch)
        await self.vacuum()

    async def live(self) -> None:
        began, now = time.monotonic(), START
        while now < START + DAYS:
            await self.sweep(now)
            self.seen.sweeps += 1
            now += STEP
        self.seen.took = time.monotonic() - began

    async def sweep(self, now: datetime) -> None:
        while rows := await self.claimed(now, BATCH, polls=False):
            self.seen.renewals += len(rows)
            await self.renew(rows, now)
            if len(rows) < BATCH:
                break
        while rows := await self.claimed(now, BATCH, polls=True):
            self.seen.polls += len(rows)
            await self.poll(rows, now)
            if len(rows) < BATCH:
                break

    async def claimed(self, now: datetime, limit: int, *, polls: bool) -> list[Certificate]:
        began = time.perf_counter()
        async with self.db.begin() as session:
            rows = await certificates.claim_due(session, now, limit, polls=polls, lease=certificates.STARTING)
        self.seen.claiming += time.perf_counter() - began
        return rows

    async def renew(self, rows: list[Certificate], now: datetime) -> None:
        """What a run that went well writes (activities/_issuing.py, renewal_records.py)."""
        async with self.db.begin() as session:
            session.add_all(rows)
            for row in rows:
                if row.window_start is None or row.window_end is None or not row.window_start <= now <= row.window_end:
                    self.seen.outside += 1
                self.seen.late += now >= row.not_after
                made = Certificate(**self.values(now, renews_id=row.id) | {"names": row.names})
                certificates.supersede(row, now)
                certificates.plan(made, now, RULES)
                session.add(made)

    async def poll(self, rows: list[Certificate], now: datetime) -> None:
        """What an answer of the CA is written as (activities/windows.py)."""
        async with self.db.begin() as session:
            session.add_all(rows)
            for row in rows:
                middle = row.not_before + LIFE * 2 / 3
                certificates.note_window(row, middle - DAY, middle + DAY, "")
                row.next_poll = next_poll(now, 10**9, str(row.id), RULES)
                certificates.plan(row, now, RULES)

    async def settle(self) -> list[uuid.UUID]:
        """The clock stands still from here on; (some of) those that are due later, to be made due."""
        await self.vacuum()
        now = START + DAYS
        async with self.db.begin() as session:
            # What its last sweep left due belongs to the days before.
            await session.execute(
                update(Certificate).where(Certificate.renew_after <= now).values(renew_after=now + DAY)
            )
            query = select(Certificate.id).where(Certificate.renew_after > now, certificates.RENEWALS)
            return list(await session.scalars(query.order_by(func.md5(Certificate.serial)).limit(AT_ONCE * 5)))

    async def round(self, some: list[uuid.UUID]) -> None:
        """The claim of so many, and a sweep that finds nothing."""
        now = START + DAYS
        due = update(Certificate).where(Certificate.id == bindparam("ref")).values(renew_after=now - HOUR)
        refs = self.chance.sample(some, AT_ONCE)
        async with self.db.begin() as session:
            await (await session.connection()).execute(due, [{"ref": ref} for ref in refs])
        for found in (AT_ONCE, 0):
            began = time.perf_counter()
            async with self.db.begin() as session:
                rows = await certificates.claim_due(session, now, AT_ONCE, polls=False)
            took = time.perf_counter() - began
            if len(rows) != found:
                raise RuntimeError(f"{len(rows)} were claimed, not {found}")
            (self.seen.at_once if found else self.seen.empty).append(took)

    async def left(self) -> int:
        async with self.db.begin() as session:
            query = select(func.count()).select_from(Certificate).where(
                Certificate.superseded_at.is_(None), Certificate.renew_after.is_not(None),
                Certificate.not_after > START + DAYS)  # fmt: skip
            return int((await session.execute(query)).scalar_one())

    async def vacuum(self) -> None:
        """As the server does by itself in 60 days that are longer than ours."""
        async with self.db.engine.connect() as connection:
            await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(
                text("vacuum analyze certificates")
            )


async def owner_of(db: Database) -> uuid.UUID:
    """One instance for all: whose they are is nothing to the sweeps."""
    firm, owner = new_id(), new_id()
    async with db.begin() as session:
        session.add(Organization(id=firm, name="Fleet", slug="fleet"))
        await session.flush()
        session.add(Deployment(id=owner, organization_id=firm, deployment_type="dedicated", tier="starter",
                               slug="fleet", assigned_subdomain="fleet.test", admin_email="fleet@example.com",
                               admin_name="Fleet"))  # fmt: skip
    return owner


async def lived(rows: int, db: Database) -> Fleet:
    fleet = Fleet(db, await owner_of(db), rows)
    await fleet.stock()
    await fleet.live()
    fleet.seen.late += rows - await fleet.left()
    seen = fleet.seen
    each, per_sweep = seen.claiming * 1000 / max(1, seen.due), seen.due / seen.sweeps
    print(f"{rows:7,} {seen.renewals:9,} {seen.outside:8} {seen.late:5} {seen.sweeps:7,} {per_sweep:10.1f} "
          f"{each:14.3f} {seen.took:8.0f}", flush=True)  # fmt: skip
    return fleet


async def main(sizes: tuple[int, ...]) -> int:
    print(f"{DAYS.days} virtual days, a sweep each hour; ms/due: milliseconds of claiming for each that was due")
    print("   rows  renewals  outside  dark  sweeps  due/sweep  ms/due in life  seconds")
    async with contextlib.AsyncExitStack() as stack:
        fleets = []
        for rows in sizes:
            db = Database(stack.enter_context(database()), pool_min=1, pool_max=2)
            stack.push_async_callback(db.close)
            fleets.append(await lived(rows, db))
        some = [await fleet.settle() for fleet in fleets]
        for _ in range(ROUNDS):
            for fleet, refs in zip(fleets, some, strict=True):
                await fleet.round(refs)
    print(f"{AT_ONCE} due at once: milliseconds for each, and of a sweep that finds nothing")
    for fleet in fleets:
        print(f"{fleet.seen.rows:7,} {fleet.seen.cost:9.3f} {quickly(fleet.seen.empty) * 1000:8.2f}")
    first, last = fleets[0].seen, fleets[-1].seen
    ratio = last.cost / first.cost
    outside, dark = sum(fleet.seen.outside for fleet in fleets), sum(fleet.seen.late for fleet in fleets)
    print(f"a due certificate costs {ratio:.2f} times as much among {last.rows:,} rows as among {first.rows:,}")
    print(f"{outside} renewals outside their window, {dark} certificates that ran out")
    return 1 if outside or dark or ratio > MOST else 0


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        status = runner.run(main(tuple(map(int, sys.argv[1:])) or SIZES))
    sys.stdout.flush()
    os._exit(status)
