"""Certificates' rows over 60 days of virtual time, and what finding the due ones costs among many."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.dialects import postgresql

from db.base import new_id
from db.models import Deployment, Organization
from db.models_certificates import CaBucket, Certificate
from db.queries import ca_ledger, certificates
from db.session import Database
from domain.ca_limits import LETS_ENCRYPT, Renewal, Wanted
from domain.renewal import next_poll
from domain.renewal_retries import DAY, HOUR, FailureKind

START = datetime(2027, 1, 1, tzinfo=UTC)
END = START + 60 * DAY
OUTAGE = START + 20 * DAY, START + 21 * DAY
INCIDENT = START + 40 * DAY
SIZE = 16
LIFE = 45 * DAY
STEP = 4 * HOUR
CA = "https://ca.test/dir"


@pytest.fixture
async def owner(db: Database) -> AsyncIterator[uuid.UUID]:
    slug, ref = f"o{uuid.uuid4().hex[:8]}", new_id()
    async with db.begin() as session:
        firm = Organization(id=new_id(), name=slug, slug=slug)
        session.add(firm)
        await session.flush()
        session.add(Deployment(
            id=ref, organization_id=firm.id, deployment_type="dedicated", tier="starter", slug=slug,
            assigned_subdomain=f"{slug}.test", admin_email="a@example.com", admin_name="A",
        ))  # fmt: skip
    yield ref
    async with db.begin() as session:
        await session.execute(delete(Certificate))


def values(owner: uuid.UUID, born: datetime, **more: Any) -> dict[str, Any]:
    return {
        "id": new_id(), "deployment_id": owner, "names": [f"{uuid.uuid4().hex}.test"], "serial": uuid.uuid4().hex,
        "issuer": "CA", "not_before": born, "not_after": born + LIFE, "chain_pem": "", "key_sha256": "",
        "directory_url": CA, "renew_after": START, "next_action": "poll", **more,
    }  # fmt: skip


class Fleet:
    """The sweeps' own queries, every few hours. The CA is away for a day, and later moves all windows into the past."""

    def __init__(self, db: Database, owner: uuid.UUID) -> None:
        self.db, self.owner = db, owner
        self.renewed: list[tuple[datetime, Certificate]] = []
        self.tries: Counter[str] = Counter()

    def window(self, row: Certificate, now: datetime) -> tuple[datetime, datetime]:
        if now >= INCIDENT > row.not_before:
            return INCIDENT - 2 * DAY, INCIDENT - DAY
        middle = row.not_before + LIFE * 2 / 3
        return middle - DAY, middle + DAY

    async def sweep(self, now: datetime) -> None:
        down = OUTAGE[0] <= now < OUTAGE[1]
        async with self.db.begin() as session:
            for row in await certificates.claim_due(session, now, 1000, polls=True):
                if not down:
                    certificates.note_window(row, *self.window(row, now), "")
                row.next_poll = next_poll(now, 21600, str(row.id))
                certificates.plan(row, now)
        async with self.db.begin() as session:
            for row in await certificates.claim_due(session, now, 1000, polls=False):
                self.tries[row.next_action] += 1
                if down and row.next_action != "second_ca":
                    certificates.note_failure(row, now, FailureKind.CA_DOWN, "did not answer", None)
                    certificates.plan(row, now)
                    continue
                made = Certificate(**values(self.owner, now, renews_id=row.id, names=row.names))
                session.add(made)
                await session.flush()
                certificates.supersede(row, now)
                certificates.plan(made, now)
                self.renewed.append((now, row))


async def test_sixty_days_pass_and_no_name_is_ever_dark(db: Database, owner: uuid.UUID) -> None:
    fleet = Fleet(db, owner)
    async with db.begin() as session:
        born = [values(owner, START - LIFE * 0.45 * number / SIZE) for number in range(SIZE)]
        await session.execute(insert(Certificate), born)
    now = START
    while now < END:
        await fleet.sweep(now)
        now += STEP
    async with db.begin() as session:
        living = list((await session.execute(select(Certificate).where(Certificate.superseded_at.is_(None)))).scalars())
    assert len(living) == SIZE
    assert all(row.not_after > END and row.renew_after is not None for row in living)
    assert len({row.id for _, row in fleet.renewed}) == len(fleet.renewed) > SIZE
    for at, row in fleet.renewed:
        assert at < row.not_after
        assert row.window_end is not None
        latest = max(row.window_end, OUTAGE[1] + 7 * HOUR) if at < INCIDENT else INCIDENT + 12 * HOUR
        assert at <= max(latest, row.window_end) + STEP
    replaced = [at for at, row in fleet.renewed if row.not_before < INCIDENT <= at]
    assert len(replaced) == SIZE
    assert max(replaced) <= INCIDENT + 12 * HOUR + STEP


