"""The servers of the house (R149) as rows: who may take something new, what lives where, and their keys."""

from __future__ import annotations

import uuid

from sqlalchemy import ScalarSelect, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from db.models_hosting import DnsZone, HostingAccount, MailAccount, Server
from domain.sales import ServerStatus, ServerType, ServiceStatus

CHOICE_LOCK = 7466901

# What fills a place on each kind of server.
_GUESTS: dict[ServerType, type[HostingAccount] | type[MailAccount] | type[DnsZone]] = {
    ServerType.WEB: HostingAccount,
    ServerType.MAIL: MailAccount,
    ServerType.DNS: DnsZone,
}


class ServerMissing(LookupError):
    """No server of the house has this id, or its key is gone."""


def key_purpose(server_id: uuid.UUID) -> str:
    """Of the secret that holds the private key we sign in with."""
    return f"server-key:{server_id}"


def used(kind: ServerType) -> ScalarSelect[int]:
    """How many places of a server are taken; a suspended account keeps its place."""
    guest = _GUESTS[kind]
    living = select(func.count()).select_from(guest).where(
        guest.server_id == Server.id, guest.status != ServiceStatus.REMOVED)  # fmt: skip
    return living.correlate(Server).scalar_subquery()


async def get(session: AsyncSession, server_id: str | uuid.UUID, *, lock: bool = False) -> Server:
    """ServerMissing where there is none. `lock` holds the row until the transaction ends."""
    row = await session.get(Server, uuid.UUID(str(server_id)), with_for_update=True if lock else None)
    if row is None:
        raise ServerMissing(f"no server {server_id}")
    return row


async def choose(session: AsyncSession, kind: ServerType) -> Server | None:
    """The active server of this kind with the most room, held until the transaction ends; None where none has any.

    One choice at a time, behind a lock of its own: who waited for a row that is full by then would get no row back
    although another server still has room. The caller takes its place in the same transaction.
    """
    await session.execute(select(func.pg_advisory_xact_lock(CHOICE_LOCK)))
    room = Server.max_accounts - used(kind)
    query = (
        select(Server)
        .where(Server.type == kind, Server.status == ServerStatus.ACTIVE, room > 0)
        .order_by(room.desc(), Server.created_at, Server.id)
        .limit(1)
        .with_for_update()
    )
    return (await session.execute(query)).scalar_one_or_none()
