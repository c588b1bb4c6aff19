"""Accounts at clouds: what administrators set up, and what the environment of the processes names.

A key is encrypted and bound to its row; nothing in here returns one but `read_key`. Knows no cloud and no client.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import new_id
from db.keyring import KeyRing
from db.models import Placement, ServerIntent, VpsInstance
from db.models_clouds import ServiceProvider
from db.queries import offers
from domain.statuses import IntentState, Lifecycle

ADMINISTRATOR, ENVIRONMENT = "administrator", "environment"


class NameTaken(Exception):
    """Another account has this name."""


class ServersLive(Exception):
    """The account is needed: so many servers live there."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} servers live at this account")
        self.count = count


# ---- reading


def _there() -> Select[ServiceProvider]:
    return select(ServiceProvider).where(ServiceProvider.deleted_at.is_(None))


async def listed(session: AsyncSession) -> list[tuple[ServiceProvider, int]]:
    """Every account with the number of servers that need it, the oldest first."""
    servers = select(func.count()).where(VpsInstance.provider_id == ServiceProvider.id, needs_account())
    query = (
        select(ServiceProvider, servers.correlate(ServiceProvider).scalar_subquery())
        .where(ServiceProvider.deleted_at.is_(None))
        .order_by(ServiceProvider.created_at, ServiceProvider.id)
    )
    return [(row, int(count)) for row, count in await session.execute(query)]


async def get(
    session: AsyncSession, provider_id: uuid.UUID, *, lock: bool = False, hold: bool = False
) -> ServiceProvider | None:
    """None where there is none, or it was removed. `lock`: no server is given to it meanwhile. `hold`: it is not
    removed meanwhile."""
    query = _there().where(ServiceProvider.id == provider_id)
    if lock or hold:
        query = query.with_for_update(read=not lock)
    return (await session.execute(query)).scalar_one_or_none()


async def of_kind(session: AsyncSession, kind: str) -> Sequence[ServiceProvider]:
    """All accounts at one kind of cloud, disabled ones too: their servers run on. The oldest first."""
    query = _there().where(ServiceProvider.type == kind).order_by(ServiceProvider.created_at, ServiceProvider.id)
    return (await session.execute(query)).scalars().all()


async def standing_for(session: AsyncSession, kind: str, *, hold: bool = False) -> ServiceProvider | None:
    """The account that orders go to where none is named: the oldest active one. `hold` keeps it from being removed."""
    query = (
        _there()
        .where(ServiceProvider.type == kind, ServiceProvider.active)
        .order_by(ServiceProvider.created_at, ServiceProvider.id)
        .limit(1)
    )
    return (await session.execute(query.with_for_update(read=True) if hold else query)).scalar_one_or_none()


def read_key(keys: KeyRing, row: ServiceProvider) -> str | None:
    """None once it is destroyed. KeyRingError where it cannot be read."""
    if row.api_key_encrypted is None:
        return None
    return keys.decrypt(row.key_id, base64.b64decode(row.api_key_encrypted), context=context_of(row.id)).decode()


def context_of(provider_id: uuid.UUID) -> str:
    return f"service_providers/{provider_id}"


def needs_account() -> ColumnElement[bool]:
    """Servers that cannot do without their account: they exist, may come to exist, or a run still has to prove that
    they do not."""
    unsettled = exists().where(ServerIntent.vps_id == VpsInstance.id, ServerIntent.state == IntentState.SENT)
    in_use = exists().where(Placement.vps_id == VpsInstance.id)
    lives = VpsInstance.lifecycle.not_in((Lifecycle.TERMINATED, Lifecycle.FAILED))
    failed = VpsInstance.lifecycle == Lifecycle.FAILED
    return or_(lives, in_use, failed & or_(VpsInstance.provider_instance_id.is_not(None), unsettled))


async def servers_at(session: AsyncSession, provider_id: uuid.UUID) -> int:
    query = select(func.count()).select_from(VpsInstance).where(VpsInstance.provider_id == provider_id, needs_account())
    return int((await session.execute(query)).scalar_one())


# ---- writing


async def create(
    session: AsyncSession, keys: KeyRing, *, name: str, kind: str, api_key: str, configuration: dict[str, Any],
    active: bool = True, origin: str = ADMINISTRATOR,
) -> ServiceProvider:  # fmt: skip
    """NameTaken leaves the transaction usable."""
    row = ServiceProvider(
        id=new_id(), name=name, type=kind, configuration=configuration, active=active, origin=origin, validation=""
    )
    encrypt(keys, row, api_key)
    async with _named_once(session, name):
        session.add(row)
    await session.refresh(row)  # the database's own times
    return row


async def change(
    session: AsyncSession, keys: KeyRing, row: ServiceProvider, *, name: str | None = None, api_key: str | None = None,
    active: bool | None = None, configuration: dict[str, Any] | None = None,
) -> list[str]:  # fmt: skip
    """Set what is given; returns the names of what changed. What the cloud was seen to offer is forgotten with it."""
    given = {"name": name, "active": active, "configuration": configuration}
    changes = {field: value for field, value in given.items() if value is not None and value != getattr(row, field)}
    async with _named_once(session, name or row.name):
        for field, value in changes.items():
            setattr(row, field, value)
        if api_key is not None:
            encrypt(keys, row, api_key)
        if api_key is not None or "configuration" in changes:
            row.validated_at, row.validation = None, ""  # it was said of another one
    await session.refresh(row)
    changed = [*changes, *(["api_key"] if api_key is not None else [])]
    if set(changed) - {"name"}:
        await offers.invalidate(session, row.id)
    return changed


async def remove(session: AsyncSession, row: ServiceProvider) -> None:
    """Soft: its history keeps its name. ServersLive while anything needs it; hence nothing is left for the key to do,
    and it is destroyed at once (X13). The caller holds the row's lock."""
    count = await servers_at(session, row.id)
    if count:
        raise ServersLive(count)
    row.active, row.deleted_at = False, func.now()
    row.api_key_encrypted, row.key_id = None, ""
    await session.flush()
    await session.refresh(row)
    await offers.invalidate(session, row.id)


async def note_validation(
    session: AsyncSession, provider_id: uuid.UUID, sentence: str, at: datetime, *, seen: datetime
) -> None:
    """How the newest check of the credentials ended, unless the account has changed since it was `seen`.

    It stays as new as it was: clients of it live on.
    """
    noted = update(ServiceProvider).where(ServiceProvider.id == provider_id, ServiceProvider.updated_at == seen)
    await session.execute(
        noted.values(validated_at=at, validation=sentence, updated_at=ServiceProvider.updated_at)
        .execution_options(synchronize_session=False)
    )  # fmt: skip


def encrypt(keys: KeyRing, row: ServiceProvider, api_key: str) -> None:
    row.key_id, blob = keys.encrypt(api_key.encode(), context=context_of(row.id))
    row.api_key_encrypted = base64.b64encode(blob).decode()


@asynccontextmanager
async def _named_once(session: AsyncSession, name: str) -> AsyncIterator[None]:
    """Around what gives an account its name: whoever comes second is told so, and the transaction goes on."""
    try:
        async with session.begin_nested():
            yield
    except IntegrityError as error:
        if "uq_service_providers_name_live" in str(error.orig):
            raise NameTaken(name) from None
        raise