@pytest.mark.parametrize("polls", [True, False])
async def test_finding_the_due_ones_reads_no_others(db: Database, owner: uuid.UUID, polls: bool) -> None:
    due, later = START - DAY, START + 30 * DAY
    action = "poll" if polls else "renew"
    async with db.begin() as session:
        many = [values(owner, START, renew_after=later, next_action=action) for _ in range(5_000)]
        await session.execute(insert(Certificate), many)
        few = [values(owner, START, renew_after=due, next_action=action) for _ in range(20)]
        await session.execute(insert(Certificate), few)
        await session.execute(text("analyze certificates"))
        condition = certificates.POLLS if polls else certificates.RENEWALS
        query = select(Certificate.id).where(Certificate.renew_after <= START, condition)
        query = query.order_by(Certificate.renew_after).limit(100).with_for_update(skip_locked=True)
        sql = str(query.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True}))
        told = (await session.execute(text(f"explain (analyze, format json) {sql}".replace("%%", "%")))).scalar_one()
        plan = json.dumps(told)
        assert f"ix_certificates_due_{'polls' if polls else 'renewals'}" in plan
        assert "Seq Scan" not in plan
        assert '"Rows Removed by Filter": 5' not in plan
        assert len(await certificates.claim_due(session, START, 100, polls=polls)) == 20
        assert await certificates.claim_due(session, START, 100, polls=polls) == []
        assert len(await certificates.claim_due(session, START + certificates.LEASE, 100, polls=polls)) == 20


async def test_two_sweeps_at_once_never_claim_the_same(db: Database, owner: uuid.UUID) -> None:
    async with db.begin() as session:
        await session.execute(insert(Certificate), [values(owner, START) for _ in range(10)])
    async with db.begin() as first, db.begin() as second:
        one = await certificates.claim_due(first, START, 6, polls=True)
        other = await certificates.claim_due(second, START, 6, polls=True)
    assert (len(one), len(other)) == (6, 4)
    assert not {row.id for row in one} & {row.id for row in other}


class TestLedger:
    async def test_the_fifty_first_certificate_of_a_week_waits_by_name(self, db: Database) -> None:
        where, taken = f"https://{uuid.uuid4().hex}.test", 0
        async with db.begin() as session:
            for number in range(50):
                wanted = Wanted("house", [f"{number}.shop.test"], ["shop.test"])
                taken += (await ca_ledger.reserve(session, where, wanted, START, LETS_ENCRYPT)).by is None
            last = Wanted("house", ["last.shop.test"], ["shop.test"])
            found = await ca_ledger.reserve(session, where, last, START, LETS_ENCRYPT)
            assert found == await ca_ledger.possible(session, where, last, START, LETS_ENCRYPT)
        assert taken == 50
        assert found.at == START + 7 * DAY / 50
        assert "50 certificates for shop.test in 7 days" in found.why

    async def test_what_is_refused_takes_nothing_and_what_is_given_back_may_be_taken(self, db: Database) -> None:
        where, wanted = f"https://{uuid.uuid4().hex}.test", Wanted("house", ["a.test"], ["a.test"], Renewal.SAME_SET)
        async with db.begin() as session:
            found = [await ca_ledger.reserve(session, where, wanted, START, LETS_ENCRYPT) for _ in range(7)]
            assert [one.by is None for one in found] == [True] * 5 + [False] * 2
            await ca_ledger.give_back(session, where, wanted, LETS_ENCRYPT)
            assert (await ca_ledger.reserve(session, where, wanted, START, LETS_ENCRYPT)).by is None

    async def test_a_bucket_is_one_row_however_much_is_taken(self, db: Database) -> None:
        where, wanted = f"https://{uuid.uuid4().hex}.test", Wanted("house", ["b.test"], ["b.test"])
        async with db.begin() as session:
            for number in range(4):
                await ca_ledger.reserve(session, where, wanted, START + number * timedelta(hours=1), LETS_ENCRYPT)
            rows = select(func.count()).select_from(CaBucket).where(CaBucket.directory_url == where)
            assert (await session.execute(rows)).scalar_one() == 4  # account, set, domain, failures of the name
