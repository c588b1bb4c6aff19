"""A drill's part of the sweep: certificates are made due at its pace, and from there on renewals are as always."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from activities._cas import can_be_asked, rules_of
from activities._context import Deps
from db.models_certificates import CertificateDrill
from db.queries import ca_ledger, certificates, drills
from domain.ca_catalogue import limits_of, order_for
from domain.drills import DrillState, released


async def release(deps: Deps, most: int) -> int:
    """Make due what the running drill's pace allows by now; end it where all is replaced. In one transaction, so that
    a worker that dies has released nothing or written down that it did."""
    now = datetime.now(UTC)
    async with deps.db.begin() as session:
        drill = await drills.running(session)
        if drill is None:
            return 0
        if await _held_up(deps, session, drill, now):
            return 0
        count, next_at = released(drill.pace_per_hour, drill.next_at, now)
        rows = await drills.next_of(session, drill, min(count, most))
        if count:
            drill.next_at = next_at
        for row in rows:
            row.replace_after, row.replace_key = now, drill.fresh_key
            certificates.plan(row, now, rules_of(deps), polls=can_be_asked(deps, row))
        if not rows:
            found = await drills.progress(session, drill)
            if not found.waiting and not found.under_way:
                await drills.end(session, drill, DrillState.DONE, now)
    return len(rows)


async def _held_up(deps: Deps, session: AsyncSession, drill: CertificateDrill, now: datetime) -> bool:
    """Where certificates move to another CA each is a new order: the account's own limit there stops the drill, and
    not one certificate after another by a failure of its own."""
    directory = deps.acme.directory_url
    if drill.directory_url == directory:
        return False
    # No names: the limits of the account alone.
    found = await ca_ledger.possible(session, directory, order_for([]), now, limits_of(directory))
    drill.why = "" if found.by is None else found.why
    if found.by is not None:
        drill.next_at = max(drill.next_at, found.at)
    return found.by is not None
