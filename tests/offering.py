"""Accounts and cached offers for tests, as rows."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel
from sqlalchemy import update

from db.base import new_id
from db.models_clouds import ProviderCache, ServiceProvider
from db.queries import offers
from db.session import Database
from domain.ids import offers_key
from domain.offers import LIFETIMES, Offer


async def account(db: Database, kind: str = "transip", **columns: Any) -> uuid.UUID:
    """A new active account; its key opens nothing."""
    ref = new_id()
    values = {"name": f"{kind} {ref.hex[-8:]}", "type": kind, "api_key_encrypted": "", "key_id": "test"}
    async with db.begin() as session:
        session.add(ServiceProvider(id=ref, **(values | columns)))
    return ref


async def change(db: Database, ref: uuid.UUID, **columns: Any) -> None:
    async with db.begin() as session:
        await session.execute(update(ServiceProvider).where(ServiceProvider.id == ref).values(**columns))


async def keep(
    db: Database, ref: uuid.UUID, resource: Offer, items: Sequence[BaseModel], *, stale: bool = False
) -> None:
    """What the cloud offered: just now, or one second longer ago than it counts."""
    asked_at = datetime.now(UTC) - (LIFETIMES[resource] + timedelta(seconds=1) if stale else timedelta(0))
    value = [item.model_dump(mode="json") for item in items]
    async with db.begin() as session:
        await offers.write(session, ref, resource, value, asked_at=asked_at)


async def kept(db: Database, ref: uuid.UUID, resource: Offer) -> ProviderCache | None:
    async with db.begin() as session:
        return await session.get(ProviderCache, offers_key(str(ref), resource))
