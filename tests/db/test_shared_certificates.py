"""Uploaded certificates' rows: a key that is encrypted, one default, places that get it and places that lose it."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, text, update

from db.base import new_id
from db.keyring import KeyRing
from db.models_certificates import Certificate, CertificateDrill, SharedCertificate
from db.queries import certificates, drills
from db.queries import shared_certificates as shared
from db.session import Database
from domain.certificate_pairs import CertificatePair
from tests.db.conftest import MakeDeployment

NOW = datetime(2027, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
KEY = "-----BEGIN PRIVATE KEY-----\na very private line\n-----END PRIVATE KEY-----\n"


def brought(*names: str) -> CertificatePair:
    serial = uuid.uuid4().hex
    return CertificatePair(
        names=list(names or ("*.shop.test",)), serial=serial, issuer="CN=Seller", not_before=NOW - DAY,
        not_after=NOW + 199 * DAY, chain_pem="chain", key_sha256=serial, key_type="ec-secp256r1", key_pem=KEY,
    )  # fmt: skip


class Rows:
    def __init__(self, db: Database, keys: KeyRing, owner: uuid.UUID) -> None:
        self.db, self.keys, self.owner = db, keys, owner

    async def keep(self, pair: CertificatePair, *, default: bool = False) -> SharedCertificate:
        async with self.db.begin() as session:
            row = await shared.keep(session, self.keys, pair, "ada")
            if default:
                await shared.make_default(session, row)
        return row

    async def place(self, **columns: Any) -> Certificate:
        values = {
            "id": new_id(), "deployment_id": self.owner, "names": ["a.shop.test"], "serial": uuid.uuid4().hex,
            "issuer": "CA", "not_before": NOW - DAY, "not_after": NOW + 89 * DAY, "chain_pem": "", "key_sha256": "",
            "directory_url": "https://ca.test/dir", "renew_after": NOW + 60 * DAY, "next_action": "poll",
        }  # fmt: skip
        async with self.db.begin() as session:
            row = Certificate(**(values | columns))
            session.add(row)
        return row

    async def again(self, row: Certificate) -> Certificate:
        async with self.db.begin() as session:
            return await session.get_one(Certificate, row.id)

    async def give(self, row: SharedCertificate, place: Certificate) -> None:
        async with self.db.begin() as session:
            shared.give(row, await session.get_one(Certificate, place.id), NOW)

    async def withdraw(self, row: SharedCertificate) -> list[uuid.UUID]:
        async with self.db.begin() as session:
            held = await shared.get(session, row.id, lock=True)
            assert held is not None
            return [place.id for place in await shared.withdraw(session, held, NOW)]

    async def due(self) -> list[uuid.UUID]:
        async with self.db.begin() as session:
            return [row.id for row in await certificates.claim_due(session, NOW, 100, polls=False)]


@pytest.fixture
async def rows(db: Database, keys: KeyRing, make_deployment: MakeDeployment) -> AsyncIterator[Rows]:
    async def empty() -> None:
        async with db.begin() as session:
            for table in (Certificate, CertificateDrill, SharedCertificate):
                await session.execute(delete(table))

    await empty()
    yield Rows(db, keys, (await make_deployment(f"u{uuid.uuid4().hex[:8]}")).id)
    await empty()


async def test_its_key_is_encrypted_and_read_back(rows: Rows) -> None:
    row = await rows.keep(brought())
    async with rows.db.begin() as session:
        whole = (await session.execute(text("select row_to_json(s)::text from shared_certificates s"))).scalar_one()
        assert shared.private_key(await session.get_one(SharedCertificate, row.id), rows.keys) == KEY
        assert await shared.is_shared(session, row.key_sha256)
        assert not await shared.is_shared(session, "another")
    for line in KEY.splitlines():
        assert line not in whole
        assert line.encode().hex() not in whole


async def test_the_same_again_is_the_same_row(rows: Rows) -> None:
    pair = brought()
    assert (await rows.keep(pair)).id == (await rows.keep(pair)).id
    assert (await rows.keep(brought())).id != (await rows.keep(pair)).id


async def test_a_place_that_gets_one_is_due_at_once_whatever_was_next(rows: Rows) -> None:
    row, place = await rows.keep(brought()), await rows.place()
    await rows.place()
    await rows.give(row, place)
    given = await rows.again(place)
    assert (given.awaits_id, given.next_action, given.renew_after) == (row.id, "renew", NOW)
    assert await rows.due() == [place.id]
    async with rows.db.begin() as session:
        assert await shared.places(session, row) == shared.Places(serving=0, waiting=1)


async def test_a_withdrawn_ones_key_is_gone_and_its_places_get_keys_of_their_own(rows: Rows) -> None:
    pair = brought()
    row = await rows.keep(pair, default=True)
    serving = await rows.place(shared_id=row.id, directory_url="")
    waiting, other = await rows.place(), await rows.place()
    await rows.give(row, waiting)
    assert await rows.withdraw(row) == [serving.id]
    assert await rows.withdraw(row) == []
    async with rows.db.begin() as session:
        gone = await session.get_one(SharedCertificate, row.id)
        assert (gone.ciphertext, gone.is_default, gone.withdrawn_at) == (None, False, NOW)
        assert await shared.is_shared(session, pair.key_sha256)  # for good: others may know it
        with pytest.raises(shared.Withdrawn):
            shared.private_key(gone, rows.keys)
    found = await rows.again(serving)
    assert (found.replace_after, found.replace_key) == (NOW, True)
    let_go = await rows.again(waiting)
    assert (let_go.awaits_id, let_go.replace_after, let_go.replace_key) == (None, None, False)
    assert sorted(await rows.due()) == sorted([serving.id, waiting.id])
    assert (await rows.again(other)).next_action == "poll"
    with pytest.raises(shared.Withdrawn):
        await rows.keep(pair)


async def test_one_is_the_default_and_only_while_it_covers_all_names_and_lasts(rows: Rows) -> None:
    first = await rows.keep(brought("*.old.test"), default=True)
    second = await rows.keep(brought("*.shop.test"), default=True)

    async def default(*names: str, now: datetime = NOW) -> uuid.UUID | None:
        async with rows.db.begin() as session:
            found = await shared.default_for(session, names, now)
        return found.id if found else None

    assert await default("a.shop.test", "b.shop.test") == second.id
    assert await default("a.shop.test", "a.other.test") is None
    assert await default("a.old.test") is None
    assert await default("a.shop.test", now=second.not_after - 30 * DAY) is None
    async with rows.db.begin() as session:
        assert (await session.get_one(SharedCertificate, first.id)).is_default is False


async def test_a_drill_leaves_uploaded_ones_alone(rows: Rows) -> None:
    row = await rows.keep(brought())
    await rows.place(shared_id=row.id, key_type="rsa-2048")
    issued = await rows.place(key_type="rsa-2048")
    async with rows.db.begin() as session:
        await drills.begin(session, id=new_id(), directory_url="", key_type="rsa-2048", pace=60, fresh_key=True,
                           reason="drill", by="ada", now=NOW)  # fmt: skip
        taken = (await session.execute(select(Certificate.id).where(Certificate.drill_id.is_not(None)))).scalars()
        assert list(taken) == [issued.id]
        assert await drills.holdings(session) == [("https://ca.test/dir", "rsa-2048", 1)]


async def test_one_that_a_drill_wants_replaced_stays_wanted(rows: Rows) -> None:
    row, place = await rows.keep(brought()), await rows.place()
    async with rows.db.begin() as session:
        drill = CertificateDrill(
            id=new_id(),
            directory_url="x",
            key_type="",
            fresh_key=False,
            reason="",
            total=1,
            pace_per_hour=1,
            next_at=NOW,
            requested_by="ada",
            state="stopped",
            ended_at=NOW,
        )
        session.add(drill)
        await session.flush()
        await session.execute(update(Certificate).values(drill_id=drill.id))
    await rows.give(row, place)
    await rows.withdraw(row)
    assert (await rows.again(place)).replace_after == NOW


async def test_the_same_certificate_may_stand_in_several_places_and_one_of_a_ca_in_one(rows: Rows) -> None:
    pair = replace(brought(), issuer="CA")
    row = await rows.keep(pair)
    for _ in range(2):
        await rows.place(shared_id=row.id, serial=pair.serial)
    await rows.place(serial=pair.serial)
    with pytest.raises(Exception, match="uq_certificates_issued"):
        await rows.place(serial=pair.serial)
