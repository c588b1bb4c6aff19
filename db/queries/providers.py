"""Accounts at clouds: which one is meant."""

from __future__ import annotations

import uuid

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from db.models_clouds import ServiceProvider


async def get(session: AsyncSession, provider_id: uuid.UUID) -> ServiceProvider | None:
    """The account, active or not; None where there is none or it was deleted."""
    living = select(ServiceProvider).where(ServiceProvider.id == provider_id, ServiceProvider.deleted_at.is_(None))
    return (await session.execute(living)).scalar_one_or_none()


async def default_of(session: AsyncSession, provider_type: str) -> ServiceProvider | None:
    """The account that stands for a kind of cloud where nobody names one: the oldest active one."""
    active = ServiceProvider.type == provider_type, ServiceProvider.active, ServiceProvider.deleted_at.is_(None)
    query = select(ServiceProvider).where(*active).order_by(ServiceProvider.created_at, ServiceProvider.id).limit(1)
    return (await session.execute(query)).scalar_one_or_none()
