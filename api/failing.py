"""Runs whose workflow task keeps failing: asked of Temporal's visibility store, since no row can know it.

A bug in workflow code, or a deploy that breaks a run, leaves its status as it is, and Temporal tries again for ever.
The answer is kept for some seconds, and an answer that does not come in time is said to be missing, not empty.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio.client import Client
from temporalio.service import RPCError

from api.errors import ApiError
from api.temporal_link import TemporalLink
from domain.visibility import FAILING

FRESH_SECONDS = 3.0
PATIENCE_SECONDS = 2.0
MOST = 50  # a bad deploy fails every run in the same way


@dataclass(frozen=True)
class FailingRun:
    workflow_id: str
    cause: str  # Temporal's word for it, e.g. NonDeterministicError
    attempts: int
    since: datetime  # the failing task was scheduled then


@dataclass(frozen=True)
class Answer:
    """What Temporal said; `known` is false when it said nothing in time."""

    known: bool
    runs: tuple[FailingRun, ...] = ()
    more: bool = False  # there are more than are listed


class Failing:
    def __init__(self, link: TemporalLink) -> None:
        self._link = link
        self._lock = asyncio.Lock()
        self._asked_at = 0.0
        self._answer: Answer | None = None

    async def ask(self) -> Answer:
        async with self._lock:
            if self._answer is None or time.monotonic() - self._asked_at > FRESH_SECONDS:
                self._answer = await self._ask()
                self._asked_at = time.monotonic()
            return self._answer

    async def _ask(self) -> Answer:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                client = await self._link.client()
                # Asked for one more than are shown, to know whether there are more.
                ids = [run.id async for run in client.list_workflows(FAILING, limit=MOST + 1)]
                runs = await asyncio.gather(*(_look(client, workflow_id) for workflow_id in ids[:MOST]))
        except (ApiError, RPCError, RuntimeError, OSError, TimeoutError):
            return Answer(known=False)
        return Answer(known=True, runs=tuple(run for run in runs if run is not None), more=len(ids) > MOST)


async def _look(client: Client, workflow_id: str) -> FailingRun | None:
    """Since when, and why; None when it has recovered in the meantime."""
    described = await client.get_workflow_handle(workflow_id).describe()
    raw = described.raw_description
    if not raw.HasField("pending_workflow_task"):
        return None
    task = raw.pending_workflow_task
    problems = [str(value) for value in described.search_attributes.get("TemporalReportedProblems", [])]
    since = task.original_scheduled_time.ToDatetime(UTC) if task.HasField("original_scheduled_time") else (
        described.start_time)  # fmt: skip
    return FailingRun(workflow_id, _cause(problems), task.attempt, since)


def _cause(problems: list[str]) -> str:
    """`cause=WorkflowTaskFailedCauseNonDeterministicError` without the words that every cause has."""
    for problem in problems:
        if problem.startswith("cause="):
            return re.sub(r"^(WorkflowTask(Failed|TimedOut)Cause)", "", problem.removeprefix("cause=")) or problem
    return problems[0] if problems else "Unknown"


def overdue_from(run: FailingRun, patience: timedelta) -> datetime:
    """A run that fails has no deadline of its own; it gets the one that a waiting step has."""
    return run.since + patience
