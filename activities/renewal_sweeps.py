"""The sweep of renewals: a drill makes certificates due, what is due gets a run each. What is not costs nothing."""

from __future__ import annotations

from datetime import UTC, datetime

from temporalio import activity
from temporalio.client import Client

from activities import _drills
from activities._context import Deps
from activities._errors import mapped
from activities._heartbeat import beating
from db.queries import certificates
from domain.certificates import RenewalCall
from domain.starting import renewal_start

BATCH = 100
MOST_STARTS = 1_000  # of one sweep; the next one comes in a minute


class RenewalSweepActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @activity.defn
    @mapped
    async def start_renewals(self) -> int:
        """Start a run for every certificate whose renewal is due, those first made due that a drill wants by now.

        Effect: the drill's certificates planned anew, workflows started. A claimed row is not due again for minutes,
        so that what a lost worker had claimed is started by a later sweep.
        Idempotency: a run's id is the certificate's; one that is under way is left alone.
        Undo: none.
        Heartbeat: throughout; at most a thousand starts.
        """
        async with beating():
            await _drills.release(self._deps, MOST_STARTS)
            started = 0
            while started < MOST_STARTS:
                found = await self._start(activity.client())
                started += found
                if found < BATCH:
                    break
            return started

    async def _start(self, client: Client) -> int:
        async with self._deps.db.begin() as session:
            rows = await certificates.claim_due(
                session, datetime.now(UTC), BATCH, polls=False, lease=certificates.STARTING
            )
        for row in rows:
            call = RenewalCall(certificate_id=str(row.id), policy=self._deps.config.policy)
            await client.start_workflow("RenewCertificate", call, **renewal_start(call))
        return len(rows)
