"""Counts of answered lists: written now and then, at the end, and not lost while the database is away."""

from __future__ import annotations

import uuid

import pytest

from api import offer_reads
from api.app import create_app
from api.offer_reads import OfferReads, Read
from db.session import Database
from domain.ids import offers_key
from domain.offers import Offer
from providers.cloud.base import Region
from tests.api.world import StandInTemporal, World, make_settings
from tests.offering import account, keep, kept


async def counted(db: Database) -> str:
    """The id of an account with one kept list."""
    ref = await account(db, "linode")
    await keep(db, ref, Offer.REGIONS, [Region(id="us-east")])
    return str(ref)


async def hits(db: Database, ref: str) -> int:
    row = await kept(db, uuid.UUID(ref), Offer.REGIONS)
    assert row is not None
    return row.hits


async def test_reads_write_the_counts_down_every_few_seconds(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ref = await counted(world.db)
    query = {"provider_id": ref}
    await world.client.get("/api/vps/linode/regions", params=query)
    assert await hits(world.db, ref) == 0
    monkeypatch.setattr(offer_reads, "EVERY_SECONDS", 0.0)
    await world.client.get("/api/vps/linode/regions", params=query)
    assert await hits(world.db, ref) == 2


async def test_a_process_that_ends_writes_down_what_it_has(db: Database, pg_url: str) -> None:
    ref = await counted(db)
    app = create_app(make_settings(pg_url), db=db, temporal=StandInTemporal())  # type: ignore[arg-type]
    async with app.router.lifespan_context(app):
        app.state.services.offer_reads.add(offers_key(ref, "regions"), Read.HIT)
    assert await hits(db, ref) == 1


async def test_counts_that_cannot_be_written_are_kept(db: Database) -> None:
    one, other = await counted(db), await counted(db)
    reads = OfferReads()
    for ref in (one, other, one):
        reads.add(offers_key(ref, "regions"), Read.HIT)
    nowhere = Database("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    await reads.write(nowhere)
    await nowhere.close()
    reads.add(offers_key(one, "regions"), Read.HIT)
    for _ in range(2):
        await reads.write(db)
    assert (await hits(db, one), await hits(db, other)) == (3, 1)
