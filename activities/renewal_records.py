"""A renewal's rows: what is to be done for a certificate, and what became of it."""

from __future__ import annotations

from datetime import UTC, datetime

from temporalio import activity

from activities._cas import can_be_asked, rules_of
from activities._context import Deps
from activities._errors import mapped
from db.models_certificates import Certificate
from db.queries import certificates
from domain.certificates import Renewal, RenewalCall, RenewalEnd
from domain.challenges import is_wildcard, with_wildcard
from domain.renewal import Action, Plan


class RenewalRecordActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @activity.defn
    @mapped
    async def begin_renewal(self, call: RenewalCall) -> Renewal | None:
        """What is due for the certificate now; None where nothing is, and its row says what is next.

        Effect: the plan on its row, put at rest where its holder has ended.
        Idempotency: facts and the moment alone decide.
        Undo: none.
        Heartbeat: none, rows only.
        """
        now = datetime.now(UTC)
        async with self._deps.db.begin() as session:
            row = await certificates.get(session, call.certificate_id, lock=True)
            if row.superseded_at is not None:
                return None
            lives = await certificates.holder_lives(session, row)
            if lives is None:
                certificates.rest(row, "what it was issued for has come to its end")
                return None
            if not lives:
                certificates.postpone(row, now + certificates.NOT_YET, "what it was issued for is still being made")
                return None
            plan = self._plan(row, now)
            due = plan.action is not Action.POLL and plan.at <= now
            if not due and not call.forced:
                return None
            certificates.postpone(row, now + certificates.LEASE, "its renewal is under way")
            kind, ref = certificates.holder_of(row)
            action = plan.action if due else Action.RENEW
            brought = row.awaits_id if _takes_what_was_brought(row, action) else None
            fresh_key = row.revoked or row.replace_key or call.fresh_key or row.shared_id is not None
            served = await certificates.served_names(session, row)
            # A wildcard that was uploaded says nothing of what this holder needs.
            usual = row.shared_id is None and any(map(is_wildcard, row.names))
            wildcard = usual if call.wildcard is None else call.wildcard
            return Renewal(
                certificate_id=str(row.id), holder_kind=kind, holder_id=str(ref),
                names=with_wildcard(served) if wildcard else served, served=served, challenge=call.challenge,
                action=action, fresh_key=fresh_key, shared_id=str(brought or ""),
                old_serves=not fresh_key and brought is None and now < row.not_after,
            )  # fmt: skip

    @activity.defn
    @mapped
    async def end_renewal(self, end: RenewalEnd) -> None:
        """Write down how it ended and what is next: for the successor where there is one, else for the certificate.

        Effect: the old certificate superseded and its successor planned, or a failure or rehearsal noted.
        Idempotency: an end that was written is known by its moment.
        Undo: none.
        Heartbeat: none, rows only.
        """
        async with self._deps.db.begin() as session:
            row = await certificates.get(session, end.renewal.certificate_id, lock=True)
            if end.failed is None and end.successor_id:
                made = await certificates.get(session, end.successor_id, lock=True)
                certificates.supersede(row, end.at)
                await session.flush()
                await certificates.supersede_others(session, made, end.at)
                self._plan(made, end.at)
                return
            if end.at in (row.failed_at, row.rehearsed_at) or row.superseded_at is not None:
                return
            if end.renewal.action is Action.REHEARSE:
                said = end.failed.message if end.failed is not None else ""
                certificates.note_rehearsal(row, end.at, said, passed=end.failed is None)
            elif end.failed is not None:
                failed = end.failed
                certificates.note_failure(row, end.at, failed.kind, failed.message, failed.until)
            self._plan(row, end.at)

    def _plan(self, row: Certificate, now: datetime) -> Plan:
        return certificates.plan(row, now, rules_of(self._deps), polls=can_be_asked(self._deps, row))


def _takes_what_was_brought(row: Certificate, action: Action) -> bool:
    """Not where it failed again and again and time is short: then our own CA is asked, so that nothing goes dark."""
    if action is Action.RENEW:
        return True
    return action is Action.EMERGENCY and row.failures < certificates.TROUBLED_AFTER
