"""What can be learnt of a run that does not end: whose turn it is, and what it waits for."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError

TAIL = 12  # events
ANSWER = timedelta(seconds=30)


async def last_heard(handle: WorkflowHandle[Any, Any]) -> str:
    """Temporal's last events of it, what it has pending, and the run's own answer; its history stays in a file.

    The history replays: what its code waits for can be looked at afterwards, on any machine.
    """
    try:
        history = await handle.fetch_history()
        description = (await handle.describe()).raw_description
    except RPCError as error:
        return f"Temporal does not tell: {error.message}"
    with tempfile.NamedTemporaryFile("w", prefix="slipway-lost-", suffix=".json", delete=False) as file:
        file.write(history.to_json())
    tail = ", ".join(_told(event) for event in history.events[-TAIL:])
    task, activities = description.pending_workflow_task, len(description.pending_activities)
    waits = f"attempt {task.attempt} of a workflow task since {task.scheduled_time.ToDatetime():%H:%M:%S}" \
        if description.HasField("pending_workflow_task") else "no workflow task"  # fmt: skip
    return (f"Temporal's last events of it are {tail}; {waits} and {activities} activities are pending; "
            f"it says {await _progress(handle)}; its history: {Path(file.name)}")  # fmt: skip


def _told(event: Any) -> str:
    name = EventType.Name(event.event_type).removeprefix("EVENT_TYPE_").lower()
    return f"{event.event_id} {name} {event.event_time.ToDatetime():%H:%M:%S}"


async def _progress(handle: WorkflowHandle[Any, Any]) -> str:
    try:
        return str(await handle.query("progress", rpc_timeout=ANSWER))
    except Exception as error:
        return f"nothing ({type(error).__name__}: {error})"
