"""Brands that sell here (R147). A slug is taken for ever, because orders name it."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import new_id
from db.models_sales import Tenant


async def page(session: AsyncSession, *, offset: int, limit: int) -> tuple[int, list[Tenant]]:
    """(how many there are, one page of them, by slug)."""
    total = (await session.execute(select(func.count()).select_from(Tenant))).scalar_one()
    found = await session.execute(select(Tenant).order_by(Tenant.slug).offset(offset).limit(limit))
    return total, list(found.scalars())


async def get(session: AsyncSession, tenant_id: uuid.UUID, *, lock: bool = False) -> Tenant | None:
    return await session.get(Tenant, tenant_id, with_for_update=lock)


async def create(session: AsyncSession, slug: str, name: str) -> Tenant | None:
    """None where the slug is taken."""
    made = await session.execute(
        insert(Tenant)
        .values(id=new_id(), slug=slug, name=name)
        .on_conflict_do_nothing(index_elements=["slug"])
        .returning(Tenant)
    )
    return made.scalar_one_or_none()


def change(row: Tenant, given: dict[str, Any]) -> list[str]:
    """Set what is given; the names of what changed."""
    changed = [field for field, value in given.items() if value != getattr(row, field)]
    for field in changed:
        setattr(row, field, given[field])
    return changed
