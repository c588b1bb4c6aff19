"""Certificates as the policy of renewals sees them: what is due, what was tried, what is next.

Whoever changes a fact of a row plans anew in the same transaction (`plan`), so that a row always says what is next.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import Deployment
from db.models_certificates import Certificate, CertificateOrder
from db.models_sales import Subscription
from db.queries import delivery
from db.queries.runs import load
from domain import renewal
from domain.certificates import HolderKind
from domain.errors import clip
from domain.renewal_retries import FailureKind, Failures

LEASE = timedelta(minutes=30)  # what was claimed and then lost is due again after it
STARTING = timedelta(minutes=3)  # the same for what a sweep was about to start; a run that begins takes the whole lease
TROUBLED_AFTER = 3  # tries that failed, one after the other
NOT_YET = timedelta(hours=1)  # a holder that is still being made has its own run


class CertificateMissing(LookupError):
    """No certificate has this id."""


def holder_of(row: Certificate) -> tuple[HolderKind, uuid.UUID]:
    if row.deployment_id is not None:
        return HolderKind.DEPLOYMENT, row.deployment_id
    assert row.subscription_id is not None  # by the constraint of the table
    return HolderKind.SUBSCRIPTION, row.subscription_id


async def get(session: AsyncSession, certificate_id: str | uuid.UUID, *, lock: bool = False) -> Certificate:
    row = await session.get(Certificate, uuid.UUID(str(certificate_id)), with_for_update=lock)
    if row is None:
        raise CertificateMissing(f"no certificate {certificate_id}")
    return row


async def to_install(session: AsyncSession, holder_id: uuid.UUID) -> Certificate | None:
    """The newest of a deployment or a subscription. What another one has replaced comes last: it may live longer, as an
    uploaded one does that was withdrawn."""
    query = (
        select(Certificate)
        .where((Certificate.deployment_id == holder_id) | (Certificate.subscription_id == holder_id))
        .order_by(Certificate.superseded_at.is_not(None), Certificate.not_after.desc(), Certificate.created_at.desc())
        .limit(1)
    )
    return (await session.execute(query)).scalar_one_or_none()


# ---- planning -------------------------------------------------------------------------------------------------------


def facts(row: Certificate, *, polls: bool = True) -> renewal.Certificate:
    window = None
    if row.window_start is not None and row.window_end is not None:
        window = renewal.Window(row.window_start, row.window_end)
    rehearsals = None
    if row.rehearsed_at is not None:
        rehearsals = renewal.Rehearsals(row.rehearsals_failed, row.rehearsal_passed, row.rehearsed_at)
    return renewal.Certificate(
        id=str(row.id), not_before=row.not_before, not_after=row.not_after, window=window, polls=polls,
        next_poll=row.next_poll, failures=failures(row), rehearsals=rehearsals, revoked=row.revoked,
        replace_after=row.replace_after, uploaded=row.shared_id is not None, brought=row.awaits_id is not None,
    )  # fmt: skip


def failures(row: Certificate) -> Failures | None:
    if row.failure_kind is None or row.failed_at is None:
        return None
    return Failures(row.failures, FailureKind(row.failure_kind), row.failed_at, row.limited_until)


def plan(
    row: Certificate, now: datetime, rules: renewal.RenewalRules = renewal.DEFAULT_RULES, *, polls: bool = True
) -> renewal.Plan:
    """`polls`: we still speak to the CA that issued it."""
    made = renewal.plan(facts(row, polls=polls), now, rules)
    row.renew_after, row.next_action, row.why, row.urgent = made.at, made.action.value, made.why, made.urgent
    troubled = made.urgent or row.failures >= TROUBLED_AFTER
    row.troubled_since = (row.troubled_since or now) if troubled else None
    return made


def rest(row: Certificate, why: str) -> None:
    """Nothing is next for it."""
    row.renew_after, row.next_action, row.why, row.urgent, row.troubled_since = None, "", why, False, None


def postpone(row: Certificate, until: datetime, why: str) -> None:
    row.renew_after, row.why = until, why
    row.next_action = row.next_action or renewal.Action.RENEW.value


# ---- what happened --------------------------------------------------------------------------------------------------


def note_window(row: Certificate, start: datetime | None, end: datetime | None, explanation_url: str) -> None:
    """A CA that has none to give takes an earlier one back."""
    row.window_start, row.window_end, row.explanation_url = start, end, explanation_url


def note_failure(row: Certificate, at: datetime, kind: FailureKind, message: str, until: datetime | None) -> None:
    row.failures += 1
    row.failure_kind, row.failure_message = kind.value, clip(message)
    row.failed_at, row.limited_until = at, until


def note_rehearsal(row: Certificate, at: datetime, message: str, *, passed: bool) -> None:
    begun = row.rehearsed_at is not None and row.failed_at is not None and row.rehearsed_at >= row.failed_at
    row.rehearsals_failed = (row.rehearsals_failed if begun else 0) + (0 if passed else 1)
    row.rehearsal_passed, row.rehearsed_at = passed, at
    if not passed:
        row.failure_message = clip(message)


def supersede(row: Certificate, at: datetime) -> None:
    rest(row, "another one took its place")
    row.superseded_at = row.superseded_at or at


async def successor(session: AsyncSession, row: Certificate) -> Certificate | None:
    """The newest that was issued to take its place and is not served yet."""
    query = (
        select(Certificate)
        .where(Certificate.renews_id == row.id, Certificate.superseded_at.is_(None), Certificate.revoked.is_(False))
        .order_by(Certificate.not_after.desc())
        .limit(1)
    )
    return (await session.execute(query)).scalar_one_or_none()


async def supersede_others(session: AsyncSession, row: Certificate, at: datetime) -> None:
    """What was issued before for the same holder is not looked after any more."""
    column = Certificate.deployment_id if row.deployment_id is not None else Certificate.subscription_id
    await session.execute(
        update(Certificate)
        .where(column == holder_of(row)[1], Certificate.id != row.id, Certificate.superseded_at.is_(None))
        .values(
            superseded_at=at,
            renew_after=None,
            next_action="",
            why="another one took its place",
            urgent=False,
            troubled_since=None,
        )
    )


async def holder_lives(session: AsyncSession, row: Certificate) -> bool | None:
    """Whether its names are served; None where its holder has come to its end."""
    kind, ref = holder_of(row)
    table = Deployment if kind is HolderKind.DEPLOYMENT else Subscription
    query = select(table.activated_at, table.ended_at).where(table.id == ref)
    activated_at, ended_at = (await session.execute(query)).one()
    return None if ended_at is not None else activated_at is not None


async def served_names(session: AsyncSession, row: Certificate) -> list[str]:
    """What its holder answers to now; a name may have come or gone since it was issued."""
    kind, ref = holder_of(row)
    if kind is HolderKind.DEPLOYMENT:
        return [(await load(session, ref)).deployment.assigned_subdomain]
    return (await delivery.load(session, ref)).names


# ---- what is due ----------------------------------------------------------------------------------------------------

# The conditions stand as in the indexes: with a parameter in their place the planner could not use them.
POLLS = text("next_action = 'poll'")
RENEWALS = text("next_action in ('renew','rehearse','second_ca','emergency')")


async def claim_due(
    session: AsyncSession, now: datetime, limit: int, *, polls: bool, lease: timedelta = LEASE
) -> list[Certificate]:
    """Take what is due, the longest first, past what others hold. Not due again before the lease is over."""
    query = (
        select(Certificate)
        .where(Certificate.renew_after <= now, POLLS if polls else RENEWALS)
        .order_by(Certificate.renew_after)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = list((await session.execute(query)).scalars())
    for row in rows:
        row.renew_after = now + lease
    return rows


# ---- orders that are open at a CA -----------------------------------------------------------------------------------


async def open_order(session: AsyncSession, holder_id: uuid.UUID, directory_url: str) -> CertificateOrder | None:
    return await session.get(CertificateOrder, (holder_id, directory_url))


async def remember_order(
    session: AsyncSession, holder_id: uuid.UUID, directory_url: str, url: str, csr_pem: str
) -> None:
    await session.merge(
        CertificateOrder(holder_id=holder_id, directory_url=directory_url, url=url, csr_pem=csr_pem)
    )  # fmt: skip


async def forget_order(session: AsyncSession, holder_id: uuid.UUID, directory_url: str) -> None:
    found = await session.get(CertificateOrder, (holder_id, directory_url))
    if found is not None:
        await session.delete(found)
