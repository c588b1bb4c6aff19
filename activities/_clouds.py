"""From an account's row to its client, in one place, so that a missing one is said in the same words everywhere.

A disabled account takes no new orders; its servers are read and cancelled all the same.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from pydantic import SecretStr
from temporalio.exceptions import ApplicationError

from activities._context import Deps
from activities._gate import AccountGate
from db.keyring import KeyRing
from db.models import VpsInstance
from db.models_clouds import ServiceProvider
from db.queries import providers
from db.session import Database
from domain.errors import ErrorCode, Trouble, clip
from providers.cloud.base import Account, Cloud, CloudMaker

LONGEST_TRY = 900.0  # seconds; no activity's try uses a client for longer


class Clouds(Protocol):
    """Where activities get clients from."""

    async def of_order(self, provider: str, provider_id: uuid.UUID | None) -> Cloud:
        """For something new: the named account, or the one that stands for its kind. Refuses disabled ones."""

    async def of_server(self, provider: str, provider_id: uuid.UUID | None) -> Cloud:
        """For what is there: also of a disabled account."""

    async def of_kind(self, provider: str) -> dict[uuid.UUID | None, Cloud]:
        """Every account there is at a kind of cloud, disabled ones too."""


async def cloud_of(deps: Deps, provider: str, provider_id: str | uuid.UUID | None = None) -> Cloud:
    """The client for an order or a look at what is offered; without an id, of the oldest active account of the kind."""
    return await deps.clouds.of_order(provider, parsed(provider_id))


async def cloud_of_server(deps: Deps, vps: VpsInstance) -> Cloud:
    """The client of the account a server lives at, whatever became of that account since."""
    return await deps.clouds.of_server(vps.provider_type, vps.provider_id)


def parsed(provider_id: str | uuid.UUID | None) -> uuid.UUID | None:
    if not provider_id:
        return None
    try:
        return uuid.UUID(str(provider_id))
    except ValueError:
        raise _refused(ErrorCode.PROVIDER_NOT_FOUND, "provider_id names no account", field="provider_id") from None


class CloudBook:
    """Accounts' rows and one client for each, as long as its row stays as it is. One book per process."""

    def __init__(self, db: Database, keys: KeyRing, makers: Mapping[str, CloudMaker]) -> None:
        self._db = db
        self._keys = keys
        self._makers = makers
        self._open: dict[uuid.UUID, tuple[datetime, Cloud]] = {}
        self._replaced: list[tuple[float, Cloud]] = []  # since when, by this process' clock
        self._turn = asyncio.Lock()

    async def of_order(self, provider: str, provider_id: uuid.UUID | None) -> Cloud:
        row = await self._row(provider, provider_id)
        if not row.active:
            raise _inactive(f"the account {row.name!r} is disabled", provider)
        return await self._client(row)

    async def of_server(self, provider: str, provider_id: uuid.UUID | None) -> Cloud:
        return await self._client(await self._row(provider, provider_id))

    async def of_kind(self, provider: str) -> dict[uuid.UUID | None, Cloud]:
        async with self._db.begin() as session:
            rows = await providers.of_kind(session, provider)
        return {row.id: await self._client(row) for row in rows}

    async def close(self) -> None:
        for cloud in (*(cloud for _, cloud in self._open.values()), *(cloud for _, cloud in self._replaced)):
            await cloud.close()
        self._open.clear()
        self._replaced.clear()

    async def _row(self, provider: str, provider_id: uuid.UUID | None) -> ServiceProvider:
        async with self._db.begin() as session:
            if provider_id is not None:
                row = await providers.get(session, provider_id)
                if row is None or row.type != provider:
                    raise _refused(ErrorCode.PROVIDER_NOT_FOUND, f"there is no such account at {provider}",
                                   field="provider_id", provider=provider)  # fmt: skip
                return row
            row = await providers.standing_for(session, provider)
            if row is None and await providers.of_kind(session, provider):
                raise _inactive(f"every account at {provider} is disabled", provider)
        if row is None:
            raise _refused(ErrorCode.PROVIDER_NOT_FOUND, f"no account at {provider} is set up", provider=provider)
        return row

    async def _client(self, row: ServiceProvider) -> Cloud:
        maker = self._makers.get(row.type)
        if maker is None:
            raise _inactive(f"{row.type} is not offered yet", row.type)
        async with self._turn:  # else two activities would make two clients of one account
            await self._close_replaced()
            known = self._open.get(row.id)
            if known is not None and known[0] >= row.updated_at:
                return known[1]
            made = self._made(maker, row)
            if known is not None:
                # Others may be in the middle of a call with it.
                self._replaced.append((time.monotonic(), known[1]))
            self._open[row.id] = (row.updated_at, made)
            return made

    def _made(self, maker: CloudMaker, row: ServiceProvider) -> Cloud:
        api_key = providers.read_key(self._keys, row)
        if api_key is None:
            raise _refused(ErrorCode.MISSING_CREDENTIALS, f"the account {row.name!r} has no key", provider=row.type)
        try:
            gate = AccountGate(self._db, row.id)
            cloud = maker(Account(api_key=SecretStr(api_key), configuration=row.configuration), gate=gate)
            gate.keep_to(cloud.call_limits)
            return cloud
        except ValueError as error:
            raise _refused(ErrorCode.INVALID_CREDENTIALS, f"the account {row.name!r} cannot be used: {error}",
                           provider=row.type) from None  # fmt: skip

    async def _close_replaced(self) -> None:
        over = time.monotonic() - LONGEST_TRY
        for moment, cloud in [entry for entry in self._replaced if entry[0] < over]:
            self._replaced.remove((moment, cloud))
            await cloud.close()


def _inactive(message: str, provider: str) -> ApplicationError:
    details = {"code": str(ErrorCode.PROVIDER_INACTIVE), "provider": provider, "field": None}
    return ApplicationError(message, details, type=Trouble.PROVIDER_INACTIVE, non_retryable=True)


def _refused(code: ErrorCode, message: str, *, provider: str = "", field: str | None = None) -> ApplicationError:
    details = {"code": str(code), "provider": provider, "field": field}
    return ApplicationError(clip(message), details, type=Trouble.MISSING_SETTING, non_retryable=True)
