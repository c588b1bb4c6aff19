"""Places on shared servers under a race: nobody shares one, no server holds more than it may."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select, update

from db.models import Deployment, Placement, VpsInstance
from db.queries.reservation import NoPlace, release, reserve
from db.session import Database
from domain.statuses import Lifecycle
from tests.db.conftest import MakeDeployment


async def take(db: Database, deployment: Deployment, places: int = 3) -> VpsInstance:
    async with db.begin() as session:
        vps, _, _ = await reserve(
            session, deployment.id, provider="transip", shared_places=places, base_domain="x.test"
        )
        return vps


async def test_a_race_for_the_last_places_gives_each_to_one(db: Database, make_deployment: MakeDeployment) -> None:
    first = await make_deployment("race-first", "shared")
    server = await take(db, first, places=4)
    async with db.begin() as session:
        await session.execute(update(VpsInstance).where(VpsInstance.id == server.id).values(lifecycle="active"))
    others = [await make_deployment(f"race-{n}", "shared") for n in range(6)]
    got = await asyncio.gather(*(take(db, other, places=4) for other in others))
    on_first = [vps for vps in got if vps.id == server.id]
    assert len(on_first) == 3, "three places were free"
    async with db.begin() as session:
        taken = list((await session.execute(
            select(Placement.place).where(Placement.vps_id == server.id))).scalars())  # fmt: skip
        full = await session.get_one(VpsInstance, server.id)
    assert sorted(taken) == [0, 1, 2, 3]
    assert full.current_organizations == full.max_organizations == 4


async def test_reserving_again_gives_the_same_place(db: Database, make_deployment: MakeDeployment) -> None:
    deployment = await make_deployment("same")
    first, second = await take(db, deployment), await take(db, deployment)
    assert first.id == second.id
    assert second.current_organizations == 1


async def test_a_released_place_is_given_away_again(db: Database, make_deployment: MakeDeployment) -> None:
    one, two, three = [await make_deployment(f"again-{n}", "shared") for n in range(3)]
    server = await take(db, one, places=2)
    async with db.begin() as session:
        row = await session.get_one(VpsInstance, server.id)
        row.lifecycle = Lifecycle.ACTIVE
        # Only this server may answer.
        await session.execute(update(VpsInstance).where(VpsInstance.id != server.id).values(lifecycle="terminated"))
    await take(db, two, places=2)
    async with db.begin() as session:
        await release(session, one.id)
        await release(session, one.id)
    assert (await take(db, three, places=2)).id == server.id
    async with db.begin() as session:
        assert (await session.get_one(VpsInstance, server.id)).current_organizations == 2


async def test_a_server_that_was_asked_for_and_is_full_is_refused(
    db: Database, make_deployment: MakeDeployment
) -> None:
    owner, late = await make_deployment("full-owner", "shared"), await make_deployment("full-late", "shared")
    server = await take(db, owner, places=1)
    async with db.begin() as session:
        (await session.get_one(VpsInstance, server.id)).lifecycle = Lifecycle.ACTIVE
        (await session.get_one(Deployment, late.id)).requested_vps_id = server.id
    with pytest.raises(NoPlace):
        await take(db, late)


async def test_a_race_over_two_servers_with_room_orders_no_third(db: Database, make_deployment: MakeDeployment) -> None:
    async with db.begin() as session:
        await session.execute(update(VpsInstance).values(lifecycle="terminated"))
        for name in ("room-a", "room-b"):
            session.add(VpsInstance(vps_name=name, provider_type="transip", is_shared=True, max_organizations=2,
                                    current_organizations=0, lifecycle="active", specs={}))  # fmt: skip
    four = [await make_deployment(f"room-{n}", "shared") for n in range(4)]
    got = await asyncio.gather(*(take(db, deployment) for deployment in four))
    assert sorted(vps.vps_name for vps in got) == ["room-a", "room-a", "room-b", "room-b"]
