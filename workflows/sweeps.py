"""Scheduled sweeps: short workflows that pick up what a crash left lying."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

from activities.sweeps import SweepActivities
from domain import ids


@workflow.defn
class StartSweep:
    """Starts the runs whose rows were committed and whose start was lost between database and Temporal."""

    @workflow.run
    async def run(self) -> int:
        return await workflow.execute_activity_method(
            SweepActivities.start_unstarted,
            task_queue=ids.RUNS_QUEUE,
            start_to_close_timeout=timedelta(seconds=60),
            schedule_to_close_timeout=timedelta(minutes=5),
        )
