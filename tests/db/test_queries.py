"""Queries that the front door stands on, without a front door."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import func, select, update

from db.base import new_id
from db.models import Deployment, Organization, RefreshToken, User
from db.queries.ordering import claim_key, insert_deployment, keep_answer, mark_started, order_of, organization_for
from db.queries.reading import Reader
from db.queries.status import row_of, story_of, versions_of
from db.queries.tokens import forget_expired, issue
from db.queries.users import check_password, ensure_user, find_user
from db.session import Database
from domain.provisioning import RunPolicy
from domain.statuses import Role


@pytest.fixture
async def reader(db: Database) -> AsyncIterator[Reader]:
    made = Reader(db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False), size=3)
    await made.open()
    yield made
    await made.close()


async def deployment(db: Database, slug: str = "") -> Deployment:
    slug = slug or f"s{uuid.uuid4().hex[:8]}"
    async with db.begin() as session:
        organization = await organization_for(session, slug, slug)
        assert organization is not None
        made = await insert_deployment(
            session,
            {
                "organization_id": organization.id,
                "deployment_type": "dedicated",
                "tier": "starter",
                "slug": slug,
                "assigned_subdomain": f"{slug}.recruitiq.nl",
                "admin_email": "a@example.com",
                "admin_name": "A",
                "inputs": {"product": "bladevps-x8"},
            },
        )
        assert made is not None
        return made


class TestUsers:
    async def test_first_administrator_is_made_once(self, db: Database) -> None:
        name = f"admin{uuid.uuid4().hex[:6]}"
        async with db.begin() as session:
            first = await ensure_user(session, name, f"{name}@example.com", "one-time", Role.ADMINISTRATOR, rounds=4)
        async with db.begin() as session:
            again = await ensure_user(session, name, f"{name}@example.com", "other", Role.USER, True, rounds=4)
            row = await session.get_one(User, first.id)
        assert (first.created, again.created, again.id) == (True, False, first.id)
        assert (row.role, row.must_change_password) == ("ADMINISTRATOR", False)
        assert await check_password("one-time", row.password_hash)

    async def test_simultaneous_starts_make_one(self, db: Database) -> None:
        name = f"race{uuid.uuid4().hex[:6]}"

        async def ensure() -> bool:
            async with db.begin() as session:
                return (await ensure_user(session, name, f"{name}@example.com", "x", rounds=4)).created

        assert sorted(await asyncio.gather(*(ensure() for _ in range(4)))) == [False, False, False, True]

    async def test_passwords_longer_than_bcrypt_reads_never_match(self, db: Database) -> None:
        name = f"long{uuid.uuid4().hex[:6]}"
        async with db.begin() as session:
            await ensure_user(session, name, f"{name}@example.com", "a" * 72, rounds=4)
            user = await find_user(session, name.upper())
        assert user is not None
        assert await check_password("a" * 72, user.password_hash)
        assert not await check_password("a" * 73, user.password_hash)


class TestOrdering:
    async def test_a_key_waits_for_the_transaction_that_has_it(self, db: Database) -> None:
        key = uuid.uuid4().hex
        claimed, go = asyncio.Event(), asyncio.Event()

        async def first() -> None:
            async with db.begin() as session:
                assert await claim_key(session, "p", key, route="r", request_hash="h") is None
                claimed.set()
                await go.wait()
                await keep_answer(session, "p", key, 202, {"a": 1})

        async def second() -> object:
            await claimed.wait()
            async with db.begin() as session:
                return await claim_key(session, "p", key, route="r", request_hash="h")

        writer, reader = asyncio.create_task(first()), asyncio.create_task(second())
        await claimed.wait()
        await asyncio.sleep(0)
        go.set()
        await writer
        answered = await reader
        assert answered is not None
        assert (answered.status_code, answered.response) == (202, {"a": 1})  # type: ignore[attr-defined]

    async def test_a_slug_is_free_again_after_its_deployment_ended(self, db: Database) -> None:
        first = await deployment(db)
        async with db.begin() as session:
            await session.execute(update(Deployment).where(Deployment.id == first.id).values(ended_at=func.now()))
        assert (await deployment(db, first.slug)).id != first.id

    async def test_names_differ_by_more_than_case(self, db: Database) -> None:
        slug = f"s{uuid.uuid4().hex[:8]}"
        async with db.begin() as session:
            assert await organization_for(session, "Acme", slug) is not None
            assert await organization_for(session, "ACME", slug) is not None
            assert await organization_for(session, "Other", slug) is None
            found = (await session.execute(select(Organization).where(Organization.slug == slug))).scalars().all()
        assert len(found) == 1

    async def test_the_order_comes_from_the_row_alone(self, db: Database) -> None:
        row = await deployment(db)
        made = order_of(row, RunPolicy(park_hours=1))
        assert (made.slug, made.fqdn, made.inputs.product) == (row.slug, row.assigned_subdomain, "bladevps-x8")
        assert (made.policy.park_hours, made.vps_id) == (1, None)

    async def test_started_is_noted_once(self, db: Database) -> None:
        row = await deployment(db)
        stamps = []
        for _ in range(2):
            async with db.begin() as session:
                await mark_started(session, row.id)
            async with db.begin() as session:
                stamps.append((await session.get_one(Deployment, row.id)).started_at)
        assert stamps[0] == stamps[1] is not None


class TestReader:
    async def test_unknown_ids(self, reader: Reader) -> None:
        assert await row_of(reader, new_id()) is None
        assert await story_of(reader, new_id(), lines=5) == []
        assert await versions_of(reader, [new_id()]) == {}

    async def test_times_come_in_utc_whatever_the_server_says(self, db: Database, reader: Reader) -> None:
        made = await deployment(db)
        row = await row_of(reader, made.id)
        assert row is not None
        assert row["created_at"].utcoffset().total_seconds() == 0

    async def test_survives_a_restart_of_the_server(self, reader: Reader, db: Database) -> None:
        for _ in range(3):
            assert await reader.one("select 1 as one") == {"one": 1}
        url = db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            await connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'slipway-reader'"
            )
        assert await reader.one("select 2 as two") == {"two": 2}


async def test_refresh_tokens_go_with_their_user(db: Database) -> None:
    name = f"gone{uuid.uuid4().hex[:6]}"
    async with db.begin() as session:
        made = await ensure_user(session, name, f"{name}@example.com", "x", rounds=4)

        await issue(session, made.id, new_id(), timedelta(days=-2))
        await issue(session, made.id, new_id(), timedelta(days=7))
        await forget_expired(session, made.id)
        left = (await session.execute(select(RefreshToken).where(RefreshToken.user_id == made.id))).scalars().all()
    assert len(left) == 1
