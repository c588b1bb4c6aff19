"""Rotation of the key ring: every stored secret comes under the first key, and what cannot is told and left alone."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select

from db import secrets
from db.base import new_id
from db.keyring import KeyRing
from db.models import Secret
from db.models_certificates import SharedCertificate
from db.models_clouds import ServiceProvider
from db.queries import providers, shared_certificates
from db.rotation import rotate
from db.session import Database
from domain.certificate_pairs import CertificatePair

OLD, NEW = KeyRing.generate("old"), KeyRing.generate("new")
TABLES = (Secret, SharedCertificate, ServiceProvider)
NOW = datetime(2027, 1, 1, tzinfo=UTC)
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
async def _empty(db: Database) -> AsyncIterator[None]:
    yield
    async with db.begin() as session:
        for table in TABLES:
            await session.execute(delete(table))


async def stored(db: Database, ring: KeyRing, number: int) -> tuple[uuid.UUID, uuid.UUID, uuid.UUID]:
    """One of each kind; returns (owner of a secret, uploaded certificate, account)."""
    owner, account = new_id(), ServiceProvider(id=new_id(), name=f"a{number}", type="digitalocean", configuration={})
    providers.encrypt(ring, account, f"token-{number}")
    brought = CertificatePair(names=["a.test"], serial=str(number), issuer="CA", not_before=NOW,
                      not_after=NOW + timedelta(days=90), chain_pem="", key_sha256="", key_type="ec",
                      key_pem=f"key-{number}")  # fmt: skip
    async with db.begin() as session:
        await secrets.ensure(session, ring, "admin-password", lambda: f"password-{number}", deployment_id=owner)
        shared = await shared_certificates.keep(session, ring, brought, "ada")
        session.add(account)
    return owner, shared.id, account.id


async def read(db: Database, ring: KeyRing, refs: tuple[uuid.UUID, uuid.UUID, uuid.UUID]) -> list[str | None]:
    owner, shared_id, account_id = refs
    async with db.begin() as session:
        shared, account = await session.get_one(SharedCertificate, shared_id), await session.get_one(
            ServiceProvider, account_id)  # fmt: skip
        return [await secrets.read(session, ring, "admin-password", deployment_id=owner),
                shared_certificates.private_key(shared, ring), providers.read_key(ring, account)]  # fmt: skip


async def under(db: Database, key_id: str) -> int:
    async with db.begin() as session:
        counts = [select(func.count()).select_from(table).where(table.key_id == key_id) for table in TABLES]
        return sum([(await session.execute(query)).scalar_one() for query in counts])


async def test_all_come_under_the_first_key_and_read_as_before_without_the_old_one(db: Database) -> None:
    old, dates = KeyRing.parse(OLD), select(ServiceProvider.id, ServiceProvider.updated_at)
    refs = [await stored(db, old, number) for number in range(5)]
    async with db.begin() as session:
        before = dict((await session.execute(dates)).all())
    done = await rotate(db, KeyRing.parse(f"{NEW},{OLD}"), batch=2)
    assert dict(done.changed) == {"secrets": 5, "shared_certificates": 5, "service_providers": 5}
    assert not done.left
    assert await under(db, "old") == 0
    new = KeyRing.parse(NEW)
    for number, ref in enumerate(refs):
        assert await read(db, new, ref) == [f"password-{number}", f"key-{number}", f"token-{number}"]
    async with db.begin() as session:
        after = dict((await session.execute(dates)).all())
    assert after == before  # no client of a cloud has to be made anew


async def test_a_repeat_finds_nothing_to_do_and_what_was_destroyed_needs_no_key(db: Database) -> None:
    owner, *_ = await stored(db, KeyRing.parse(OLD), 1)
    async with db.begin() as session:
        await secrets.destroy(session, deployment_id=owner)
    ring = KeyRing.parse(f"{NEW},{OLD}")
    first, again = await rotate(db, ring), await rotate(db, ring)
    assert (sum(first.changed.values()), sum(again.changed.values())) == (2, 0)
    assert not again.left
    assert await under(db, "old") == 1  # the destroyed one's row, which holds no value


async def test_what_cannot_be_read_is_told_left_alone_and_stops_nothing(db: Database) -> None:
    lost = [await stored(db, KeyRing.parse(KeyRing.generate("lost")), number) for number in range(3)]
    good = await stored(db, KeyRing.parse(OLD), 9)
    done = await rotate(db, KeyRing.parse(f"{NEW},{OLD}"), batch=2)
    assert dict(done.left) == {"lost": 9}
    assert dict(done.unreadable) == {"secrets": 3, "shared_certificates": 3, "service_providers": 3}
    assert await read(db, KeyRing.parse(NEW), good) == ["password-9", "key-9", "token-9"]
    assert await under(db, "lost") == 3 * len(lost)


async def test_the_program_says_what_it_did_and_whether_the_old_key_may_go(db: Database, pg_url: str) -> None:
    await stored(db, KeyRing.parse(OLD), 1)

    def run(*ring: str) -> tuple[int, str]:
        values = {"DATABASE_URL": pg_url, "SECRET_KEYS": ",".join(ring), "ENVIRONMENT": "test"}
        done = subprocess.run([sys.executable, "-m", "deploy.rotate"], cwd=ROOT, env=os.environ | values,
                              capture_output=True, text=True, check=False)  # fmt: skip
        assert "password-1" not in done.stdout + done.stderr
        return done.returncode, done.stdout

    status, said = run(NEW)
    assert (status, "still needed: old (for 3)" in said) == (1, True)
    status, said = run(NEW, OLD)
    assert (status, said.splitlines()[-1]) == (0, "no other key is needed any more")
    assert run(NEW) == (0, "nothing to change\nno other key is needed any more\n")
