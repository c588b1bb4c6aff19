"""A drill's part of the sweep, where its certificates move to another CA: the account's limit there holds it up."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, func, update

from activities import _drills
from db.base import new_id
from db.keyring import KeyRing
from db.models_certificates import CaBucket, Certificate, CertificateDrill
from db.queries import drills
from db.session import Database
from domain import ca_catalogue
from domain.ca_limits import LETS_ENCRYPT
from domain.drills import DrillState
from tests.activities.edge import Edge, edge

DAY = timedelta(days=1)
ELSEWHERE = "https://elsewhere.test/dir"


@pytest.fixture
async def place(db: Database, keys: KeyRing, tmp_path: Path) -> AsyncIterator[Edge]:
    async with db.begin() as session:
        await session.execute(update(Certificate).values(
            superseded_at=func.now(), renew_after=None, next_action="", drill_id=None))  # fmt: skip
        await session.execute(delete(CertificateDrill))
    async with edge(db, keys, tmp_path, with_ca=False) as made:
        yield made


async def begun(place: Edge, ca: str) -> tuple[Certificate, CertificateDrill]:
    now = datetime.now(UTC)
    async with place.db.begin() as session:
        row = Certificate(
            id=new_id(), deployment_id=uuid.UUID(place.id), names=[place.name], serial=uuid.uuid4().hex, issuer="CA",
            not_before=now - DAY, not_after=now + 89 * DAY, chain_pem="", key_sha256="", directory_url=ca,
            renew_after=now + 30 * DAY, next_action="renew",
        )  # fmt: skip
        session.add(row)
        await session.flush()
        drill = await drills.begin(session, id=new_id(), directory_url=ca, key_type="", pace=600, fresh_key=False,
                                   reason="drill", by="ada", now=now)  # fmt: skip
    return row, drill


async def kept(place: Edge, drill: CertificateDrill) -> CertificateDrill:
    async with place.db.begin() as session:
        return await session.get_one(CertificateDrill, drill.id)


async def test_none_is_made_due_while_the_accounts_orders_there_are_used_up(
    place: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = place.deps.acme.directory_url
    monkeypatch.setitem(ca_catalogue.DIRECTORIES, directory, LETS_ENCRYPT)
    full = datetime.now(UTC) + timedelta(hours=3)
    async with place.db.begin() as session:
        session.add(CaBucket(directory_url=directory, limit="new_orders", subject="house", full_at=full))
    _, drill = await begun(place, ELSEWHERE)
    assert await _drills.release(place.deps, 10) == 0
    held = await kept(place, drill)
    assert "300 orders of this account in 3 h" in held.why
    assert held.next_at > drill.next_at
    async with place.db.begin() as session:
        await session.execute(delete(CaBucket).where(CaBucket.directory_url == directory))
        await session.execute(update(CertificateDrill).values(next_at=func.now() - timedelta(seconds=1)))
    assert await _drills.release(place.deps, 10) == 1
    assert (await kept(place, drill)).why == ""


async def test_at_their_own_ca_it_goes_on_and_ends_once_all_is_replaced(place: Edge) -> None:
    row, drill = await begun(place, place.deps.acme.directory_url)
    assert await _drills.release(place.deps, 10) == 1
    assert await _drills.release(place.deps, 10) == 0
    assert (await kept(place, drill)).state == DrillState.RUNNING
    async with place.db.begin() as session:
        await session.execute(update(Certificate).where(Certificate.id == row.id).values(
            superseded_at=func.now(), renew_after=None, next_action=""))  # fmt: skip
    assert await _drills.release(place.deps, 10) == 0
    ended = await kept(place, drill)
    assert (ended.state, ended.replaced) == (DrillState.DONE, 1)
    assert await _drills.release(place.deps, 10) == 0
