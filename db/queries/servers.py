"""Bare servers (source 001): ordering one, finding whose it is, and what was asked of it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select, text, update
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import new_id
from db.models import Deployment, VpsInstance
from db.models_clouds import ServerAction, VpsPlan
from db.queries import reservation
from domain.servers import ActionCall, PowerAction, ServerOptions
from domain.statuses import DeploymentType, Lifecycle

HOUSE = ("House", "house")  # whose servers are that staff orders for nobody else
_ENDED = (Lifecycle.TERMINATED, Lifecycle.FAILED)


@dataclass(frozen=True)
class Owned:
    """A server and the run it came from, if it is a bare one; `plan` where an administrator sells this size."""

    vps: VpsInstance
    deployment: Deployment | None
    plan: VpsPlan | None


async def order_server(
    session: AsyncSession, deployment: dict[str, Any], *, label: str, base_domain: str, options: ServerOptions
) -> tuple[Deployment, VpsInstance]:
    """The rows of a bare server: its run's, its own with the intent of ordering it, and its one place, taken."""
    ordered = insert(Deployment).values(id=new_id(), **deployment).returning(Deployment)
    made = (await session.execute(ordered)).scalar_one()
    inputs = made.inputs
    vps, _, _ = await reservation.reserve(
        session, made.id, provider=inputs["provider"], provider_id=uuid.UUID(inputs["provider_id"]), shared_places=1,
        base_domain=base_domain)  # fmt: skip
    vps.label, vps.vps_hostname, vps.image = label, label, inputs["operating_system"]
    vps.product_name, vps.location = inputs["product"], inputs["availability_zone"]
    vps.options = options.model_dump(mode="json")
    await session.flush()
    return made, vps


async def living_of(session: AsyncSession, organization_id: uuid.UUID) -> int:
    """How many bare servers an organization has, or is getting. Orders of one organization wait for each other here."""
    key = func.hashtextextended(str(organization_id), 0)
    await session.execute(select(func.pg_advisory_xact_lock(key)))
    query = select(func.count()).select_from(Deployment).where(
        Deployment.organization_id == organization_id, Deployment.deployment_type == DeploymentType.SERVER,
        Deployment.ended_at.is_(None))  # fmt: skip
    return int((await session.execute(query)).scalar_one())


def _visible(organization_id: uuid.UUID | None) -> ColumnElement[bool]:
    """A customer sees the servers that are theirs alone; None sees all."""
    if organization_id is None:
        return VpsInstance.id.is_not(None)
    deployed = select(Deployment.id).where(
        Deployment.vps_id == VpsInstance.id, Deployment.organization_id == organization_id)  # fmt: skip
    theirs = deployed.correlate(VpsInstance).exists()
    return and_(~VpsInstance.is_shared, theirs)


async def find(session: AsyncSession, vps_id: uuid.UUID, organization_id: uuid.UUID | None) -> Owned | None:
    """None also where it is somebody else's."""
    found = await _owned(session, and_(VpsInstance.id == vps_id, _visible(organization_id)), 0, 1)
    return found[0] if found else None


async def page(
    session: AsyncSession, organization_id: uuid.UUID | None, wanted: dict[str, Any], *, offset: int, limit: int
) -> tuple[int, list[Owned]]:
    """(how many, one page of them, newest first). `wanted`: columns of the server and their values."""
    where = and_(
        _visible(organization_id),
        *(getattr(VpsInstance, column) == value for column, value in wanted.items() if value is not None),
        *(() if wanted.get("lifecycle") else (VpsInstance.lifecycle.not_in(_ENDED),)),
    )
    total = (await session.execute(select(func.count()).select_from(VpsInstance).where(where))).scalar_one()
    return int(total), await _owned(session, where, offset, limit)


async def _owned(session: AsyncSession, where: ColumnElement[bool], offset: int, limit: int) -> list[Owned]:
    bare = and_(Deployment.vps_id == VpsInstance.id, Deployment.deployment_type == DeploymentType.SERVER)
    sold = and_(VpsPlan.provider_id == VpsInstance.provider_id, VpsPlan.provider_plan_id == VpsInstance.product_name)
    query = (
        select(VpsInstance, Deployment, VpsPlan)
        .outerjoin(Deployment, bare)
        .outerjoin(VpsPlan, sold)
        .where(where)
        .order_by(VpsInstance.created_at.desc(), VpsInstance.id.desc())
        .offset(offset)
        .limit(limit)
    )
    return [Owned(*row) for row in await session.execute(query)]


