"""Schedules of the sweeps, made when the first worker starts. Safe to run by every worker, every time."""

from __future__ import annotations

import contextlib
from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
)

from domain import ids
from workflows.sweeps import StartSweep

START_SWEEP = "start-sweep"


async def ensure_schedules(client: Client) -> None:
    with contextlib.suppress(ScheduleAlreadyRunningError):
        await client.create_schedule(
            START_SWEEP,
            Schedule(
                action=ScheduleActionStartWorkflow(StartSweep.run, id=START_SWEEP, task_queue=ids.RUNS_QUEUE),
                spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(minutes=1))]),
                # After an outage one sweep is enough: it sees everything that was missed.
                policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(minutes=10)),
            ),
        )
