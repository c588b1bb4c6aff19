"""Row work of a run: local activities, one at a time, and never given up half way.

Results of local activities that run side by side reach a workflow as they come, but in a replay in the order of their
numbers (temporalio/sdk-python#1578). Code that goes on between two such results would then issue other commands than
its history holds, and the run would be stuck. So a run has one lane, and nothing else executes a local activity.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from temporalio import workflow

from workflows._options import LOCAL

Argument = TypeVar("Argument")
Result = TypeVar("Result")


class Rows:
    def __init__(self) -> None:
        self._lane = asyncio.Lock()

    async def execute(self, activity: Callable[[Any, Argument], Awaitable[Result]], argument: Argument) -> Result:
        """Execute after what was asked for before. A cancelled caller leaves; the rows are written all the same.

        An undo that follows finds its effect's rows whole, because it waits for the lane.
        """
        return await asyncio.shield(asyncio.create_task(self._execute(activity, argument)))

    async def _execute(self, activity: Callable[[Any, Argument], Awaitable[Result]], argument: Argument) -> Result:
        async with self._lane:
            result: Result = await workflow.execute_local_activity_method(activity, argument, **LOCAL)
            return result