async def carries(session: AsyncSession, vps_id: uuid.UUID) -> list[str]:
    """Slugs of the applications that live on it."""
    query = select(Deployment.slug).where(
        Deployment.vps_id == vps_id, Deployment.ended_at.is_(None),
        Deployment.deployment_type != DeploymentType.SERVER)  # fmt: skip
    return list((await session.execute(query)).scalars())


async def ask(session: AsyncSession, vps_id: uuid.UUID, action: str, requested_by: str) -> ServerAction | None:
    """Write what is asked of a server. None while another thing is being done to it."""
    made = await session.execute(
        insert(ServerAction)
        .values(id=new_id(), vps_id=vps_id, action=action, requested_by=requested_by, state="requested")
        .on_conflict_do_nothing(index_elements=["vps_id"], index_where=text("ended_at is null"))
        .returning(ServerAction)
    )
    return made.scalar_one_or_none()


async def under_way(session: AsyncSession, vps_id: uuid.UUID) -> ServerAction | None:
    query = select(ServerAction).where(ServerAction.vps_id == vps_id, ServerAction.ended_at.is_(None))
    return (await session.execute(query)).scalar_one_or_none()


async def newest_actions(session: AsyncSession, vps_id: uuid.UUID, limit: int = 20) -> list[ServerAction]:
    query = (
        select(ServerAction).where(ServerAction.vps_id == vps_id).order_by(ServerAction.created_at.desc()).limit(limit)
    )
    return list((await session.execute(query)).scalars())


async def newest_action_of(session: AsyncSession, vps_ids: list[uuid.UUID]) -> dict[uuid.UUID, ServerAction]:
    """By server; one that nothing was asked of is not in it."""
    query = (
        select(ServerAction)
        .where(ServerAction.vps_id.in_(vps_ids))
        .ext(distinct_on(ServerAction.vps_id))
        .order_by(ServerAction.vps_id, ServerAction.created_at.desc())
    )
    return {action.vps_id: action for action in (await session.execute(query)).scalars()}


async def action_started(session: AsyncSession, action_id: uuid.UUID) -> None:
    await session.execute(
        update(ServerAction)
        .where(ServerAction.id == action_id, ServerAction.started_at.is_(None))
        .values(started_at=func.now())
    )


async def begin_action(session: AsyncSession, action_id: uuid.UUID) -> bool:
    """Write that it is about to be sent. False where an earlier try has written so: whether it left is not known."""
    taken = (
        update(ServerAction)
        .where(ServerAction.id == action_id, ServerAction.sent_at.is_(None), ServerAction.ended_at.is_(None))
        .values(state="sent", sent_at=func.now())
        .returning(ServerAction.id)
    )
    return (await session.execute(taken)).scalar_one_or_none() is not None


async def never_sent(session: AsyncSession, action_id: uuid.UUID) -> None:
    """Take `begin_action` back: surely nothing was done."""
    await session.execute(
        update(ServerAction)
        .where(ServerAction.id == action_id, ServerAction.ended_at.is_(None))
        .values(state="requested", sent_at=None)
    )


async def end_action(
    session: AsyncSession, action_id: uuid.UUID, state: str, *, code: str | None = None, message: str | None = None
) -> None:
    """The first end stays."""
    await session.execute(
        update(ServerAction)
        .where(ServerAction.id == action_id, ServerAction.ended_at.is_(None))
        .values(state=state, ended_at=func.now(), error_code=code, error_message=message)
    )


def call_of(action: ServerAction, provider: str, provider_id: uuid.UUID | None) -> ActionCall:
    """The workflow's input, from the row alone: whoever starts it starts the same one."""
    return ActionCall(action_id=str(action.id), vps_id=str(action.vps_id), provider=provider,
                      action=PowerAction(action.action), provider_id=str(provider_id or ""))  # fmt: skip


async def unstarted_actions(session: AsyncSession, before: datetime, limit: int) -> list[ActionCall]:
    query = (
        select(ServerAction, VpsInstance.provider_type, VpsInstance.provider_id)
        .join(VpsInstance, VpsInstance.id == ServerAction.vps_id)
        .where(ServerAction.started_at.is_(None), ServerAction.created_at < before)
        .order_by(ServerAction.created_at)
        .limit(limit)
    )
    return [call_of(*row) for row in await session.execute(query)]
