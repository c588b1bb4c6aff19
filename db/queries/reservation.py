"""Taking and giving back names, places and servers' rows, each in one transaction.

Placement is atomic by two locks: the server's row while its places are counted, and the unique (vps_id, place).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import new_id
from db.models import Deployment, Placement, ServerIntent, VpsInstance
from db.queries import providers
from db.queries.runs import DeploymentMissing, load
from domain import ids
from domain.provisioning import ServerQuote
from domain.statuses import DeploymentType, IntentState, Lifecycle

PLACEMENT_LOCK = 7466892


class NoAccount(Exception):
    """The account that was asked for does not exist at that cloud, or was removed."""


class NoPlace(Exception):
    """The shared server that was asked for has no free place, or takes none."""


@dataclass(frozen=True)
class Choice:
    """Where a deployment will live: on `vps` at `place`, or on a server that is yet to be ordered."""

    vps: VpsInstance | None
    place: int


async def choose(
    session: AsyncSession, deployment_type: DeploymentType, wanted: uuid.UUID | None, *, lock: bool
) -> Choice:
    """A place on a shared server, the fullest one first so that whole servers stay free; else a new server."""
    if deployment_type is DeploymentType.DEDICATED:
        return Choice(None, 0)
    if lock:
        # One placement at a time. Row locks alone are not enough: who waited for a server that is full by then would
        # get no row back and order a new server although another one still has room.
        await session.execute(select(func.pg_advisory_xact_lock(PLACEMENT_LOCK)))
    query = (
        select(VpsInstance)
        .where(VpsInstance.is_shared, VpsInstance.lifecycle == Lifecycle.ACTIVE)
        .where(VpsInstance.current_organizations < VpsInstance.max_organizations)
        .order_by(VpsInstance.current_organizations.desc(), VpsInstance.created_at)
        .limit(1)
    )
    if wanted is not None:
        query = query.where(VpsInstance.id == wanted)
    vps = (await session.execute(query.with_for_update() if lock else query)).scalar_one_or_none()
    if vps is None:
        if wanted is not None:
            raise NoPlace(f"server {wanted} is not a shared server with a free place")
        return Choice(None, 0)
    taken = set((await session.execute(select(Placement.place).where(Placement.vps_id == vps.id))).scalars())
    return Choice(vps, next(n for n in range(vps.max_organizations) if n not in taken))


async def next_server_name(session: AsyncSession, slug: str) -> str:
    """`acme-vps-1`, and the next number where the slug had servers before."""
    used = select(func.count()).select_from(VpsInstance).where(VpsInstance.vps_name.like(f"{slug}-vps-%"))
    return ids.server_name(slug, 1 + int((await session.execute(used)).scalar_one()))


async def reserve(
    session: AsyncSession, deployment_id: uuid.UUID, *, provider: str, provider_id: uuid.UUID | None = None,
    shared_places: int, base_domain: str,
) -> tuple[VpsInstance, Placement, ServerIntent | None]:  # fmt: skip
    """Give the deployment its server row, its place and, for a new server, the intent of ordering it. Repeatable.

    NoAccount where the account that was asked for is none of this provider's.
    """
    deployment = (
        await session.execute(select(Deployment).where(Deployment.id == deployment_id).with_for_update())
    ).scalar_one()
    facts = await load(session, deployment_id)
    if facts.vps is not None and facts.placement is not None:
        return facts.vps, facts.placement, facts.intent if _ordered_by(facts.intent, deployment_id) else None

    choice = await choose(session, DeploymentType(deployment.deployment_type), deployment.requested_vps_id, lock=True)
    intent = None
    vps = choice.vps
    if vps is None:
        shared = deployment.deployment_type == DeploymentType.SHARED
        name = await next_server_name(session, deployment.slug)
        vps = VpsInstance(
            id=new_id(), vps_name=name, vps_hostname=f"{name}.{base_domain}", lifecycle=Lifecycle.PROVISIONING,
            provider_type=provider, provider_id=await _account(session, provider, provider_id), is_shared=shared,
            max_organizations=shared_places if shared else 1,
            current_organizations=0, specs={},
        )  # fmt: skip
        session.add(vps)
        await session.flush()
        intent_id = new_id()
        intent = ServerIntent(
            id=intent_id, vps_id=vps.id, deployment_id=deployment_id, provider=provider,
            correlation=ids.correlation(str(intent_id)), state=IntentState.INTENDED,
        )  # fmt: skip
        session.add(intent)
    placement = Placement(id=new_id(), vps_id=vps.id, deployment_id=deployment_id, place=choice.place)
    session.add(placement)
    vps.current_organizations += 1
    deployment.vps_id = vps.id
    await session.flush()
    return vps, placement, intent


async def _account(session: AsyncSession, provider: str, wanted: uuid.UUID | None) -> uuid.UUID | None:
    """The account a new server will live at, kept from being removed; None while there is none for this provider."""
    if wanted is None:
        found = await providers.standing_for(session, provider, hold=True)
        return found.id if found else None
    row = await providers.get(session, wanted, hold=True)
    if row is None or row.type != provider:
        raise NoAccount(f"there is no such account at {provider}")
    return row.id


async def settle_account(session: AsyncSession, vps: VpsInstance) -> None:
    """A server that was reserved before there was an account gets the one there is now, once and for all."""
    if vps.provider_id is None:
        account = await _account(session, vps.provider_type, None)
        unsettled = update(VpsInstance).where(VpsInstance.id == vps.id, VpsInstance.provider_id.is_(None))
        await session.execute(unsettled.values(provider_id=account).execution_options(synchronize_session=False))
        await session.refresh(vps)


def _ordered_by(intent: ServerIntent | None, deployment_id: uuid.UUID) -> bool:
    return intent is not None and intent.deployment_id == deployment_id


async def others_on(session: AsyncSession, vps_id: uuid.UUID, deployment_id: uuid.UUID) -> int:
    query = select(func.count()).select_from(Placement).where(
        Placement.vps_id == vps_id, Placement.deployment_id != deployment_id)  # fmt: skip
    return int((await session.execute(query)).scalar_one())


async def note_price(session: AsyncSession, deployment_id: uuid.UUID, quote: ServerQuote) -> None:
    """Write down what the cloud asks: price on the deployment, price and product on its server."""
    price = {"price_cents_month": quote.price_cents_month, "currency": quote.currency}
    placed = update(Deployment).where(Deployment.id == deployment_id).values(price)
    vps_id = (await session.execute(placed.returning(Deployment.vps_id))).scalar_one_or_none()
    if vps_id is None:
        raise DeploymentMissing(f"deployment {deployment_id} has no server yet")
    described = price | {
        "product_name": quote.product, "location": quote.availability_zone, "hourly_rate": quote.hourly}  # fmt: skip
    await session.execute(update(VpsInstance).where(VpsInstance.id == vps_id).values(described))


async def release(session: AsyncSession, deployment_id: uuid.UUID) -> None:
    """Give the place back. The server's row stays: what it was and cost is history."""
    placement = (
        await session.execute(select(Placement).where(Placement.deployment_id == deployment_id).with_for_update())
    ).scalar_one_or_none()
    if placement is None:
        return
    await session.execute(
        update(VpsInstance)
        .where(VpsInstance.id == placement.vps_id, VpsInstance.current_organizations > 0)
        .values(current_organizations=VpsInstance.current_organizations - 1)
    )
    await session.delete(placement)
