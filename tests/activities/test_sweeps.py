"""The sweep of unstarted rows: runs of orders and changes whose row was committed and whose start was lost."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities._context import Deps
from activities.sweeps import SweepActivities
from db.keyring import KeyRing
from db.models_jobs import Job
from db.models_sales import Order
from db.queries import jobs, orders
from db.queries.orders import Placed
from db.session import Database
from domain.config import RunConfig
from domain.fulfilment import ChangeOrder
from domain.sales import JobType
from tests.api.world import StandInTemporal, temporal_is_away
from tests.sales import open_shop

EARLIER = datetime.now(UTC) - timedelta(minutes=5)


@pytest.fixture
def engine() -> StandInTemporal:
    return StandInTemporal()


async def sweep(db: Database, keys: KeyRing, engine: StandInTemporal) -> int:
    nothing: Any = None
    deps = Deps(RunConfig(), db, keys, nothing, nothing, nothing, nothing, nothing)
    environment = ActivityEnvironment(cast(Client, engine))
    return int(await environment.run(SweepActivities(deps).start_unstarted))


async def placed(db: Database, *, at: datetime = EARLIER) -> Placed:
    shop = await open_shop(db)
    async with db.begin() as session:
        made = await orders.place(session, shop.asked(domain="swept.nl"))
        made.order.created_at = at
    return made


async def test_an_order_whose_start_was_lost_is_started_once(
    db: Database, keys: KeyRing, engine: StandInTemporal
) -> None:
    made = await placed(db)
    assert await sweep(db, keys, engine) == 1
    workflow, order, _ = engine.started[f"order/{made.order.stripe_payment_intent_id}"]
    assert workflow == "Fulfilment"
    assert order == orders.run_of(made, RunConfig().policy)
    async with db.begin() as session:
        assert (await session.get_one(Order, made.order.id)).started_at is not None
        assert (await session.get_one(Job, made.jobs[0].id)).started_at is not None
    assert await sweep(db, keys, engine) == 0


async def test_a_run_that_exists_is_only_noted(db: Database, keys: KeyRing, engine: StandInTemporal) -> None:
    made = await placed(db)
    engine.started[f"order/{made.order.stripe_payment_intent_id}"] = ("Fulfilment", None, {})
    assert await sweep(db, keys, engine) == 1
    assert await sweep(db, keys, engine) == 0


async def test_a_fresh_order_is_left_to_the_front_door(db: Database, keys: KeyRing, engine: StandInTemporal) -> None:
    made = await placed(db, at=datetime.now(UTC))
    assert await sweep(db, keys, engine) == 0
    async with db.begin() as session:
        (await session.get_one(Order, made.order.id)).created_at = EARLIER
    await sweep(db, keys, engine)


async def test_with_temporal_away_it_stays_unstarted(db: Database, keys: KeyRing, engine: StandInTemporal) -> None:
    made = await placed(db)
    engine.trouble = temporal_is_away()
    with pytest.raises(Exception, match="refused"):
        await sweep(db, keys, engine)
    async with db.begin() as session:
        assert (await session.get_one(Order, made.order.id)).started_at is None
    engine.trouble = None
    assert await sweep(db, keys, engine) == 1


async def test_a_change_whose_start_was_lost_is_started_once(
    db: Database, keys: KeyRing, engine: StandInTemporal
) -> None:
    made = await placed(db)
    await sweep(db, keys, engine)
    async with db.begin() as session:
        (await session.get_one(Job, made.jobs[0].id)).ended_at = datetime.now(UTC)
    async with db.begin() as session:
        job = await jobs.request(session, made.subscription.id, JobType.SUSPEND, reason="unpaid", requested_by="sweep")
        assert job is not None
        job.created_at = EARLIER
    assert await sweep(db, keys, engine) == 1
    workflow, change, _ = engine.started[f"job/{job.id}"]
    assert workflow == "SubscriptionChange"
    assert isinstance(change, ChangeOrder)
    assert (change.job_type, change.reason, uuid.UUID(change.subscription_id)) == (
        "SUSPEND", "unpaid", made.subscription.id,
    )  # fmt: skip
    assert await sweep(db, keys, engine) == 0
