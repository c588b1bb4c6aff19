"""Placing an order: the rows one POST writes, in one transaction that either stands or leaves nothing.

Races are settled by the database: the slug by a partial unique index, a repeated request by the primary key of
idempotency_keys. A loser waits for the winner's commit and then sees its rows.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import new_id
from db.models import Deployment, IdempotencyKey, Organization, VpsInstance
from domain.provisioning import ProvisionOrder, RunInputs, RunPolicy
from domain.statuses import DeploymentType, Lifecycle, Tier


@dataclass(frozen=True)
class Answered:
    """What an Idempotency-Key was answered with before."""

    route: str
    request_hash: str
    status_code: int
    response: dict[str, Any]


async def claim_key(
    session: AsyncSession, principal: str, key: str, *, route: str, request_hash: str
) -> Answered | None:
    """None: the key is this transaction's now. Else the earlier answer; a transaction under way is waited for."""
    claimed = await session.execute(
        insert(IdempotencyKey)
        .values(principal=principal, key=key, route=route, request_hash=request_hash, status_code=202, response={})
        .on_conflict_do_nothing()
        .returning(IdempotencyKey.key)
    )
    if claimed.scalar_one_or_none() is not None:
        return None
    row = await session.get_one(IdempotencyKey, (principal, key))
    return Answered(row.route, row.request_hash, row.status_code, row.response)


async def keep_answer(session: AsyncSession, principal: str, key: str, status: int, body: dict[str, Any]) -> None:
    await session.execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.principal == principal, IdempotencyKey.key == key)
        .values(status_code=status, response=body)
    )


async def organization_for(
    session: AsyncSession, name: str, slug: str, *, within: uuid.UUID | None = None
) -> Organization | None:
    """The organization of this slug, made if new; None when the slug belongs to another name, or, `within` a tenant,
    to anybody else."""
    made = insert(Organization).values(id=new_id(), name=name, slug=slug, tenant_id=within)
    await session.execute(made.on_conflict_do_nothing(index_elements=["slug"]))
    row = (await session.execute(select(Organization).where(Organization.slug == slug))).scalar_one()
    return row if _is_meant(row, name, within) else None


def _is_meant(row: Organization, name: str, within: uuid.UUID | None) -> bool:
    return row.name.casefold() == name.casefold() and within in (None, row.tenant_id)


async def organization_exists(session: AsyncSession, organization_id: uuid.UUID) -> bool:
    return await session.get(Organization, organization_id) is not None


async def slug_is_taken(session: AsyncSession, slug: str) -> bool:
    query = select(Deployment.id).where(Deployment.slug == slug, Deployment.ended_at.is_(None))
    return (await session.execute(query)).first() is not None


async def slug_belongs_to_other(
    session: AsyncSession, name: str, slug: str, *, within: uuid.UUID | None = None
) -> bool:
    found = (await session.execute(select(Organization).where(Organization.slug == slug))).scalar_one_or_none()
    return found is not None and not _is_meant(found, name, within)


async def insert_deployment(session: AsyncSession, values: dict[str, Any]) -> Deployment | None:
    """None when a living deployment has the slug, whoever was first."""
    made = await session.execute(
        insert(Deployment)
        .values(id=new_id(), **values)
        .on_conflict_do_nothing(index_elements=["slug"], index_where=text("ended_at is null"))
        .returning(Deployment)
    )
    return made.scalar_one_or_none()


@dataclass(frozen=True)
class Candidate:
    """A server an order asks for, and how many of its places are neither taken nor promised."""

    is_shared: bool
    active: bool
    free: int


async def shared_server(session: AsyncSession, vps_id: uuid.UUID, *, lock: bool) -> Candidate | None:
    """The server as an order sees it. Locked while the order is written, so that its last place is promised once."""
    query = select(VpsInstance).where(VpsInstance.id == vps_id)
    row = (await session.execute(query.with_for_update() if lock else query)).scalar_one_or_none()
    if row is None:
        return None
    promised = await session.execute(
        select(func.count())
        .select_from(Deployment)
        .where(Deployment.requested_vps_id == vps_id, Deployment.vps_id.is_(None), Deployment.ended_at.is_(None))
    )
    free = row.max_organizations - row.current_organizations - promised.scalar_one()
    return Candidate(row.is_shared, row.lifecycle == Lifecycle.ACTIVE, free)


def order_of(row: Deployment, policy: RunPolicy) -> ProvisionOrder:
    """The workflow's input, from the row alone: whoever starts the run starts the same one."""
    return ProvisionOrder(
        deployment_id=str(row.id),
        slug=row.slug,
        fqdn=row.assigned_subdomain,
        deployment_type=DeploymentType(row.deployment_type),
        tier=Tier(row.tier),
        vps_id=str(row.requested_vps_id) if row.requested_vps_id else None,
        inputs=RunInputs.model_validate(row.inputs),
        policy=policy,
    )


async def mark_started(session: AsyncSession, deployment_id: uuid.UUID) -> None:
    await session.execute(
        update(Deployment)
        .where(Deployment.id == deployment_id, Deployment.started_at.is_(None))
        .values(started_at=func.now())
        .execution_options(synchronize_session=False)
    )
