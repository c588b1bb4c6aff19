"""A renewal's rows: what is to be done for a certificate, and what became of it."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity

from activities._cas import can_be_asked, rules_of
from activities._context import Deps
from activities._errors import mapped
from db.models_certificates import Certificate
from db.queries import certificates, delivery
from db.queries.runs import load
from domain.certificates import HolderKind, Renewal, RenewalCall, RenewalEnd
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
            fresh_key = row.revoked or row.replace_key or call.fresh_key
            served = await _names(session, row)
            wildcard = any(map(is_wildcard, row.names)) if call.wildcard is None else call.wildcard
            return Renewal(
                certificate_id=str(row.id), holder_kind=kind, holder_id=str(ref),
                names=with_wildcard(served) if wildcard else served, served=served, challenge=call.challenge,
                action=plan.action if due else Action.RENEW, fresh_key=fresh_key,
                old_serves=not fresh_key and now < row.not_after,
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


async def _names(session: AsyncSession, row: Certificate) -> list[str]:
    """What its holder answers to now; a name may have come or gone since."""
    kind, ref = certificates.holder_of(row)
    if kind is HolderKind.DEPLOYMENT:
        return [(await load(session, ref)).deployment.assigned_subdomain]
    return (await delivery.load(session, ref)).names
