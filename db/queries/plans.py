"""Plans: sizes of a cloud that are sold, with the cloud's price and ours (R143)."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import new_id
from db.models_clouds import ServiceProvider, VpsPlan


class PlanExists(Exception):
    """The account has a plan for this size already."""


def price_of(plan: VpsPlan) -> Decimal:
    """What is charged."""
    return plan.base_price + plan.markup_price


async def of_account(session: AsyncSession, provider_id: uuid.UUID) -> Sequence[VpsPlan]:
    query = select(VpsPlan).where(VpsPlan.provider_id == provider_id).order_by(VpsPlan.base_price, VpsPlan.id)
    return (await session.execute(query)).scalars().all()


async def on_sale(
    session: AsyncSession, provider_id: uuid.UUID | None = None
) -> Sequence[tuple[VpsPlan, ServiceProvider]]:
    """Active plans of active accounts, the cheapest first."""
    query = (
        select(VpsPlan, ServiceProvider)
        .join(ServiceProvider, ServiceProvider.id == VpsPlan.provider_id)
        .where(VpsPlan.active, ServiceProvider.active, ServiceProvider.deleted_at.is_(None))
        .order_by(VpsPlan.base_price + VpsPlan.markup_price, VpsPlan.id)
    )
    if provider_id is not None:
        query = query.where(VpsPlan.provider_id == provider_id)
    return [(plan, account) for plan, account in await session.execute(query)]


async def get(session: AsyncSession, provider_id: uuid.UUID, plan_id: uuid.UUID) -> VpsPlan | None:
    query = select(VpsPlan).where(VpsPlan.id == plan_id, VpsPlan.provider_id == provider_id).with_for_update()
    return (await session.execute(query)).scalar_one_or_none()


async def create(session: AsyncSession, provider_id: uuid.UUID, values: dict[str, Any]) -> VpsPlan:
    """PlanExists leaves the transaction usable."""
    row = VpsPlan(id=new_id(), provider_id=provider_id, **values)
    async with _one_of_a_size(session, str(values["provider_plan_id"])):
        session.add(row)
    await session.refresh(row)  # numbers and times as the database keeps them
    return row


async def change(session: AsyncSession, row: VpsPlan, values: dict[str, Any]) -> None:
    """PlanExists leaves the transaction usable."""
    async with _one_of_a_size(session, str(values.get("provider_plan_id", ""))):
        for name, value in values.items():
            setattr(row, name, value)
    await session.refresh(row)


async def remove(session: AsyncSession, row: VpsPlan) -> None:
    await session.execute(delete(VpsPlan).where(VpsPlan.id == row.id))


@asynccontextmanager
async def _one_of_a_size(session: AsyncSession, size: str) -> AsyncIterator[None]:
    try:
        async with session.begin_nested():
            yield
    except IntegrityError as error:
        if "uq_vps_plans_provider_plan" in str(error.orig):
            raise PlanExists(size) from None
        raise
