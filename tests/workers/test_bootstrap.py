"""What a namespace needs is made once, however often it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from workers.bootstrap import ensure_search_attributes
from workers.schedules import (
    CERTIFICATE_SWEEP,
    LIFECYCLE_SWEEP,
    PAYMENT_SWEEP,
    START_SWEEP,
    ensure_schedules,
    inventory_schedule,
)


@pytest.fixture
async def client(temporal_env: WorkflowEnvironment) -> AsyncIterator[Client]:
    """Schedules that stay would start their sweeps in the tests that come later."""
    yield temporal_env.client
    # By name, and a list that forgets one fails: the server's own list of schedules lags behind what was made.
    for name in (START_SWEEP, LIFECYCLE_SWEEP, PAYMENT_SWEEP, CERTIFICATE_SWEEP, inventory_schedule("transip")):
        await temporal_env.client.get_schedule_handle(name).delete()
    await asyncio.sleep(1)
    assert [there.id async for there in await temporal_env.client.list_schedules()] == []


async def test_search_attributes_and_schedules_can_be_ensured_again(client: Client) -> None:
    for _ in range(2):
        await ensure_search_attributes(client)
        await ensure_schedules(client, ["transip"], inventory_every=timedelta(hours=1))
    assert await ensure_search_attributes(client) == []
    handle = client.get_schedule_handle(START_SWEEP)
    description = await handle.describe()
    assert description.schedule.policy.catchup_window.total_seconds() == 600


async def test_a_changed_interval_reaches_the_schedule_that_is_there_and_a_pause_stays(client: Client) -> None:
    handle = client.get_schedule_handle(inventory_schedule("transip"))
    await ensure_schedules(client, ["transip"], inventory_every=timedelta(hours=1))
    await handle.pause()
    await ensure_schedules(client, ["transip"], inventory_every=timedelta(minutes=7))
    described = (await handle.describe()).schedule
    assert [interval.every for interval in described.spec.intervals] == [timedelta(minutes=7)]
    assert described.state.paused
