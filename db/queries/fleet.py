"""Lists: instances, servers, and the counts that metrics show. Read only."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import Deployment, Organization, VpsInstance
from db.queries.reading import Reader, Row
from domain.statuses import Lifecycle

_COUNTS = """
select status, phase, attention, count(*) as number from instance_deployments group by status, phase, attention
"""


@dataclass(frozen=True)
class InstanceFilter:
    status: str | None = None
    phase: str | None = None
    attention: str | None = None
    deployment_type: str | None = None
    tier: str | None = None
    search: str | None = None
    organization_id: uuid.UUID | None = None  # only this organization's, whatever else is asked
    tenant_id: uuid.UUID | None = None  # only those of this tenant's organizations


@dataclass(frozen=True)
class ListedInstance:
    deployment: Deployment
    organization_name: str
    vps_name: str | None
    vps_ip: str | None


async def list_instances(
    session: AsyncSession, wanted: InstanceFilter, *, offset: int, limit: int
) -> tuple[int, list[ListedInstance]]:
    """(how many match, one page of them, newest first)."""
    matching = _matching(wanted)
    total = (await session.execute(select(func.count()).select_from(matching.subquery()))).scalar_one()
    called = func.coalesce(func.nullif(VpsInstance.label, ""), VpsInstance.vps_name)  # as its owner calls it
    page = (
        select(Deployment, Organization.name, called, VpsInstance.vps_ip)
        .join(Organization, Organization.id == Deployment.organization_id)
        .outerjoin(VpsInstance, VpsInstance.id == Deployment.vps_id)
        .where(Deployment.id.in_(matching))
        .order_by(Deployment.created_at.desc(), Deployment.id.desc())
        .offset(offset)
        .limit(limit)
    )
    return total, [ListedInstance(*row) for row in await session.execute(page)]


def _matching(wanted: InstanceFilter) -> Select[uuid.UUID]:
    query = (
        select(Deployment.id)
        .join(Organization, Organization.id == Deployment.organization_id)
        .outerjoin(VpsInstance, VpsInstance.id == Deployment.vps_id)
    )
    for column in ("status", "phase", "attention", "deployment_type", "tier", "organization_id"):
        value = getattr(wanted, column)
        if value is not None:
            query = query.where(getattr(Deployment, column) == value)
    if wanted.tenant_id is not None:
        query = query.where(Organization.tenant_id == wanted.tenant_id)
    if wanted.search:
        text = wanted.search
        query = query.where(
            or_(
                Deployment.assigned_subdomain.icontains(text, autoescape=True),
                Deployment.admin_email.icontains(text, autoescape=True),
                Organization.name.icontains(text, autoescape=True),
                VpsInstance.vps_name.icontains(text, autoescape=True),
                VpsInstance.label.icontains(text, autoescape=True),
                VpsInstance.vps_ip == text,
            )
        )
    return query


async def list_servers(
    session: AsyncSession, *, shared: bool | None = None, available: bool | None = None
) -> list[VpsInstance]:
    """Servers that exist or are being made, by name. `available`: shared, active and with a free place."""
    room = and_(
        VpsInstance.is_shared,
        VpsInstance.lifecycle == Lifecycle.ACTIVE,
        VpsInstance.current_organizations < VpsInstance.max_organizations,
    )
    query = select(VpsInstance).where(VpsInstance.lifecycle != Lifecycle.TERMINATED).order_by(VpsInstance.vps_name)
    if shared is not None:
        query = query.where(VpsInstance.is_shared == shared)
    if available is not None:
        query = query.where(room if available else ~room)
    return list((await session.execute(query)).scalars())


async def organizations_on(session: AsyncSession, vps_id: uuid.UUID) -> list[tuple[Organization, Deployment]] | None:
    """Who lives on a server now; None when there is no such server."""
    if await session.get(VpsInstance, vps_id) is None:
        return None
    rows = await session.execute(
        select(Organization, Deployment)
        .join(Deployment, Deployment.organization_id == Organization.id)
        .where(Deployment.vps_id == vps_id, Deployment.ended_at.is_(None))
        .order_by(Organization.name)
    )
    return [(organization, deployment) for organization, deployment in rows]


async def counts(reader: Reader) -> list[Row]:
    """Deployments by status, phase and attention."""
    return await reader.all(_COUNTS)
