"""Records of a zone as rows: what a run of ours has put there, kept as it should be (R157)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import new_id
from db.models_hosting import DnsRecord, DnsZone
from domain.dns_records import RecordSet


async def keep_managed(session: AsyncSession, zone_id: uuid.UUID, sets: Iterable[RecordSet], serial: int) -> None:
    """The managed rows of a zone become these; what its customer has added stays."""
    await session.execute(delete(DnsRecord).where(DnsRecord.zone_id == zone_id, DnsRecord.managed))
    for held in sets:
        for value in held.values:
            session.add(DnsRecord(id=new_id(), zone_id=zone_id, name=held.name, type=held.type.value, content=value,
                                  ttl=held.ttl, managed=True))  # fmt: skip
    zone = await session.get_one(DnsZone, zone_id)
    zone.serial = serial
