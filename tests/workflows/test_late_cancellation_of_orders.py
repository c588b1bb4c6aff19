"""A cancellation that meets the end of a paid order's run, or of a server's set-up: one truth afterwards.

An order that was handed over is live and its customer was told; it is not taken back and paid back besides.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from sqlalchemy import select
from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities._context import Deps
from activities.deliveries import DeliveryActivities
from activities.records import RecordActivities
from db.keyring import KeyRing
from db.models_mail import OutgoingMail
from db.session import Database
from domain.fulfilment import FulfilmentOrder, JobCall
from domain.journal import JournalBatch, Projection, SubjectKind
from domain.sales import OrderStatus
from domain.statuses import StepState
from tests.workflows.held import Hold, Moment, ends, named
from tests.workflows.house import HouseWorld
from tests.workflows.test_replay_safety import failure_of_replay, running


class HeldDeliveries(DeliveryActivities):
    def __init__(self, deps: Deps, hold: Hold) -> None:
        super().__init__(deps)
        self._hold = hold

    @activity.defn
    async def hand_over_order(self, call: JobCall, batch: JournalBatch) -> str:
        await self._hold.wait("hand_over_order", batch, before=True)
        url = await super().hand_over_order(call, batch)
        await self._hold.wait("hand_over_order", batch, before=False)
        return url


class HeldRecords(RecordActivities):
    def __init__(self, deps: Deps, hold: Hold) -> None:
        super().__init__(deps)
        self._hold = hold

    @activity.defn
    async def record(self, batch: JournalBatch) -> None:
        of_order = "order" if batch.family == "fulfilment" else "part"
        await self._hold.wait(of_order, batch, before=True)
        await super().record(batch)
        await self._hold.wait(of_order, batch, before=False)


class LateHouse(HouseWorld):
    def __init__(self, db: Database, keys: KeyRing) -> None:
        super().__init__(db, keys)
        self.moment = Hold()
        self.records_class = lambda deps: HeldRecords(deps, self.moment)  # type: ignore[assignment]
        self.deliveries_class = lambda deps: HeldDeliveries(deps, self.moment)  # type: ignore[assignment]


@pytest.fixture
async def house(db: Database, keys: KeyRing) -> LateHouse:
    made = LateHouse(db, keys)
    await made.retire_servers()
    await made.server()
    return made


def the_order_ends(name: str, batch: JournalBatch) -> bool:
    return name == "order" and ends(name, batch)


async def agreed(house: HouseWorld, order: FulfilmentOrder, handle: WorkflowHandle[Any, Any]) -> str:
    """How it ended, by everybody's word."""
    with contextlib.suppress(WorkflowFailureError):
        await asyncio.wait_for(handle.result(), 30)
    status, job, held = (await handle.describe()).status, await house.job(order.job_id), await house.held(order)
    live = job.phase == "done"
    assert (job.phase, job.status, status) in {
        ("done", "SUCCESS", WorkflowExecutionStatus.COMPLETED),
        ("cancelled", "CANCELLED", WorkflowExecutionStatus.CANCELED),
    }
    assert (held.subscription.status, held.order.status) == (
        ("ACTIVE", OrderStatus.FULFILLED) if live else ("TERMINATED", OrderStatus.REFUNDED)
    )
    assert house.count["send_refund"] == (0 if live else 1)
    async with house.db.begin() as session:
        to_her = select(OutgoingMail.template).where(OutgoingMail.recipient == held.customer.email)
        told = list((await session.execute(to_her)).scalars())
    assert told == (["site-live"] if live else [])
    story = [state for _, state in await house.told(order.job_id)]
    assert story.count(StepState.ENDED) == 1
    assert story[-1] == StepState.ENDED
    assert await failure_of_replay(handle) is None
    return job.phase


@pytest.mark.parametrize("before", [True, False], ids=["before its rows", "after its rows"])
@pytest.mark.parametrize("moment", [named("hand_over_order"), the_order_ends], ids=["handing over", "telling the end"])
async def test_a_cancellation_near_the_end_of_an_order_leaves_one_truth(
    house: LateHouse, client: Client, moment: Moment, before: bool
) -> None:
    house.moment.at(moment, before=before)
    async with running(house, client):
        order = await house.paid(f"late{before:d}{moment is the_order_ends:d}")
        handle = await house.begin(client, order)
        await asyncio.wait_for(house.moment.reached.wait(), 30)
        handed_over = (await house.held(order)).subscription.activated_at is not None
        await handle.cancel()
        house.moment.go_on.set()
        ended = await agreed(house, order, handle)
    assert ended == "done" or not handed_over


async def test_nothing_is_handed_over_once_an_order_was_called_back(house: LateHouse) -> None:
    order = await house.paid("calledback")
    rows, run = DeliveryActivities(house.deps), ActivityEnvironment().run
    call = JobCall(job_id=order.job_id, subscription_id=order.subscription_id, inputs=order.inputs)
    batch = JournalBatch(deployment_id=order.job_id, kind=SubjectKind.JOB, run_id="run", family="fulfilment", events=[],
                         projection=Projection(status="RUNNING", phase="running", attention="none"))  # fmt: skip
    await run(rows.claim_names, call, batch)
    assert await run(rows.call_back_order, call, batch) is None
    with pytest.raises(ApplicationError) as refused:
        await run(rows.hand_over_order, call, batch)
    assert refused.value.type == "Conflict"
    assert (await house.held(order)).subscription.activated_at is None


async def test_nothing_is_called_back_once_an_order_was_handed_over(house: LateHouse) -> None:
    order = await house.paid("handedover")
    rows, run = DeliveryActivities(house.deps), ActivityEnvironment().run
    call = JobCall(job_id=order.job_id, subscription_id=order.subscription_id, inputs=order.inputs)
    batch = JournalBatch(deployment_id=order.job_id, kind=SubjectKind.JOB, run_id="run", family="fulfilment", events=[],
                         projection=Projection(status="RUNNING", phase="running", attention="none"))  # fmt: skip
    await run(rows.claim_names, call, batch)
    url = await run(rows.hand_over_order, call, batch)
    assert await run(rows.call_back_order, call, batch) == url
    assert (await house.job(order.job_id)).phase == "running"
