"""An account's budget in PostgreSQL: shared by everybody who asks, and by nobody else."""

from __future__ import annotations

import asyncio
import itertools
import random
import uuid
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from db.base import new_id
from db.models_clouds import CallBudget, ServiceProvider
from db.queries import budgets
from db.queries.budgets import Answer
from db.session import Database
from domain.budgets import LONGEST_PATIENCE, Pace, pace_of
from tests.domain.test_budgets import fullest

PATIENCE = timedelta(seconds=2)


async def account(db: Database) -> uuid.UUID:
    async with db.begin() as session:
        row = ServiceProvider(id=new_id(), name=f"a {uuid.uuid4()}", type="digitalocean", api_key_encrypted="x")
        session.add(row)
    return row.id


@pytest.fixture
async def ours(db: Database) -> uuid.UUID:
    return await account(db)


async def take(db: Database, who: uuid.UUID, patience: timedelta = PATIENCE, /, **paces: Pace) -> Answer:
    async with db.begin() as session:
        return await budgets.take(session, who, paces, patience=patience)


async def row(db: Database, who: uuid.UUID, calls: str) -> CallBudget | None:
    async with db.begin() as session:
        return await session.get(CallBudget, (who, calls))


async def pass_time(db: Database, who: uuid.UUID, seconds: float) -> None:
    """As if so much time had gone by since."""
    past = timedelta(seconds=seconds)
    async with db.begin() as session:
        await session.execute(
            update(CallBudget).where(CallBudget.provider_id == who).values(
                free_at=CallBudget.free_at - past, blocked_until=CallBudget.blocked_until - past,
                line_until=CallBudget.line_until - past))  # fmt: skip


class TestTake:
    @pytest.mark.parametrize("seed", range(3))
    async def test_tasks_that_ask_at_random_never_fill_a_window_over_its_limit(
        self, db: Database, ours: uuid.UUID, seed: int
    ) -> None:
        """Slots are moments of the database, and time is set back under the tasks' feet between rounds."""
        dice, count, seconds = random.Random(seed), 30, 20.0
        pace, slots, gone = pace_of(count, seconds), list[datetime](), timedelta()

        async def ask() -> None:
            await asyncio.sleep(dice.random() * 0.05)
            answer = await take(db, ours, requests=pace)
            if answer.granted:
                slots.append(answer.at + gone)

        for _ in range(20):
            await asyncio.gather(*(ask() for _ in range(dice.randrange(1, 15))))
            passed = dice.choice((0.5, 3.0, 12.0))
            await pass_time(db, ours, passed)
            gone += timedelta(seconds=passed)
        assert len(slots) > count
        assert fullest(slots, seconds) <= count

    async def test_a_burst_is_granted_at_once_and_the_next_ones_in_their_turn(
        self, db: Database, ours: uuid.UUID
    ) -> None:
        pace = pace_of(250, 60)
        answers = [await take(db, ours, requests=pace) for _ in range(55)]
        burst, later = [answer for answer in answers if answer.wait == 0], [a for a in answers if a.wait > 0]
        assert len(burst) >= 50
        assert all(0 < answer.wait <= 2 for answer in later)

    async def test_who_is_sent_away_has_taken_nothing_and_comes_back_behind_the_others(
        self, db: Database, ours: uuid.UUID
    ) -> None:
        pace = pace_of(1, 10)
        assert (await take(db, ours, requests=pace)).granted
        before = await row(db, ours, "requests")
        answers = [await take(db, ours, requests=pace) for _ in range(8)]
        after = await row(db, ours, "requests")
        assert before is not None
        assert after is not None
        assert not any(answer.granted for answer in answers)
        assert (after.free_at, after.taken, after.deferred) == (before.free_at, 1, 8)
        gaps = [later.at - earlier.at for earlier, later in itertools.pairwise(answers)]
        assert gaps[:3] == [pace.spacing] * 3
        assert all(answer.wait <= 61 for answer in answers)  # the line has an end

    async def test_a_call_of_several_classes_takes_all_or_none(self, db: Database, ours: uuid.UUID) -> None:
        wide, narrow = pace_of(100, 10), pace_of(1, 10)
        assert (await take(db, ours, hour=wide, keys=narrow)).granted
        assert not (await take(db, ours, hour=wide, keys=narrow)).granted
        hour, keys = await row(db, ours, "hour"), await row(db, ours, "keys")
        assert hour is not None
        assert keys is not None
        assert (hour.taken, keys.taken) == (1, 1)
        assert (await take(db, ours, hour=wide)).granted

    async def test_classes_that_are_asked_in_any_order_at_once_do_not_lock_each_other_out(
        self, db: Database, ours: uuid.UUID
    ) -> None:
        wide = pace_of(1000, 1)
        orders = [dict.fromkeys(random.sample(["a", "b", "c"], 3), wide) for _ in range(30)]
        answers = await asyncio.gather(*(take(db, ours, PATIENCE, **order) for order in orders))
        assert all(answer.granted for answer in answers)

    async def test_accounts_do_not_touch_each_other(self, db: Database, ours: uuid.UUID) -> None:
        theirs, pace = await account(db), pace_of(1, 60)
        assert (await take(db, ours, requests=pace)).granted
        assert not (await take(db, ours, requests=pace)).granted
        async with db.begin() as session:
            await budgets.block(session, ours, "requests", pace, 600)
        assert (await take(db, theirs, requests=pace)).granted

    async def test_more_patience_gets_a_slot_further_off(self, db: Database, ours: uuid.UUID) -> None:
        pace = pace_of(1, 10)
        await take(db, ours, requests=pace)
        assert not (await take(db, ours, requests=pace)).granted
        answer = await take(db, ours, timedelta(seconds=20), requests=pace)
        assert answer.granted
        assert 10 < answer.wait <= 12

    async def test_a_count_that_is_raised_counts_from_the_next_call_on(self, db: Database, ours: uuid.UUID) -> None:
        await take(db, ours, requests=pace_of(1, 900))
        assert not (await take(db, ours, requests=pace_of(1, 900))).granted
        answer = await take(db, ours, LONGEST_PATIENCE, requests=pace_of(100, 5))
        assert answer.granted


class TestBlock:
    async def test_nobody_calls_before_the_cloud_wants_it_again(self, db: Database, ours: uuid.UUID) -> None:
        pace = pace_of(100, 10)
        async with db.begin() as session:
            await budgets.block(session, ours, "requests", pace, 30)
        refused = await take(db, ours, requests=pace)
        assert not refused.granted
        assert refused.wait > 29
        await pass_time(db, ours, 31)
        assert (await take(db, ours, requests=pace)).granted
        held = await row(db, ours, "requests")
        assert held is not None
        assert (held.refused, held.taken) == (1, 1)

    async def test_other_classes_go_on(self, db: Database, ours: uuid.UUID) -> None:
        pace = pace_of(100, 10)
        async with db.begin() as session:
            await budgets.block(session, ours, "keys", pace, 30)
        assert (await take(db, ours, hour=pace)).granted
        assert not (await take(db, ours, hour=pace, keys=pace)).granted

    async def test_its_clock_is_the_databases(self, db: Database, ours: uuid.UUID) -> None:
        async with db.begin() as session:
            await budgets.block(session, ours, "requests", pace_of(10, 10), 30)
            now = (await session.execute(select(func.clock_timestamp()))).scalar_one()
        held = await row(db, ours, "requests")
        assert held is not None
        assert held.blocked_until is not None
        assert timedelta(seconds=29) < held.blocked_until - now <= timedelta(seconds=30)
