"""A drill's rows: which certificates it takes, in which order, how far it is; one at a time."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, text, update

from db.base import new_id
from db.models_certificates import Certificate, CertificateDrill
from db.queries import certificates, drills
from db.session import Database
from domain.drills import DrillState
from tests.db.conftest import MakeDeployment

NOW = datetime(2027, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
CA, OTHER = "https://ca.test/dir", "https://other.test/dir"


class Rows:
    def __init__(self, db: Database, owner: uuid.UUID) -> None:
        self.db, self.owner = db, owner

    async def add(self, *, left: timedelta = 60 * DAY, **columns: Any) -> uuid.UUID:
        values = {
            "id": new_id(), "deployment_id": self.owner, "names": [f"{uuid.uuid4().hex}.test"],
            "serial": uuid.uuid4().hex, "issuer": "CA", "not_before": NOW + left - 90 * DAY, "not_after": NOW + left,
            "chain_pem": "", "key_sha256": "", "key_type": "rsa-2048", "directory_url": CA, "renew_after": NOW + DAY,
            "next_action": "poll",
        }  # fmt: skip
        async with self.db.begin() as session:
            await session.execute(insert(Certificate).values(**(values | columns)))
        return uuid.UUID(str(values["id"]))

    async def begin(self, ca: str = CA, key_type: str = "") -> CertificateDrill:
        async with self.db.begin() as session:
            return await drills.begin(session, id=new_id(), directory_url=ca, key_type=key_type, pace=60,
                                      fresh_key=False, reason="drill", by="ada", now=NOW)  # fmt: skip

    async def progress(self, drill: CertificateDrill) -> drills.Progress:
        async with self.db.begin() as session:
            return await drills.progress(session, await session.get_one(CertificateDrill, drill.id))

    async def change(self, ref: uuid.UUID, **columns: Any) -> None:
        async with self.db.begin() as session:
            await session.execute(update(Certificate).where(Certificate.id == ref).values(**columns))


@pytest.fixture
async def rows(db: Database, make_deployment: MakeDeployment) -> AsyncIterator[Rows]:
    async with db.begin() as session:
        await session.execute(delete(Certificate))
        await session.execute(delete(CertificateDrill))
    yield Rows(db, (await make_deployment(f"d{uuid.uuid4().hex[:8]}")).id)
    async with db.begin() as session:
        await session.execute(delete(Certificate))
        await session.execute(delete(CertificateDrill))


async def test_it_takes_what_is_served_of_the_ca_the_soonest_to_expire_first(rows: Rows) -> None:
    later, sooner = await rows.add(left=50 * DAY), await rows.add(left=9 * DAY)
    await rows.add(directory_url=OTHER)
    await rows.add(superseded_at=NOW, renew_after=None, next_action="")
    await rows.add(renews_id=later, renew_after=None, next_action="")  # issued, and not served yet
    drill = await rows.begin()
    assert (drill.total, await rows.progress(drill)) == (2, drills.Progress(2, 0, 0, 0, 0))
    async with rows.db.begin() as session:
        assert [row.id for row in await drills.next_of(session, drill, 10)] == [sooner, later]
        assert [row.id for row in await drills.next_of(session, drill, 1)] == [sooner]


async def test_a_kind_of_key_is_taken_at_every_ca(rows: Rows) -> None:
    for ca in (CA, OTHER):
        await rows.add(directory_url=ca)
        await rows.add(directory_url=ca, key_type="ec-secp256r1")
    assert (await rows.begin(ca="", key_type="rsa-2048")).total == 2
    async with rows.db.begin() as session:
        assert await drills.holdings(session) == [
            (CA, "ec-secp256r1", 1), (CA, "rsa-2048", 1), (OTHER, "ec-secp256r1", 1), (OTHER, "rsa-2048", 1),
        ]  # fmt: skip


async def test_each_certificate_is_counted_by_what_became_of_it(rows: Rows) -> None:
    waits, runs, fails, done, gone = [await rows.add() for _ in range(5)]
    drill = await rows.begin()
    await rows.change(runs, replace_after=NOW)
    await rows.change(fails, replace_after=NOW, failures=1, failure_kind="ca_down", failed_at=NOW)
    await rows.change(done, replace_after=NOW, superseded_at=NOW, renew_after=None, next_action="")
    await rows.change(gone, replace_after=NOW, renew_after=None, next_action="")
    found = await rows.progress(drill)
    assert found == drills.Progress(waiting=1, under_way=2, failing=1, replaced=1, gone=1)
    async with rows.db.begin() as session:
        row = await drills.get(session, drill.id, lock=True)
        assert row is not None
        assert [each.id for each in await drills.next_of(session, row, 10)] == [waits]
        await drills.end(session, row, DrillState.STOPPED, NOW)
    ended = await rows.progress(drill)
    assert ended == drills.Progress(waiting=1, under_way=2, failing=0, replaced=1, gone=1)
    async with rows.db.begin() as session:
        assert (await session.get_one(Certificate, waits)).drill_id is None
        assert (await session.get_one(Certificate, fails)).drill_id == drill.id


async def test_one_drill_at_a_time_and_the_next_takes_over_what_is_left(rows: Rows) -> None:
    left = await rows.add()
    first = await rows.begin()
    with pytest.raises(drills.AnotherDrill):
        await rows.begin()
    await rows.change(left, replace_after=NOW)
    async with rows.db.begin() as session:
        row = await drills.get(session, first.id, lock=True)
        assert row is not None
        await drills.end(session, row, DrillState.STOPPED, NOW)
    second = await rows.begin()
    assert await rows.progress(second) == drills.Progress(1, 0, 0, 0, 0)
    assert (await rows.progress(first)).under_way == 1  # as it was at its end


async def test_one_about_nothing_leaves_no_row(rows: Rows) -> None:
    with pytest.raises(drills.NothingToReplace):
        await rows.begin(ca="https://nobody.test")
    async with rows.db.begin() as session:
        assert await drills.page(session, offset=0, limit=5) == (0, [])


async def test_a_paused_one_makes_nothing_due(rows: Rows) -> None:
    await rows.add()
    drill = await rows.begin()
    async with rows.db.begin() as first, rows.db.begin() as second:
        held = await drills.running(first)
        assert held is not None
        assert held.id == drill.id
        assert await drills.running(second) is None  # another sweep is at it
        held.state = DrillState.PAUSED.value
    async with rows.db.begin() as session:
        assert await drills.running(session) is None


async def test_what_is_next_is_found_past_what_was_done(rows: Rows) -> None:
    drill_rows = [await rows.add() for _ in range(3)]
    drill = await rows.begin()
    await rows.change(drill_rows[0], replace_after=NOW)
    async with rows.db.begin() as session:
        await session.execute(text("analyze certificates"))
        await session.execute(text("set local enable_seqscan = off"))
        await session.execute(text("set local enable_sort = off"))
        sql = f"""explain (format json) select id from certificates where drill_id = '{drill.id}'
            and drill_id is not null and replace_after is null and renew_after is not null
            order by not_after, id limit 2"""
        plan = json.dumps((await session.execute(text(sql))).scalar_one())
        assert "ix_certificates_drill_waiting" in plan
        assert '"Sort"' not in plan


async def test_a_certificate_of_a_drill_is_due_at_once_and_its_successor_is_none_of_it(rows: Rows) -> None:
    ref = await rows.add()
    drill = await rows.begin()
    async with rows.db.begin() as session:
        (row,) = await drills.next_of(session, drill, 1)
        row.replace_after = NOW
        certificates.plan(row, NOW)
        assert (row.next_action, row.renew_after, row.why) == ("renew", NOW, "a drill replaces it")
    async with rows.db.begin() as session:
        assert [one.id for one in await certificates.claim_due(session, NOW, 5, polls=False)] == [ref]
    made = await rows.add(renews_id=ref)
    async with rows.db.begin() as session:
        assert (await session.scalars(select(Certificate.drill_id).where(Certificate.id == made))).one() is None
