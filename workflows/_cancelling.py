"""What a cancellation may interrupt, and what it may not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, TypeVar

from temporalio.exceptions import is_cancelled_exception

T = TypeVar("T")


class RollbackRequested(Exception):
    """An operator decided to roll back; unwinds the story to its one except block."""


async def uninterrupted(work: Coroutine[Any, Any, T]) -> T:
    """Do `work` to its end, whatever cancellation comes meanwhile: it is too late for one."""
    task = asyncio.create_task(work)
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(task)
    return task.result()


async def settled(task: asyncio.Future[object]) -> None:
    """Wait for a cancelled branch to end; how it ended does not matter any more, unless it is a bug."""
    try:
        await task
    except BaseException as error:
        if not isinstance(error, RollbackRequested) and not is_cancelled_exception(error):
            raise


def is_cancelled() -> bool:
    """Whether this very task was cancelled: where nothing may stop, only its run's leaving memory does that."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
