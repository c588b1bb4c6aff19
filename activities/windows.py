"""Renewal windows and revocations: asked for at CAs, many in one activity: a run for each question costs too much."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

from temporalio import activity

from activities._cas import can_be_asked, issuer_of, rules_of
from activities._context import Deps
from activities._errors import mapped
from activities._heartbeat import beating
from db.models_certificates import Certificate
from db.queries import certificates
from domain import renewal, revocation
from providers.acme.ari import RenewalInfo
from providers.acme.revocation import RevocationLists
from providers.errors import ProviderError

BATCH = 100
AT_ONCE = 8  # requests at a CA
POLL_SECONDS = 40.0  # after which no further batch is begun
DOWN_SECONDS = 1_800.0  # until a CA that did not answer is asked again


class WindowActivities:
    def __init__(self, deps: Deps, lists: RevocationLists | None = None) -> None:
        self._deps = deps
        self._lists = lists or RevocationLists()

    @activity.defn
    @mapped
    async def poll_windows(self) -> int:
        """Ask CAs for the windows that are due to be asked for (RFC 9773), and plan anew. Where a CA gives none, or one
        that is over, its list of revoked certificates is looked at.

        Effect: window, revocation, next question and plan on the rows. A CA that is down is asked once; no window is
        forgotten.
        Idempotency: reads at the CA; a row that was claimed and lost is due again after its lease.
        Undo: none.
        Heartbeat: throughout.
        """
        begun, polled, down = time.monotonic(), 0, dict[str, float]()
        async with beating():
            while time.monotonic() < begun + POLL_SECONDS:
                async with self._deps.db.begin() as session:
                    rows = await certificates.claim_due(session, datetime.now(UTC), BATCH, polls=True)
                gate = asyncio.Semaphore(AT_ONCE)
                await asyncio.gather(*(self._poll(row, gate, down) for row in rows))
                polled += len(rows)
                if len(rows) < BATCH:
                    break
        return polled

    async def _poll(self, row: Certificate, gate: asyncio.Semaphore, down: dict[str, float]) -> None:
        ca, info = issuer_of(self._deps, row.directory_url), None
        async with gate:
            if ca is not None and row.directory_url not in down:
                try:
                    info = await ca.renewal_info(row.chain_pem)
                except ProviderError as error:
                    down[row.directory_url] = max(error.retry_after or 0.0, DOWN_SECONDS)
                    activity.logger.warning("no window from %s: %s", row.directory_url, error.message)
            listed = await self._listed(row, info)
        await self._note(row, info, listed, down.get(row.directory_url, DOWN_SECONDS))

    async def _listed(self, row: Certificate, info: RenewalInfo | None) -> bool | None:
        """What the CA's list says of it; None where it need not be asked, or cannot be."""
        if info is not None:  # on the row in hand only; what is kept is written below
            certificates.note_window(row, info.start, info.end, info.explanation_url)
        if not revocation.to_be_looked_up(certificates.facts(row), datetime.now(UTC)):
            return None
        try:
            return await self._lists.revoked(row.chain_pem)
        except ProviderError as error:
            activity.logger.warning("%s", error.message)
            return None

    async def _note(self, seen: Certificate, info: RenewalInfo | None, listed: bool | None, pause: float) -> None:
        now, rules = datetime.now(UTC), rules_of(self._deps)
        async with self._deps.db.begin() as session:
            row = await certificates.get(session, seen.id, lock=True)
            if row.superseded_at is not None:
                return
            if info is not None:
                certificates.note_window(row, info.start, info.end, info.explanation_url)
                row.next_poll = renewal.next_poll(now, info.poll_after, str(row.id), rules)
            else:
                row.next_poll = now + timedelta(seconds=pause)
            row.revoked = revocation.is_revoked(certificates.facts(row), listed, now, rules)
            certificates.plan(row, now, rules, polls=can_be_asked(self._deps, row))
