"""An account's budget of calls, kept once for all processes. Its arithmetic is in domain/budgets.py, its clock is the
database's. Each is one short transaction of the caller's."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.models_clouds import CallBudget
from domain.budgets import Pace, Standing, blocked, fitted, slot, taken

# Nobody is told to stay away for longer on account of the line alone: who left it may never come back.
LONGEST_LINE = timedelta(seconds=60)


class Answer(NamedTuple):
    """`granted` says whether the call was taken, for the moment `at`; if not, that is when to ask again."""

    granted: bool
    now: datetime
    at: datetime

    @property
    def wait(self) -> float:
        """Seconds from now."""
        return (self.at - self.now).total_seconds()


async def take(
    session: AsyncSession, provider_id: uuid.UUID, paces: Mapping[str, Pace], *, patience: timedelta
) -> Answer:
    """One call of each class, or of none: in the first slot that all have, if that is not further off than `patience`.

    Those who are sent away are spread behind each other by the pace of the narrowest class, so that they do not all
    come back at once. That reserves nothing for them.
    """
    rows, now = await _locked(session, provider_id, paces)
    standings = {row.calls: fitted(Standing(row.free_at, row.blocked_until), paces[row.calls], now) for row in rows}
    at = slot(now, [(standings[calls], paces[calls]) for calls in paces])
    if at - now <= patience:
        for row in rows:
            row.free_at = taken(standings[row.calls], paces[row.calls], at).free_at
            row.taken += 1
        return Answer(True, now, at)
    narrowest = max(rows, key=lambda row: slot(now, [(standings[row.calls], paces[row.calls])]))
    behind = max(at, (narrowest.line_until or at) + paces[narrowest.calls].spacing)
    narrowest.line_until = max(at, min(behind, now + LONGEST_LINE))
    narrowest.deferred += 1
    return Answer(False, now, narrowest.line_until)


async def block(session: AsyncSession, provider_id: uuid.UUID, calls: str, pace: Pace, seconds: float) -> None:
    """The cloud itself refused a call of this class and wants none for so many seconds."""
    rows, now = await _locked(session, provider_id, {calls: pace})
    for row in rows:
        standing = Standing(row.free_at, row.blocked_until)
        row.free_at, row.blocked_until = blocked(standing, pace, now + timedelta(seconds=seconds))
        row.refused += 1


async def _locked(
    session: AsyncSession, provider_id: uuid.UUID, paces: Mapping[str, Pace]
) -> tuple[list[CallBudget], datetime]:
    """The rows of these classes, locked, made where there are none yet; and the time, read under the locks."""
    of_these = CallBudget.provider_id == provider_id, CallBudget.calls.in_(paces)
    # Everybody locks in one order.
    query = select(CallBudget).where(*of_these).order_by(CallBudget.calls).with_for_update()
    rows = list(await session.scalars(query))
    if len(rows) < len(paces):
        new = [{"provider_id": provider_id, "calls": calls} for calls in sorted(paces)]
        await session.execute(insert(CallBudget).on_conflict_do_nothing(), new)
        rows = list(await session.scalars(query))
    return rows, (await session.execute(select(func.clock_timestamp()))).scalar_one()
