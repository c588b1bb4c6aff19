"""Secrets: made once, bound to their row, unreadable elsewhere, gone when destroyed; keys rotate."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select

from db import secrets
from db.base import new_id
from db.keyring import KeyRing, KeyRingError
from db.models import Secret
from db.session import Database


async def test_every_retry_gets_the_value_of_the_first(db: Database, keys: KeyRing) -> None:
    owner = new_id()

    async def ensure(value: str) -> str:
        async with db.begin() as session:
            return await secrets.ensure(session, keys, "env:JWT_SECRET", lambda: value, deployment_id=owner)

    assert len({await ensure(f"value-{n}") for n in range(3)}) == 1


async def test_two_workers_making_the_same_secret_agree(db: Database, keys: KeyRing) -> None:
    owner = new_id()

    async def ensure(value: str) -> str:
        async with db.begin() as session:
            return await secrets.ensure(session, keys, "acme", lambda: value, vps_id=owner)

    values = await asyncio.gather(*(ensure(f"value-{n}") for n in range(8)))
    assert len(set(values)) == 1


async def test_what_is_stored_is_not_the_value(db: Database, keys: KeyRing) -> None:
    owner = new_id()
    async with db.begin() as session:
        await secrets.ensure(session, keys, "admin-password", lambda: "canary-4711", deployment_id=owner)
        row = (await session.execute(select(Secret).where(Secret.deployment_id == owner))).scalar_one()
        assert row.ciphertext is not None
        assert b"canary" not in row.ciphertext


async def test_a_destroyed_secret_stays_known_and_cannot_be_read(db: Database, keys: KeyRing) -> None:
    owner = new_id()
    async with db.begin() as session:
        await secrets.ensure(session, keys, "one", lambda: "x", deployment_id=owner)
        await secrets.destroy(session, deployment_id=owner)
    async with db.begin() as session:
        assert await secrets.read(session, keys, "one", deployment_id=owner) is None
        assert await secrets.row_of(session, "one", deployment_id=owner) is not None


class TestKeyRing:
    def test_a_value_cannot_be_read_in_another_place(self) -> None:
        ring = KeyRing.parse(KeyRing.generate())
        key_id, blob = ring.encrypt(b"secret", context="secrets/1")
        with pytest.raises(KeyRingError):
            ring.decrypt(key_id, blob, context="secrets/2")

    def test_an_old_key_reads_and_the_new_one_writes(self) -> None:
        old = KeyRing.generate("old")
        key_id, blob = KeyRing.parse(old).encrypt(b"secret", context="c")
        ring = KeyRing.parse(f"{KeyRing.generate('new')},{old}")
        assert ring.decrypt(key_id, blob, context="c") == b"secret"
        assert ring.encrypt(b"x", context="c")[0] == "new"
        assert not ring.is_current(key_id)

    @pytest.mark.parametrize("text", ["", "k1:short", "k1:AAAA"])
    def test_bad_keys_are_refused_without_being_shown(self, text: str) -> None:
        with pytest.raises(KeyRingError) as refused:
            KeyRing.parse(text)
        assert "AAAA" not in str(refused.value)
