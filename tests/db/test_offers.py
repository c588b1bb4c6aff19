"""The cache of offers: documented keys and lifetimes, failures beside answers, and who comes last."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from db.models_clouds import ServiceProvider
from db.queries import offers
from db.queries.reading import Reader
from db.session import Database
from domain.ids import offers_key
from domain.offers import Offer
from providers.cloud.base import Region
from tests.offering import account, keep, kept

ASKED = datetime(2026, 8, 1, 12, tzinfo=UTC)
ONE = [{"id": "nyc3"}]


@pytest.mark.parametrize(
    ("resource", "hours"), [("plans", 1), ("images", 1), ("regions", 1), ("marketplace", 6), ("stackscripts", 1)]
)
async def test_an_answer_is_kept_under_the_documented_key_for_the_documented_time(
    db: Database, resource: str, hours: int
) -> None:
    ref = await account(db)
    async with db.begin() as session:
        await offers.write(session, ref, Offer(resource), ONE, asked_at=ASKED)
    row = await kept(db, ref, Offer(resource))
    assert row is not None
    assert row.key == f"provider:{ref}:{resource}"
    assert (row.value, row.fetched_at, row.fresh_until) == (ONE, ASKED, ASKED + timedelta(hours=hours))
    assert (row.hits, row.misses, row.stale_hits, row.failure) == (0, 0, 0, "")


async def test_a_failure_is_noted_beside_the_answer_until_the_next_one(db: Database) -> None:
    ref, later = await account(db), ASKED + timedelta(hours=2)
    async with db.begin() as session:
        await offers.write(session, ref, Offer.REGIONS, ONE, asked_at=ASKED)
        await offers.note_failure(session, ref, Offer.REGIONS, "the cloud is away", later)
        await offers.add_counts(session, offers_key(str(ref), "regions"), hits=3, misses=2, stale_hits=1)
    row = await kept(db, ref, Offer.REGIONS)
    assert row is not None
    assert (row.value, row.fetched_at, row.failed_at, row.failure) == (ONE, ASKED, later, "the cloud is away")
    async with db.begin() as session:
        await offers.write(session, ref, Offer.REGIONS, [], asked_at=later)
    row = await kept(db, ref, Offer.REGIONS)
    assert row is not None
    assert (row.value, row.fetched_at, row.failed_at, row.failure) == ([], later, None, "")
    assert (row.hits, row.misses, row.stale_hits) == (3, 2, 1)


async def test_a_failure_that_comes_after_the_renewal_is_not_noted(db: Database) -> None:
    ref = await account(db)
    async with db.begin() as session:
        await offers.write(session, ref, Offer.IMAGES, ONE, asked_at=ASKED)
        await offers.note_failure(session, ref, Offer.IMAGES, "too late", ASKED + timedelta(minutes=1))
    row = await kept(db, ref, Offer.IMAGES)
    assert row is not None
    assert row.failed_at is None


async def test_without_an_answer_neither_failures_nor_counts_are_kept(db: Database) -> None:
    ref = await account(db)
    async with db.begin() as session:
        await offers.note_failure(session, ref, Offer.IMAGES, "no", ASKED)
        await offers.add_counts(session, offers_key(str(ref), "images"), hits=1, misses=0, stale_hits=0)
    assert await kept(db, ref, Offer.IMAGES) is None


async def test_an_account_is_forgotten_alone_and_whole(db: Database) -> None:
    one, other = await account(db), await account(db)
    for ref in (one, other):
        for resource in Offer:
            await keep(db, ref, resource, [Region(id="nyc3")])
    async with db.begin() as session:
        assert await offers.invalidate(session, one) == len(Offer)
        assert await offers.invalidate(session, one) == 0
    assert [await kept(db, one, resource) for resource in Offer] == [None] * len(Offer)
    assert None not in [await kept(db, other, resource) for resource in Offer]


@pytest.mark.parametrize("change_first", [True, False])
async def test_an_answer_under_way_sees_the_change_it_waited_for(db: Database, change_first: bool) -> None:
    """Whatever the order within the changing transaction: afterwards the account is another one."""
    ref = await account(db)
    async with db.begin() as session:
        before = await offers.standing(session, ref)

    async def look() -> offers.Standing | None:
        async with db.begin() as session:
            return await offers.standing(session, ref, hold=True)

    changed = update(ServiceProvider).where(ServiceProvider.id == ref).values(configuration={"base_url": "elsewhere"})
    async with db.begin() as session:
        if change_first:
            await session.execute(changed)
        await offers.invalidate(session, ref)
        looking = asyncio.create_task(look())
        await asyncio.sleep(0.2)  # without the lock it has looked by now, at the old account
        if not change_first:
            await session.execute(changed)
    after = await looking
    assert after is not None
    assert after != before


async def test_an_answer_that_was_first_is_forgotten_by_the_change_that_waited(db: Database) -> None:
    ref = await account(db)

    async def forget() -> int:
        async with db.begin() as session:
            return await offers.invalidate(session, ref)

    async with db.begin() as session:
        await offers.standing(session, ref, hold=True)
        forgetting = asyncio.create_task(forget())
        await asyncio.sleep(0.2)  # without the lock it has forgotten nothing by now
        await offers.write(session, ref, Offer.PLANS, ONE, asked_at=ASKED)
    assert await forgetting == 1
    assert await kept(db, ref, Offer.PLANS) is None


async def test_what_decides_the_answer_is_the_accounts_standing(db: Database) -> None:
    ref = await account(db)
    async with db.begin() as session:
        before = await offers.standing(session, ref)
        columns = {"validated_at": ASKED, "validation": "fine", "name": f"renamed {ref}"}
        await session.execute(update(ServiceProvider).where(ServiceProvider.id == ref).values(**columns))
    for column in ({}, {"active": False}, {"api_key_encrypted": "another"}):
        async with db.begin() as session:
            if column:
                await session.execute(update(ServiceProvider).where(ServiceProvider.id == ref).values(**column))
            assert (await offers.standing(session, ref) == before) is (not column)


async def test_statistics_name_the_account_and_totals_only_its_kind(db: Database, pg_url: str) -> None:
    ones = [await account(db, "linode") for _ in range(2)]
    for ref in ones:
        await keep(db, ref, Offer.STACKSCRIPTS, [Region(id="x"), Region(id="y")])
        async with db.begin() as session:
            await offers.add_counts(session, offers_key(str(ref), "stackscripts"), hits=2, misses=1, stale_hits=0)
    reader = Reader(pg_url.replace("+psycopg", ""), size=1)
    await reader.open()
    try:
        shown = [row for row in await offers.statistics(reader) if row["provider_id"] in ones]
        assert {row["provider_id"] for row in shown} == set(ones)
        assert [(row["provider_type"], row["hits"], row["misses"], row["entries"]) for row in shown] == [
            ("linode", 2, 1, 2)] * 2  # fmt: skip
        (total,) = [row for row in await offers.totals(reader) if row["provider"] == "linode"]
        assert (total["resource"], total["hits"], total["misses"], total["stale_hits"]) == ("stackscripts", 4, 2, 0)
        assert total["age"] >= 0
    finally:
        await reader.close()
