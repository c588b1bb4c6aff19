"""A paid order's row: every step of it is taken against what was read before, so that two tries never take the same.

A try that Temporal has given up may still be at work. What it and its successor do to one order is settled here: the
later one finds the row changed and looks again.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Update, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import ServerIntent, VpsInstance
from db.queries import inventory
from domain.provisioning import Placement
from domain.statuses import IntentState


@dataclass(frozen=True)
class Listed:
    """A server as the cloud lists it: its name there, its address where it has one, and what the ledger shows of it."""

    provider_ref: str
    address: str | None
    label: str = ""
    product: str = ""
    status: str = ""


async def begin_sending(session: AsyncSession, seen: ServerIntent) -> bool:
    """Write that the order is about to leave. False: another try was quicker, or the order was given up meanwhile."""
    ours = update(ServerIntent).where(
        ServerIntent.id == seen.id, ServerIntent.sends == seen.sends, ServerIntent.provider == seen.provider,
        ServerIntent.state.in_((IntentState.INTENDED, IntentState.SENT)),
    )  # fmt: skip
    taken = ours.values(state=IntentState.SENT, sent_at=func.now(), sends=seen.sends + 1, action_ref=None)
    return (await session.execute(taken.returning(ServerIntent.id))).scalar_one_or_none() is not None


async def never_sent(session: AsyncSession, seen: ServerIntent) -> None:
    """Take `begin_sending` back: the order surely bought nothing."""
    await session.execute(_sent(seen).values(state=IntentState.INTENDED, sent_at=None))


async def move(session: AsyncSession, deployment_id: uuid.UUID, to: Placement) -> bool:
    """Point an order that bought nothing at another place. False where something was, or may have been, bought."""
    query = select(ServerIntent).where(ServerIntent.deployment_id == deployment_id).with_for_update()
    ours = (await session.execute(query)).scalar_one()
    account = uuid.UUID(to.provider_id) if to.provider_id else None
    vps = await session.get_one(VpsInstance, ours.vps_id)
    if ours.state != IntentState.INTENDED:
        return (ours.provider, vps.provider_id) == (to.provider, account)  # moved before, by an earlier try
    # Counted on: a try that read this order before must not find it unchanged, should it come back to where it was.
    ours.provider, ours.sends = to.provider, ours.sends + 1
    vps.provider_type, vps.provider_id = to.provider, account
    vps.location = vps.product_name = None
    return True


async def accepted(session: AsyncSession, seen: ServerIntent, action_ref: str | None) -> None:
    await session.execute(_sent(seen).values(action_ref=action_ref))


async def adopt(
    session: AsyncSession, intent_id: uuid.UUID, provider: str, found: Iterable[Listed]
) -> tuple[str, list[Listed]] | None:
    """Make one of the servers found ours, once and for all; returns its name and the others. None: given up already."""
    intent = await session.get_one(ServerIntent, intent_id, with_for_update=True)
    if intent.state == IntentState.RELEASED:
        return None
    servers = sorted(found, key=lambda server: server.provider_ref)
    if intent.state != IntentState.ADOPTED or intent.provider_ref is None:
        intent.state, intent.provider_ref = IntentState.ADOPTED, servers[0].provider_ref
    ours = intent.provider_ref
    vps = await session.get_one(VpsInstance, intent.vps_id)
    vps.provider_instance_id = ours
    vps.vps_ip = next((server.address for server in servers if server.provider_ref == ours), None) or vps.vps_ip
    await session.flush()
    others = [server for server in servers if server.provider_ref != ours]
    return ours, await set_aside(session, intent, provider, others)


async def set_aside(
    session: AsyncSession, intent: ServerIntent, provider: str, servers: Iterable[Listed]
) -> list[Listed]:
    """Write servers that carry the order's token and are not its server into the ledger; returns those new to it."""
    return [
        server for server in servers
        if await inventory.note_extra(
            session, provider, intent.vps_id, correlation=intent.correlation, ref=server.provider_ref,
            label=server.label, product=server.product, status=server.status, address=server.address,
        )
    ]  # fmt: skip


async def release(session: AsyncSession, seen: ServerIntent) -> bool:
    """Nothing of the order is left. False: something became of it since it was read."""
    unchanged = update(ServerIntent).where(
        ServerIntent.id == seen.id, ServerIntent.sends == seen.sends, ServerIntent.state == seen.state)  # fmt: skip
    released = await session.execute(unchanged.values(state=IntentState.RELEASED).returning(ServerIntent.id))
    return released.scalar_one_or_none() is not None


def _sent(seen: ServerIntent) -> Update:
    """Of the try that `seen` was read by, and of no later one."""
    return update(ServerIntent).where(
        ServerIntent.id == seen.id, ServerIntent.state == IntentState.SENT, ServerIntent.sends == seen.sends + 1
    )
