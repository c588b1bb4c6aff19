"""What every change of a zone needs: the zone to itself, its name servers, and patience until all of them tell it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncSession

from activities._context import Deps
from db.models_hosting import DnsZone
from db.queries import zone_rows
from domain.dns_records import RecordSet
from providers.dns.propagation import check_published
from providers.errors import NotFound, NotReady

BUSY_SECONDS = 1.0
LOOK_SECONDS = 0.25
ASKED_SETS = 50
SPREAD_SECONDS = 45.0  # of one attempt; a secondary that takes longer is told again and waited for by further attempts


@asynccontextmanager
async def zone_held(deps: Deps, zone: str) -> AsyncIterator[AsyncSession]:
    """The zone's lock over all workers, held by a transaction that is committed at the end. NotReady when another
    change of it is being written: the try is repeated, so that none waits with a connection in its hand."""
    async with deps.db.begin() as session:
        if not await zone_rows.hold(session, zone):
            raise NotReady(f"another change of {zone} is being written", provider="dns", retry_after=BUSY_SECONDS)
        yield session


async def new_zone_servers(deps: Deps) -> list[str]:
    """Names that a new zone's NS records get: configured, else those of the platform's own zone."""
    return list(deps.config.dns_nameservers) or await deps.dns.authoritative(
        await deps.dns.zone_of(deps.config.base_domain)
    )


async def await_published(servers: Sequence[str], zone: str, sets: Sequence[RecordSet], serial: int) -> str:
    """Wait, for one try's time, until every server serves the sets: the evidence, or NotReady that says who lags. Of
    many sets the first ones are asked for; the serial stands for the rest."""
    until = time.monotonic() + SPREAD_SECONDS
    while True:
        try:
            return await check_published(servers, zone, sets[:ASKED_SETS], serial=serial)
        except NotReady:
            if time.monotonic() >= until:
                raise
        await asyncio.sleep(LOOK_SECONDS)


async def remove_zone(deps: Deps, zone: DnsZone) -> bool:
    """Take the zone away, its last export kept on its row before. False when it is not there; Conflict when it holds
    what is not ours."""
    async with zone_held(deps, zone.zone_name):
        try:
            text = await deps.dns.zones.export(zone.zone_name)
        except NotFound:
            return False
        async with deps.db.begin() as session:
            (await session.get_one(DnsZone, zone.id)).last_export = text
        return await deps.dns.zones.remove(zone.zone_name, owner=zone_rows.owner_of(zone))
