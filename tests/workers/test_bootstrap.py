"""What a namespace needs is made once, however often it is asked for."""

from __future__ import annotations

from temporalio.testing import WorkflowEnvironment

from workers.bootstrap import ensure_search_attributes
from workers.schedules import START_SWEEP, ensure_schedules


async def test_search_attributes_and_schedules_can_be_ensured_again(temporal_env: WorkflowEnvironment) -> None:
    client = temporal_env.client
    for _ in range(2):
        await ensure_search_attributes(client)
        await ensure_schedules(client)
    assert await ensure_search_attributes(client) == []
    handle = client.get_schedule_handle(START_SWEEP)
    description = await handle.describe()
    assert description.schedule.policy.catchup_window.total_seconds() == 600
    await handle.delete()
