"""The servers of the house (R149) as rows: who may take something new, what lives where, and their keys."""

from __future__ import annotations

import uuid

from sqlalchemy import ColumnElement, ScalarSelect, case, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from db import secrets
from db.base import new_id
from db.keyring import KeyRing
from db.models_hosting import DnsZone, HostingAccount, MailAccount, Server
from db.queries import backups
from domain.sales import ServerStatus, ServerType, ServiceStatus

CHOICE_LOCK = 7466901


class ServerMissing(LookupError):
    """No server of the house has this id, or its key is gone."""


class HostnameTaken(Exception):
    """Another server is, or was, called so."""


class GuestsLive(Exception):
    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count


class BackupsKept(Exception):
    """Last backups lie on the server whose time is not over."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count


def key_purpose(server_id: uuid.UUID) -> str:
    """Of the secret that holds the private key we sign in with."""
    return f"server-key:{server_id}"


def _living(guest: type[HostingAccount] | type[MailAccount] | type[DnsZone]) -> ScalarSelect[int]:
    """How many live on a server; a suspended account keeps its place."""
    living = select(func.count()).select_from(guest).where(
        guest.server_id == Server.id, guest.status != ServiceStatus.REMOVED)  # fmt: skip
    return living.correlate(Server).scalar_subquery()


# How many places of a server are taken: by sites, by mailboxes or by zones.
USED: ColumnElement[int] = case(
    (Server.type == ServerType.WEB, _living(HostingAccount)),
    (Server.type == ServerType.MAIL, _living(MailAccount)),
    else_=_living(DnsZone),
)


async def get(session: AsyncSession, server_id: str | uuid.UUID, *, lock: bool = False) -> Server:
    """ServerMissing where there is none. `lock` holds the row until the transaction ends."""
    row = await session.get(Server, uuid.UUID(str(server_id)), with_for_update=True if lock else None)
    if row is None:
        raise ServerMissing(f"no server {server_id}")
    return row


async def choose(session: AsyncSession, kind: ServerType, *, wanted: str = "") -> Server | None:
    """The active server of this kind with the most room, or the one `wanted` if it has any; None where none has. It is
    held until the transaction ends.

    One choice at a time, behind a lock of its own: who waited for a row that is full by then would get no row back
    although another server still has room. The caller takes its place in the same transaction.
    """
    await session.execute(select(func.pg_advisory_xact_lock(CHOICE_LOCK)))
    room = Server.max_accounts - USED
    query = (
        select(Server)
        .where(Server.type == kind, Server.status == ServerStatus.ACTIVE, room > 0)
        .order_by(room.desc(), Server.created_at, Server.id)
        .limit(1)
        .with_for_update()
    )
    if wanted:
        query = query.where(Server.id == uuid.UUID(wanted))
    return (await session.execute(query)).scalar_one_or_none()


async def used(session: AsyncSession, server_id: uuid.UUID) -> int:
    return int((await session.execute(select(USED).where(Server.id == server_id))).scalar_one())


async def page(
    session: AsyncSession, kind: ServerType | None, status: ServerStatus | None, *, offset: int, limit: int
) -> tuple[int, list[tuple[Server, int]]]:
    """(how many match, one page of them with how many live there, by name). Without a status, those that are there."""
    query = select(Server, USED)
    if kind is not None:
        query = query.where(Server.type == kind)
    query = query.where(Server.status == status if status is not None else Server.status != ServerStatus.REMOVED)
    total = (await session.execute(select(func.count()).select_from(query.subquery()))).scalar_one()
    rows = await session.execute(query.order_by(Server.hostname).offset(offset).limit(limit))
    return total, [(server, count) for server, count in rows]


async def register(session: AsyncSession, keys: KeyRing, private_key: str | None, **columns: object) -> Server:
    """A new row, and its key as a secret. HostnameTaken; the session is still good then."""
    server = Server(id=new_id(), **columns)
    try:
        async with session.begin_nested():
            session.add(server)
    except IntegrityError as error:
        if "hostname" not in str(error.orig):
            raise
        raise HostnameTaken from None
    if private_key is not None:
        await secrets.ensure(session, keys, key_purpose(server.id), lambda: private_key)
    await session.refresh(server)
    return server


async def remove(session: AsyncSession, server: Server) -> None:
    """GuestsLive while anything lives there, BackupsKept while last backups lie there.

    The caller holds the row; it is kept, the key is destroyed.
    """
    count = await used(session, server.id)
    if count:
        raise GuestsLive(count)
    kept = await backups.kept_on(session, server.id)
    if kept:
        raise BackupsKept(kept)
    server.status = ServerStatus.REMOVED
    await secrets.destroy_global(session, key_purpose(server.id))
