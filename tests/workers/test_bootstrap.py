"""What a namespace needs is made once, however often it is asked for."""

from __future__ import annotations

from datetime import timedelta

from temporalio.testing import WorkflowEnvironment

from workers.bootstrap import ensure_search_attributes
from workers.schedules import START_SWEEP, ensure_schedules, inventory_schedule


async def test_search_attributes_and_schedules_can_be_ensured_again(temporal_env: WorkflowEnvironment) -> None:
    client = temporal_env.client
    for _ in range(2):
        await ensure_search_attributes(client)
        await ensure_schedules(client, ["transip"], inventory_every=timedelta(hours=1))
    assert await ensure_search_attributes(client) == []
    handle = client.get_schedule_handle(START_SWEEP)
    description = await handle.describe()
    assert description.schedule.policy.catchup_window.total_seconds() == 600
    await handle.delete()
    await client.get_schedule_handle(inventory_schedule("transip")).delete()


async def test_a_changed_interval_reaches_the_schedule_that_is_there_and_a_pause_stays(
    temporal_env: WorkflowEnvironment,
) -> None:
    client = temporal_env.client
    handle = client.get_schedule_handle(inventory_schedule("transip"))
    await ensure_schedules(client, ["transip"], inventory_every=timedelta(hours=1))
    await handle.pause()
    await ensure_schedules(client, ["transip"], inventory_every=timedelta(minutes=7))
    described = (await handle.describe()).schedule
    assert [interval.every for interval in described.spec.intervals] == [timedelta(minutes=7)]
    assert described.state.paused
    await handle.delete()
    await client.get_schedule_handle(START_SWEEP).delete()
