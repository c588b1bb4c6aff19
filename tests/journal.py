"""What row activities are given besides their call."""

from __future__ import annotations

from domain.journal import JournalBatch, Projection


def no_events(deployment_id: str) -> JournalBatch:
    """A batch of a run that has nothing to say: rows change, the journal does not."""
    shown = Projection(status="provisioning", phase="running", attention="none")
    return JournalBatch(deployment_id=deployment_id, run_id="run", family="provisioning", events=[], projection=shown)
