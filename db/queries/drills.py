"""Drills: which certificates one takes, which are next, and how far it is."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from db.models_certificates import Certificate, CertificateDrill
from domain.drills import UNFINISHED, DrillState

# What has a plan is served. One that was uploaded has no CA of ours; it is replaced where it is withdrawn.
_ISSUED = Certificate.renew_after.is_not(None) & Certificate.shared_id.is_(None)


class AnotherDrill(Exception):
    """One is under way."""


class NothingToReplace(Exception):
    """No certificate is of that CA and kind of key."""


@dataclass(frozen=True)
class Progress:
    """Of a drill's certificates. `under_way`: made due and neither replaced nor at rest; some of these are `failing`,
    and tried again by the policy. `gone`: what they were issued for has come to its end."""

    waiting: int
    under_way: int
    failing: int
    replaced: int
    gone: int


async def begin(
    session: AsyncSession, *, id: uuid.UUID, directory_url: str, key_type: str, pace: int, fresh_key: bool, reason: str,
    by: str, now: datetime,
) -> CertificateDrill:  # fmt: skip
    """Take all that fit, as they are now: what is issued from here on, by this drill too, is none of it."""
    drill = CertificateDrill(
        id=id, directory_url=directory_url, key_type=key_type, pace_per_hour=pace, fresh_key=fresh_key, reason=reason,
        requested_by=by, state=DrillState.RUNNING.value, created_at=now, next_at=now, total=0,
    )  # fmt: skip
    session.add(drill)
    try:
        await session.flush()
    except IntegrityError:
        raise AnotherDrill("a drill is under way; stop it, or wait for its end") from None
    query = update(Certificate).where(_ISSUED)
    if directory_url:
        query = query.where(Certificate.directory_url == directory_url)
    if key_type:
        query = query.where(Certificate.key_type == key_type)
    taken = await session.execute(query.values(drill_id=drill.id, replace_after=None, replace_key=False))
    drill.total = int(getattr(taken, "rowcount", 0))
    if not drill.total:
        raise NothingToReplace("no certificate that is served was issued by that CA for that kind of key")
    return drill


async def get(session: AsyncSession, drill_id: uuid.UUID, *, lock: bool = False) -> CertificateDrill | None:
    return await session.get(CertificateDrill, drill_id, with_for_update=lock)


async def running(session: AsyncSession) -> CertificateDrill | None:
    """The one that makes certificates due, locked; None also where another sweep is at it."""
    query = select(CertificateDrill).where(CertificateDrill.ended_at.is_(None), CertificateDrill.state == "running")
    return (await session.execute(query.with_for_update(skip_locked=True))).scalar_one_or_none()


async def page(session: AsyncSession, *, offset: int, limit: int) -> tuple[int, list[CertificateDrill]]:
    """The last that began first."""
    total = (await session.execute(select(func.count()).select_from(CertificateDrill))).scalar_one()
    query = select(CertificateDrill).order_by(CertificateDrill.created_at.desc(), CertificateDrill.id)
    return total, list((await session.execute(query.offset(offset).limit(limit))).scalars())


async def next_of(session: AsyncSession, drill: CertificateDrill, limit: int) -> list[Certificate]:
    """Those that are next, the soonest to expire first, past what others hold."""
    query = (
        select(Certificate)
        # As in the index: with a parameter in its place the planner could not use it.
        .where(Certificate.drill_id == drill.id, text("drill_id is not null"), text("replace_after is null"),
               text("renew_after is not null"))
        .order_by(Certificate.not_after, Certificate.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )  # fmt: skip
    return list((await session.execute(query)).scalars())


async def progress(session: AsyncSession, drill: CertificateDrill) -> Progress:
    if drill.state not in UNFINISHED:
        left = drill.total - drill.replaced - drill.gone - drill.under_way
        return Progress(left, drill.under_way, 0, drill.replaced, drill.gone)
    c = Certificate
    replaced, at_rest = c.superseded_at.is_not(None), c.superseded_at.is_(None) & c.renew_after.is_(None)
    begun = c.renew_after.is_not(None) & c.replace_after.is_not(None)
    query = select(
        func.count().filter(c.renew_after.is_not(None) & c.replace_after.is_(None)),
        func.count().filter(begun),
        func.count().filter(begun & (c.failures > 0)),
        func.count().filter(replaced),
        func.count().filter(at_rest),
    ).where(c.drill_id == drill.id)
    return Progress(*(await session.execute(query)).one())


async def end(session: AsyncSession, drill: CertificateDrill, state: DrillState, now: datetime) -> None:
    """Write down how far it came. What was made due stays with the policy; what was not is let go."""
    found = await progress(session, drill)
    drill.replaced, drill.under_way, drill.gone = found.replaced, found.under_way, found.gone
    drill.state, drill.ended_at, drill.why = state.value, now, ""
    await session.execute(
        update(Certificate)
        .where(Certificate.drill_id == drill.id, Certificate.replace_after.is_(None))
        .values(drill_id=None)
    )


async def holdings(session: AsyncSession) -> list[tuple[str, str, int]]:
    """(directory of the CA, kind of key, how many are served), the most first: what a drill can be about."""
    number = func.count()
    query = (
        select(Certificate.directory_url, Certificate.key_type, number)
        .where(_ISSUED)
        .group_by(Certificate.directory_url, Certificate.key_type)
        .order_by(number.desc(), Certificate.directory_url, Certificate.key_type)
    )
    return [(ca, kind, count) for ca, kind, count in (await session.execute(query)).all()]
