"""What a bare Temporal SDK does: a workflow of activities, one after the other, and nothing else.

A module of its own, because the SDK loads a workflow's module anew for every run: what else it imported would be paid
for each time, and the comparison would flatter us. Workflow and activities share one worker, as the SDK's own examples
do: it is handed its activities without asking the server for them, which our pools apart cannot have.
"""

from __future__ import annotations

from datetime import timedelta

from temporalio import activity, workflow

QUEUE = "bare"


@activity.defn
async def nothing(number: int) -> int:
    return number


@workflow.defn
class Bare:
    @workflow.run
    async def run(self, count: int) -> int:
        for number in range(count):
            await workflow.execute_activity(nothing, number, start_to_close_timeout=timedelta(seconds=30))
        return count
