"""What an activity tells the customer and the operator: lines in its subject's event stream.

Lines are written in small batches, in order, tagged with the attempt. A database that is away for a moment must not
fail the work on the server: lines wait, and what cannot be kept is counted and said so.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import UTC, datetime
from types import TracebackType

from sqlalchemy.exc import SQLAlchemyError
from temporalio import activity

from activities._context import Deps
from db.queries.journal import LogLine, write_lines
from domain.journal import SubjectKind

logger = logging.getLogger("slipway.activities")

MAX_LINES = 2000  # of one attempt; a flood is shortened, not stored
MAX_LINE = 1000
FLUSH_SECONDS = 0.5


class Lines:
    """`async with Lines(deps, deployment_id, step) as log: await log.say("Docker installed")`."""

    def __init__(self, deps: Deps, subject_id: str, step: str, *, kind: SubjectKind = SubjectKind.DEPLOYMENT) -> None:
        self._deps = deps
        self._subject_id = subject_id
        self._kind = kind
        self._step = step
        self._pending: list[LogLine] = []
        self._count = 0
        self._line_no = 0
        self._task: asyncio.Task[None] | None = None
        self._write = asyncio.Lock()

    async def __aenter__(self) -> Lines:
        self._task = asyncio.create_task(self._flush_regularly())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self.flush()

    async def say(self, message: str) -> None:
        """A sentence about what was done."""
        self._add("info", message)

    async def sink(self, stream: str, message: str) -> None:
        """A line of a command's output; `stream` is out or err."""
        self._add(stream, message)

    def _add(self, stream: str, message: str) -> None:
        self._count += 1
        if self._count > MAX_LINES:
            return
        if self._count == MAX_LINES:
            message = "further lines of this attempt are not kept"
        for line in message.rstrip().splitlines() or [""]:
            self._pending.append(LogLine(self._next(), stream, line[:MAX_LINE], datetime.now(UTC)))

    def _next(self) -> int:
        self._line_no += 1
        return self._line_no

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        async with self._write:
            lines, self._pending = self._pending, []
            if not lines:
                return
            info = activity.info()
            try:
                async with self._deps.db.begin() as session:
                    await write_lines(
                        session,
                        self._subject_id,
                        kind=self._kind,
                        run_id=info.workflow_run_id or info.activity_id,
                        family=(info.workflow_type or "activity").lower(),
                        activity_id=info.activity_id,
                        attempt=info.attempt,
                        step=self._step,
                        lines=lines,
                    )
            except (SQLAlchemyError, OSError) as error:
                logger.warning("log lines wait for the database: %s", type(error).__name__)
                self._pending = lines + self._pending
