"""Which server of the house gets the next guest: the one with the most room, one choice at a time."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest

from db.base import new_id
from db.models_hosting import DnsZone, Server
from db.queries import house_servers
from db.session import Database
from domain.sales import ServerType


async def server(db: Database, **columns: Any) -> uuid.UUID:
    ref = new_id()
    values = {"id": ref, "hostname": f"ns{ref.hex[-10:]}.example.com", "ip_address": "192.0.2.1", "type": "dns",
              "status": "ACTIVE", "max_accounts": 2} | columns  # fmt: skip
    async with db.begin() as session:
        session.add(Server(**values))
    return ref


async def move_in(db: Database, *, seconds: float = 0) -> uuid.UUID | None:
    """Choose and take a place in one transaction, as an order does."""
    async with db.begin() as session:
        found = await house_servers.choose(session, ServerType.DNS)
        if found is None:
            return None
        await asyncio.sleep(seconds)
        session.add(DnsZone(id=new_id(), zone_name=f"{uuid.uuid4().hex}.example", server_id=found.id))
        return found.id


@pytest.fixture(autouse=True)
async def nobody_else(db: Database) -> None:
    """The module's database is one house: what an earlier test left takes no new guests."""
    async with db.begin() as session:
        await session.execute(Server.__table__.update().values(status="DRAINING"))


async def test_the_one_with_the_most_room_and_a_suspended_guest_keeps_its_place(db: Database) -> None:
    small, large = await server(db, max_accounts=1), await server(db, max_accounts=2)
    assert await move_in(db) == large
    async with db.begin() as session:
        await session.execute(DnsZone.__table__.update().where(DnsZone.server_id == large).values(status="SUSPENDED"))
    assert {await move_in(db), await move_in(db)} == {small, large}
    assert await move_in(db) is None


async def test_a_removed_guest_leaves_its_place(db: Database) -> None:
    only = await server(db, max_accounts=1)
    await move_in(db)
    async with db.begin() as session:
        await session.execute(DnsZone.__table__.update().where(DnsZone.server_id == only).values(status="REMOVED"))
    assert await move_in(db) == only


@pytest.mark.parametrize("closed", [{"status": "PENDING"}, {"status": "DRAINING"}, {"status": "REMOVED"},
                                    {"type": "web", "host_key": "ssh-ed25519 AAAA"}, {"max_accounts": 0}])  # fmt: skip
async def test_a_closed_or_full_server_and_one_of_another_kind_get_nothing(
    db: Database, closed: dict[str, Any]
) -> None:
    await server(db, **closed)
    assert await move_in(db) is None


async def test_many_at_once_fill_every_place_and_none_twice(db: Database) -> None:
    first, second = await server(db, max_accounts=3), await server(db, max_accounts=3)
    found = await asyncio.gather(*(move_in(db, seconds=0.01) for _ in range(8)))
    assert sorted(str(ref) for ref in found if ref) == sorted([str(first)] * 3 + [str(second)] * 3)
    assert found.count(None) == 2
