"""The story of a job as it is polled. Read only, one statement."""

from __future__ import annotations

import uuid

from db.queries.reading import Reader, Row

_AFTER = """
select position, kind, family, step, state, message, attempt, data, at
  from job_events where job_id = %s and position > %s order by position limit %s
"""


async def events_after(reader: Reader, job_id: uuid.UUID, position: int, *, limit: int) -> list[Row]:
    return await reader.all(_AFTER, (job_id, position, limit))
