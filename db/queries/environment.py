"""The accounts that the environment of the processes names, kept as rows beside those of administrators.

One row per kind of cloud, whoever starts first and however many start at once. Also gives servers from before accounts
were rows the account they live at (R230).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.keyring import KeyRing, KeyRingError
from db.models import VpsInstance
from db.models_clouds import ServiceProvider
from db.queries import providers
from db.session import Database
from domain.servers import ProviderType

SEED_LOCK = 7466893
WITHDRAWN = "withdrawn"  # member of the configuration of an account that the environment no longer names
_TITLES = {
    ProviderType.TRANSIP: "TransIP", ProviderType.DIGITALOCEAN: "DigitalOcean", ProviderType.LINODE: "Linode",
}  # fmt: skip

Accounts = Mapping[str, tuple[str, dict[str, Any]]]  # kind of cloud -> (key, configuration)


async def seed(db: Database, keys: KeyRing, accounts: Accounts, *, retire: bool) -> None:
    """The same in a transaction of its own, for a process that starts."""
    async with db.begin() as session:
        await seed_from_environment(session, keys, accounts, retire=retire)


async def seed_from_environment(session: AsyncSession, keys: KeyRing, accounts: Accounts, *, retire: bool) -> None:
    """Bring the rows to what the environment says. Safe to repeat by every process at every start.

    A row that says the same already is left alone, so an administrator's "disabled" holds until the environment
    changes. `retire` disables accounts it no longer names: only by processes that use accounts, because another one may
    be started without their keys.
    """
    await session.execute(select(func.pg_advisory_xact_lock(SEED_LOCK)))
    known = {row.type: row for row in (await session.execute(_from_environment())).scalars()}
    for kind, (api_key, configuration) in accounts.items():
        row = known.get(kind)
        if row is None:
            name = await _free_name(session, _TITLES[ProviderType(kind)])
            row = await providers.create(
                session, keys, name=name, kind=kind, api_key=api_key, configuration=configuration,
                origin=providers.ENVIRONMENT)  # fmt: skip
        elif row.configuration != configuration or not _holds(keys, row, api_key):
            await providers.change(session, keys, row, api_key=api_key, configuration=configuration, active=True)
        await _adopt_servers(session, kind, row.id)
    if retire:
        for kind in known.keys() - accounts.keys():
            row = known[kind]
            gone = {**row.configuration, WITHDRAWN: True}
            await providers.change(session, keys, row, configuration=gone, active=False)


def is_named(row: ServiceProvider) -> bool:
    """Whether the account is the environment's, and still in it: its key and configuration are changed there."""
    return row.origin == providers.ENVIRONMENT and WITHDRAWN not in row.configuration


def _from_environment() -> Select[ServiceProvider]:
    ours = ServiceProvider.origin == providers.ENVIRONMENT
    return select(ServiceProvider).where(ours, ServiceProvider.deleted_at.is_(None)).with_for_update()


def _holds(keys: KeyRing, row: ServiceProvider, api_key: str) -> bool:
    """Whether the row keeps this very key, under the ring's newest one."""
    try:
        return providers.read_key(keys, row) == api_key and keys.is_current(row.key_id)
    except KeyRingError:
        return False  # its key has left the ring; the environment has it anew


async def _free_name(session: AsyncSession, title: str) -> str:
    query = select(ServiceProvider.name).where(ServiceProvider.deleted_at.is_(None))
    taken = set((await session.execute(query)).scalars())
    names = (title, f"{title} (environment)", *(f"{title} (environment {n})" for n in range(2, len(taken) + 3)))
    return next(name for name in names if name not in taken)


async def _adopt_servers(session: AsyncSession, kind: str, provider_id: uuid.UUID) -> None:
    """R230: servers without an account were ordered when the environment's was the only one there could be."""
    lost = update(VpsInstance).where(VpsInstance.provider_type == kind, VpsInstance.provider_id.is_(None))
    await session.execute(
        lost.values(provider_id=provider_id, updated_at=VpsInstance.updated_at)
        .execution_options(synchronize_session=False)
    )  # fmt: skip
