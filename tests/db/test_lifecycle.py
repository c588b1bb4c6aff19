"""The sweep's queries: who is looked at, what is written, and that the rest costs nothing."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import new_id
from db.keyring import KeyRing
from db.models_hosting import BackupJob, Domain
from db.models_jobs import Job
from db.models_mail import OutgoingMail
from db.models_sales import Subscription
from db.queries import backups, delivery, house_servers, jobs, lifecycle, orders
from db.queries.changes import Letters
from db.session import Database
from domain.lifecycle import Verdict
from domain.sales import GRACE, KEPT_SUSPENDED, NON_PAYMENT, JobType
from tests.sales import Shop, open_shop
from tests.standing import delivered

DAY = timedelta(days=1)


@pytest.fixture
async def now(db: Database) -> datetime:
    """What earlier tests have left is out of the way."""
    async with db.begin() as session:
        await session.execute(update(Job).values(ended_at=datetime.now(UTC)))
        await session.execute(update(Subscription).values(status="TERMINATED", ended_at=datetime.now(UTC)))
        await session.execute(update(BackupJob).values(status="EXPIRED"))
    return datetime.now(UTC)


async def standing(db: Database, now: datetime, shop: Shop | None = None, **columns: Any) -> uuid.UUID:
    """A delivered subscription whose period is over by `columns`, and nothing is at work on it."""
    shop = shop or await open_shop(db)
    async with db.begin() as session:
        placed = await orders.place(session, shop.asked(domain=f"d{uuid.uuid4().hex[:10]}.example"))
        for job in placed.jobs:
            job.ended_at, job.status = now, "SUCCESS"
        values = {"status": "ACTIVE", "activated_at": now - 60 * DAY, "current_period_end": now + DAY} | columns
        ref = placed.subscription.id
        await session.execute(update(Subscription).where(Subscription.id == ref).values(values))
    return ref


async def sweep(db: Database, keys: KeyRing, now: datetime) -> dict[uuid.UUID, Verdict | None]:
    async with db.begin() as session:
        found = await lifecycle.candidates(session, now, 100)
    verdicts = {}
    for ref in found:
        async with db.begin() as session:
            verdicts[ref] = await lifecycle.act(session, ref, Letters(session, keys, "https://portal.test", now))
    return verdicts


async def asked(db: Database, ref: uuid.UUID) -> list[tuple[str, str, str]]:
    query = select(Job).where(Job.subscription_id == ref, Job.ended_at.is_(None))
    async with db.begin() as session:
        return [(job.type, job.payload["reason"], job.requested_by) for job in (await session.execute(query)).scalars()]


async def row_of(db: Database, ref: uuid.UUID) -> Subscription:
    async with db.begin() as session:
        return await session.get_one(Subscription, ref)


class TestVerdicts:
    async def test_a_missing_payment_is_told_and_nothing_is_switched_off(
        self, db: Database, keys: KeyRing, now: datetime
    ) -> None:
        ref = await standing(db, now, current_period_end=now - 4 * DAY)
        assert await sweep(db, keys, now) == {ref: Verdict.PAST_DUE}
        row = await row_of(db, ref)
        assert (row.status, row.past_due_since) == ("PAST_DUE", now)
        assert await asked(db, ref) == []
        async with db.begin() as session:
            name = select(Domain.name).where(Domain.subscription_id == ref).scalar_subquery()
            letters = select(OutgoingMail).where(OutgoingMail.values["site"].astext == name)
            (letter,) = (await session.execute(letters)).scalars()
        assert letter.template == "payment-due"
        assert letter.values["date"] == f"{now + GRACE:%d %B %Y}"
        assert await sweep(db, keys, now) == {}

    async def test_a_grace_that_is_over_asks_for_one_suspension(
        self, db: Database, keys: KeyRing, now: datetime
    ) -> None:
        ref = await standing(db, now, status="PAST_DUE", past_due_since=now - GRACE)
        assert await sweep(db, keys, now) == {ref: Verdict.SUSPEND}
        assert await asked(db, ref) == [("SUSPEND", NON_PAYMENT, "lifecycle")]
        assert await sweep(db, keys, now) == {}, "what a run is at work on is left alone"

    async def test_a_month_suspended_without_payment_asks_for_the_end(
        self, db: Database, keys: KeyRing, now: datetime
    ) -> None:
        late: dict[str, Any] = {"status": "SUSPENDED", "suspended_for": NON_PAYMENT, "past_due_since": now - 40 * DAY}
        ref = await standing(db, now, suspended_at=now - KEPT_SUSPENDED, **late)
        await standing(db, now, suspended_at=now - KEPT_SUSPENDED + DAY, **late)
        await standing(db, now, **late | {"suspended_at": now - 90 * DAY, "suspended_for": "spam was sent"})
        assert await sweep(db, keys, now) == {ref: Verdict.TERMINATE}
        assert await asked(db, ref) == [("TERMINATE", NON_PAYMENT, "lifecycle")]

    async def test_paid_while_it_was_being_suspended_it_is_resumed(
        self, db: Database, keys: KeyRing, now: datetime
    ) -> None:
        ref = await standing(db, now, status="SUSPENDED", suspended_at=now, suspended_for=NON_PAYMENT)
        assert await sweep(db, keys, now) == {ref: Verdict.RESUME}

    @pytest.mark.parametrize("status", ["ACTIVE", "PAST_DUE", "SUSPENDED"])
    async def test_a_cancelled_period_that_is_over_ends_it(
        self, db: Database, keys: KeyRing, now: datetime, status: str
    ) -> None:
        ref = await standing(db, now, status=status, past_due_since=now, suspended_at=now, suspended_for="by request",
                             cancel_at_period_end=True, current_period_end=now - timedelta(seconds=1))  # fmt: skip
        await standing(db, now, cancel_at_period_end=True)
        assert await sweep(db, keys, now) == {ref: Verdict.TERMINATE}
        assert await asked(db, ref) == [("TERMINATE", "cancelled", "lifecycle")]

    async def test_a_free_one_begins_its_next_period(self, db: Database, keys: KeyRing, now: datetime) -> None:
        ref = await standing(db, now, await open_shop(db, cents=0), current_period_end=now - 40 * DAY)
        assert await sweep(db, keys, now) == {ref: Verdict.RENEW}
        row = await row_of(db, ref)
        assert row.current_period_end is not None
        assert row.current_period_start <= now < row.current_period_end

    async def test_one_that_is_paid_once_is_never_looked_at(self, db: Database, keys: KeyRing, now: datetime) -> None:
        await standing(db, now, await open_shop(db, interval="once"), current_period_end=None)
        assert await sweep(db, keys, now) == {}

    async def test_a_second_change_waits_for_the_next_sweep(self, db: Database, keys: KeyRing, now: datetime) -> None:
        ref = await standing(db, now, status="PAST_DUE", past_due_since=now - GRACE)
        async with db.begin() as session:
            found = await lifecycle.candidates(session, now, 100)
            # Between the look and the act somebody else was quicker.
            await jobs.request(session, ref, JobType.CHANGE_LIMITS, reason="", requested_by="ada")
        assert found == [ref]
        async with db.begin() as session:
            assert await lifecycle.act(session, ref, Letters(session, keys, "", now)) is None
        assert [kind for kind, *_ in await asked(db, ref)] == ["CHANGE_LIMITS"]


class TestBackups:
    async def test_one_whose_time_is_over_is_asked_for_once(self, db: Database, now: datetime) -> None:
        ref = await standing(db, now)
        async with db.begin() as session:
            for until in (now - DAY, now - 2 * DAY, now + DAY):
                session.add(BackupJob(id=new_id(), subscription_id=ref, reason="last", status="SUCCESS", size_bytes=1,
                                      sha256="a" * 64, s3_key="ssh:a/b", keep_until=until))  # fmt: skip
        for expected in (1, 0):
            async with db.begin() as session:
                assert await lifecycle.ask_to_discard(session, now, 100) == expected
        assert [kind for kind, *_ in await asked(db, ref)] == ["DISCARD_BACKUPS"]


async def test_a_server_is_not_removed_while_last_backups_lie_on_it(db: Database, now: datetime) -> None:
    placed = await delivered(db)
    async with db.begin() as session:
        held = await delivery.load(session, placed.subscription.id)
        account, web = held.site
        account.status = "REMOVED"
        backup = await backups.opened(session, str(placed.jobs[0].id), account)
        await backups.succeeded(session, backup.id, backups.Copy("ssh:a/b", 1, "a" * 64), now + DAY)
        with pytest.raises(house_servers.BackupsKept):
            await house_servers.remove(session, web)
        await backups.expired(session, backup.id)
        await house_servers.remove(session, web)
        assert web.status == "REMOVED"


async def test_what_nothing_is_due_for_costs_nothing(db: Database, now: datetime) -> None:
    """Each query of the sweep reads an index in which the untouched are not, or ends before them."""
    ref = await standing(db, now)
    async with db.begin() as session:
        await _multiply(session, ref, 5000)
    async with db.begin() as session:
        for query in lifecycle._queries(now, 100):
            sql = query.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
            plan = (
                await session.execute(text(f"explain (analyze, format json) {sql}".replace(":", "\\:")))
            ).scalar_one()
            read = _rows_read(plan[0]["Plan"])
            assert read <= 1, f"{read} rows of subscriptions were read for nothing:\n{sql}"


async def _multiply(session: AsyncSession, ref: uuid.UUID, times: int) -> None:
    """Copies of an order and its subscription: ACTIVE, paid, and suspended by an operator."""
    await session.execute(text("""
        create temporary table copied on commit drop as
        select n, gen_random_uuid() as order_id from generate_series(1, :times) n"""), {"times": times})  # fmt: skip
    await session.execute(text("""
        insert into orders (id, tenant_id, customer_id, price_id, total_amount_cents, currency,
                            stripe_payment_intent_id, source, started_at)
        select c.order_id, o.tenant_id, o.customer_id, o.price_id, 995, 'EUR', 'pi_' || c.order_id, 'portal', now()
        from copied c, orders o join subscriptions s on s.order_id = o.id
        where s.id = :ref"""), {"ref": ref})  # fmt: skip
    await session.execute(text("""
        insert into subscriptions (id, tenant_id, order_id, customer_id, price_id, status, current_period_start,
                                   current_period_end, activated_at, suspended_at, suspended_for)
        select gen_random_uuid(), s.tenant_id, c.order_id, s.customer_id, s.price_id,
               case when c.n % 2 = 0 then 'ACTIVE' else 'SUSPENDED' end, now() - interval '10 days',
               now() + interval '20 days', now(), now() - interval '90 days', 'spam was sent'
        from copied c, subscriptions s where s.id = :ref"""), {"ref": ref})  # fmt: skip
    await session.execute(text("analyze subscriptions"))


def _rows_read(plan: dict[str, Any]) -> int:
    own = 0
    if plan.get("Relation Name") == "subscriptions":
        own = int(plan["Actual Rows"]) + int(plan.get("Rows Removed by Filter", 0))
    return own + sum(_rows_read(part) for part in plan.get("Plans", []))
