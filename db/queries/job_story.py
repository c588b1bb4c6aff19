"""The story of a job as it is polled. Read only, one statement each."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from db.queries.reading import Reader, Row

_AFTER = """
select position, kind, family, step, state, message, attempt, data, at
  from job_events where job_id = %s and position > %s order by position limit %s
"""
_STEPS = """
select job_id, step, state, data, at from job_events
 where kind = 'step' and job_id = any(%s) order by job_id, position
"""


async def events_after(reader: Reader, job_id: uuid.UUID, position: int, *, limit: int) -> list[Row]:
    return await reader.all(_AFTER, (job_id, position, limit))


async def step_events(reader: Reader, job_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[Row]]:
    """What each job told of its steps, in order; jobs without a word are missing."""
    found: dict[uuid.UUID, list[Row]] = {}
    for row in await reader.all(_STEPS, (list(job_ids),)):
        found.setdefault(row["job_id"], []).append(row)
    return found
