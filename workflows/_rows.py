"""The one lane of a run's row work: local activities, one at a time, and never given up half way.

Results of local activities that run side by side reach a workflow as they come, but in a replay in the order of their
numbers (temporalio/sdk-python#1578). Code that goes on between two such results would then issue other commands than
its history holds, and the run would be stuck. So nothing else in here executes a local activity.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from workflows._options import LOCAL

Result = TypeVar("Result")


class Lane:
    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def take(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """Do `work` after what was asked for before. A cancelled caller leaves; the work is done all the same.

        An undo that follows finds its effect's rows whole, because it waits for its own turn.
        """
        return await asyncio.shield(asyncio.create_task(self._take(work)))

    async def _take(self, work: Callable[[], Awaitable[Result]]) -> Result:
        async with self._turn:
            return await work()


async def execute(activity: Callable[..., Awaitable[Result]], *arguments: Any) -> Result:
    """One local activity. For the lane, and for a workflow that has only this one.

    Its failure reaches a workflow bare, and a bare failure would end the run instead of parking its step; so it is
    given the form that every other activity's failure has.
    """
    try:
        result: Result = await workflow.execute_local_activity(activity, args=arguments, **LOCAL)
    except ApplicationError as failure:
        raise ActivityError(
            "Local activity failed", scheduled_event_id=0, started_event_id=0, identity="",
            activity_type=activity.__name__, activity_id="", retry_state=None,
        ) from failure  # fmt: skip
    return result
