"""Certificates as they are read: by staff all, by a customer those of the own organization."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import Deployment
from db.models_certificates import Certificate
from db.models_sales import Customer, Subscription
from db.queries.reading import Reader, Row

SOON = timedelta(days=14)
_LIVING = Certificate.superseded_at.is_(None)
# What a renewal has got and nobody serves yet is no certificate of its own.
SERVED = _LIVING & ((Certificate.renews_id.is_(None)) | (Certificate.renew_after.is_not(None)))


class CertificateState(StrEnum):
    """What may be asked for: `expiring` within two weeks, `failing` where the last try did not succeed."""

    LIVING = "living"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    FAILING = "failing"
    URGENT = "urgent"
    SUPERSEDED = "superseded"


@dataclass(frozen=True)
class CertificateFilter:
    """`organization_id`: of a customer, who sees no others. `name`: a part of one of its names."""

    state: CertificateState = CertificateState.LIVING
    name: str = ""
    organization_id: uuid.UUID | None = None


async def page(
    session: AsyncSession, wanted: CertificateFilter, now: datetime, *, offset: int, limit: int
) -> tuple[int, list[Certificate]]:
    """The next to expire first; of superseded ones the last that was."""
    query = _of(wanted.organization_id).where(_state(wanted.state, now))
    if wanted.name:
        named = func.array_to_string(Certificate.names, " ")
        query = query.where(named.contains(wanted.name.lower(), autoescape=True))
    total = (await session.execute(select(func.count()).select_from(query.subquery()))).scalar_one()
    superseded = wanted.state is CertificateState.SUPERSEDED
    order = Certificate.superseded_at.desc() if superseded else Certificate.not_after
    found = await session.execute(query.order_by(order, Certificate.id).offset(offset).limit(limit))
    return total, list(found.scalars())


async def of_domain(session: AsyncSession, domain: str, organization_id: uuid.UUID | None) -> Certificate | None:
    """The certificate that is served for the name: one that names it, else one whose wildcard covers it."""
    name = domain.lower()
    query = _of(organization_id).where(SERVED, Certificate.names.overlap([name, f"*.{name.partition('.')[2]}"]))
    query = query.order_by(Certificate.names.contains([name]).desc(), Certificate.not_after.desc())
    return (await session.execute(query.limit(1))).scalar_one_or_none()


async def domains(
    session: AsyncSession, organization_id: uuid.UUID | None, *, offset: int, limit: int
) -> tuple[int, list[tuple[str, Certificate]]]:
    """Each name that has a certificate, in order, with the one that is served for it."""
    served = _of(organization_id).where(SERVED).with_only_columns(
        Certificate.id, func.unnest(Certificate.names).label("name")
    ).subquery()  # fmt: skip
    total = (await session.execute(select(func.count()).select_from(served))).scalar_one()
    query = (
        select(served.c.name, Certificate)
        .join(Certificate, Certificate.id == served.c.id)
        .order_by(served.c.name, Certificate.id)
        .offset(offset)
        .limit(limit)
    )
    return total, [(name, row) for name, row in (await session.execute(query)).all()]


def _of(organization_id: uuid.UUID | None) -> Select[Certificate]:
    query = select(Certificate)
    if organization_id is None:
        return query
    deployments = select(Deployment.id).where(Deployment.organization_id == organization_id)
    subscriptions = (
        select(Subscription.id)
        .join(Customer, Customer.id == Subscription.customer_id)
        .where(Customer.organization_id == organization_id)
    )
    return query.where(
        or_(Certificate.deployment_id.in_(deployments), Certificate.subscription_id.in_(subscriptions))
    )  # fmt: skip


def _state(state: CertificateState, now: datetime) -> ColumnElement[bool]:
    conditions: dict[CertificateState, ColumnElement[bool]] = {
        CertificateState.LIVING: true(),
        CertificateState.EXPIRING: Certificate.not_after <= now + SOON,
        CertificateState.EXPIRED: Certificate.not_after <= now,
        CertificateState.FAILING: Certificate.failures > 0,
        CertificateState.URGENT: Certificate.urgent.is_(True),
    }
    if state is CertificateState.SUPERSEDED:
        return Certificate.superseded_at.is_not(None)
    return SERVED & conditions[state]


# ---- numbers --------------------------------------------------------------------------------------------------------

_EXPIRY = """
    select case when left_ <= interval '0' then 'expired' when left_ <= interval '1 day' then '1d'
                when left_ <= interval '7 days' then '7d' when left_ <= interval '14 days' then '14d'
                when left_ <= interval '30 days' then '30d' else 'later' end as within,
           count(*) as number, min(extract(epoch from left_))::float / 86400 as days
    from (select not_after - now() as left_ from certificates where renew_after is not null) living
    group by 1"""
_FAILING = """
    select failure_kind as kind, count(*) as number from certificates
    where renew_after is not null and failure_kind is not null group by 1"""
_DUE = """
    select coalesce(extract(epoch from now() - min(renew_after)), 0)::float as seconds
    from certificates where next_action in ('renew','rehearse','second_ca','emergency') and renew_after <= now()"""


async def expiry(reader: Reader) -> list[Row]:
    """(within, number, days): how many end within which time, and the days that the first of them has left."""
    return await reader.all(_EXPIRY)


async def failing(reader: Reader) -> list[Row]:
    return await reader.all(_FAILING)


async def waiting(reader: Reader) -> float:
    """Seconds that the renewal which is due the longest has waited for its run."""
    row: dict[str, Any] = await reader.one(_DUE) or {}
    return float(row.get("seconds") or 0)
