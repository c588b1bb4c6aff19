"""Heartbeats while an activity works, so that a dead worker is noticed and a cancellation arrives."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from temporalio import activity

SLOWEST_SECONDS = 10.0


@contextlib.asynccontextmanager
async def beating() -> AsyncIterator[None]:
    """Beat three times per heartbeat timeout until the block ends."""
    timeout = activity.info().heartbeat_timeout
    every = min(timeout.total_seconds() / 3, SLOWEST_SECONDS) if timeout else SLOWEST_SECONDS

    async def beat() -> None:
        while True:
            activity.heartbeat()
            await asyncio.sleep(every)

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
