"""The rows of a zone's changes, as its run works through them. Local activities of that run."""

from __future__ import annotations

import uuid

from temporalio import activity

from activities._context import Deps
from activities._errors import mapped
from db.queries import zone_changes
from domain.zones import ChangeCall, ChangeEnd, ChangeKind, ChangeState, ZoneCall


class ZoneRecordActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @activity.defn
    @mapped
    async def next_change(self, call: ZoneCall) -> ChangeCall | None:
        """The zone's oldest change that waits.

        Effect: none, reads only.
        Idempotency: reads only.
        Undo: none.
        Heartbeat: none, one short transaction.
        """
        async with self._deps.db.begin() as session:
            change = await zone_changes.next_of(session, uuid.UUID(call.zone_id))
        if change is None:
            return None
        what = f"{change.name} {change.type}" if change.kind == ChangeKind.SET else change.kind
        return ChangeCall(change_id=str(change.id), summary=what)

    @activity.defn
    @mapped
    async def fail_change(self, end: ChangeEnd) -> None:
        """Write that a change was given up, and why.

        Effect: state, trouble and sentence on its row.
        Idempotency: a change that has ended stays as it is.
        Undo: none; whoever wants it asks again.
        Heartbeat: none, one short transaction.
        """
        async with self._deps.db.begin() as session:
            await zone_changes.end(
                session, uuid.UUID(end.change_id), ChangeState.FAILED, end.message, trouble=end.trouble)  # fmt: skip
