"""What a bare Temporal SDK does: a workflow of activities, one after the other, and nothing else.

A module of its own, because the SDK loads a workflow's module anew for every run: what else it imported would be paid
for each time, and the comparison would flatter us. Its activities have a queue and a worker of their own, as ours have:
where both share a worker the SDK hands activities over without asking the server, which no pool apart can do.
"""

from __future__ import annotations

from datetime import timedelta

from temporalio import activity, workflow

RUNS, FAR = "bare", "bare-activities"


@activity.defn
async def nothing(number: int) -> int:
    return number


@workflow.defn
class Bare:
    @workflow.run
    async def run(self, count: int) -> int:
        for number in range(count):
            await workflow.execute_activity(
                nothing, number, task_queue=FAR, start_to_close_timeout=timedelta(seconds=30)
            )
        return count
