"""The sweep of lifecycles: by rows it decides, and rows it writes. What is to be done, runs of their own do."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from temporalio import activity

from activities._context import Deps
from activities._errors import mapped
from db.queries import lifecycle
from db.queries.changes import Letters
from domain.lifecycle import LifecycleReport

BATCH = 200  # of each kind; the next sweep takes the next ones


class LifecycleActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @activity.defn
    @mapped
    async def sweep_lifecycles(self) -> LifecycleReport:
        """Ask for what is due: suspensions, resumptions, ends, and the deletion of backups whose time is over.

        Effect: job rows, which the sweep of unstarted rows starts; states of payment; mails about them.
        Idempotency: each subscription is judged anew under its lock, and has one change at a time.
        Undo: none.
        Heartbeat: none, at most some hundreds of short transactions.
        """
        now = datetime.now(UTC)
        async with self._deps.db.begin() as session:
            found = await lifecycle.candidates(session, now, BATCH)
        report = LifecycleReport(looked_at=len(found))
        verdicts: Counter[str] = Counter()
        for ref in found:
            async with self._deps.db.begin() as session:
                letters = Letters(session, self._deps.keys, self._deps.config.portal_url, now)
                verdict = await lifecycle.act(session, ref, letters)
            if verdict is None:
                report.busy += 1
            else:
                verdicts[verdict] += 1
        report.verdicts = dict(verdicts)
        async with self._deps.db.begin() as session:
            report.backups = await lifecycle.ask_to_discard(session, now, BATCH)
        return report
