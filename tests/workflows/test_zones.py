"""A zone's changes are carried out one at a time and in order; one that fails says why and holds up nobody."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime

from sqlalchemy import select, update
from temporalio.client import Client

from db.models_dns import DnsChange
from db.models_hosting import DnsZone
from domain.dns_records import RecordKey
from domain.starting import zone_look_start, zone_start
from domain.zones import ChangeKind, ZoneCall
from tests.workflows.world import World
from workflows.zones import ChangeZone, LookAtZone

LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)


def call_of(zone: DnsZone) -> ZoneCall:
    return ZoneCall(zone_id=str(zone.id), zone_name=zone.zone_name)


def key(zone: DnsZone, label: str) -> RecordKey:
    return RecordKey(name=f"{label}.{zone.zone_name}", type="A")


async def fresh(world: World) -> DnsZone:
    return await world.zone(f"z{uuid.uuid4().hex[:8]}.example")


async def changes(world: World, zone: DnsZone) -> list[DnsChange]:
    async with world.db.begin() as session:
        query = select(DnsChange).where(DnsChange.zone_id == zone.id).order_by(DnsChange.number)
        return list((await session.execute(query)).scalars())


async def test_changes_are_carried_out_one_after_the_other_in_their_order(world: World, client: Client) -> None:
    zone = await fresh(world)
    await world.zone_change(zone)
    for label in ("a", "b"):
        await world.zone_change(zone, ChangeKind.SET, key(zone, label))
    run = await client.start_workflow(ChangeZone.run, call_of(zone), **zone_start(call_of(zone)))
    assert await run.result() == 3
    done = await changes(world, zone)
    assert [(change.number, change.state) for change in done] == [(1, "published"), (2, "published"), (3, "published")]
    ends = [change.ended_at for change in done]
    assert None not in ends
    assert ends == sorted(end for end in ends if end is not None)


async def test_a_passing_trouble_is_waited_out(world: World, client: Client) -> None:
    zone = await fresh(world)
    await world.zone_change(zone)
    world.fail("change_zone", "NotReady", times=3, final=False)
    await client.execute_workflow(ChangeZone.run, call_of(zone), **zone_start(call_of(zone)))
    assert (await changes(world, zone))[0].state == "published"
    assert world.count["change_zone"] == 4


async def test_a_change_that_fails_says_why_and_the_next_one_is_carried_out(world: World, client: Client) -> None:
    zone = await fresh(world)
    await world.zone_change(zone, ChangeKind.SET, key(zone, "taken"))
    await world.zone_change(zone, ChangeKind.SET, key(zone, "free"))
    world.fail("change_zone", "Conflict", "not the owner's, and left alone", times=1)
    assert await client.execute_workflow(ChangeZone.run, call_of(zone), **zone_start(call_of(zone))) == 2
    failed, published = await changes(world, zone)
    assert (failed.state, failed.trouble, failed.message) == ("failed", "Conflict", "not the owner's, and left alone")
    assert failed.ended_at is not None
    assert published.state == "published"


async def test_a_name_server_that_stays_away_ends_the_patience_and_not_the_run(world: World, client: Client) -> None:
    zone = await fresh(world)
    await world.zone_change(zone)
    world.fail("change_zone", "Transient", "the name server is away", final=False)
    assert await client.execute_workflow(ChangeZone.run, call_of(zone), **zone_start(call_of(zone))) == 1
    (change,) = await changes(world, zone)
    assert (change.state, change.trouble, change.message) == ("failed", "Transient", "the name server is away")


async def test_what_is_asked_while_a_run_is_at_work_is_carried_out_by_it(world: World, client: Client) -> None:
    zone = await fresh(world)
    await world.zone_change(zone)
    reached = world.hold("change_zone")
    run = await client.start_workflow(ChangeZone.run, call_of(zone), **zone_start(call_of(zone)))
    await asyncio.wait_for(reached.wait(), 20)
    await world.zone_change(zone, ChangeKind.SET, key(zone, "late"))
    again = await client.start_workflow(ChangeZone.run, call_of(zone), **zone_start(call_of(zone)))
    assert again.first_execution_run_id in (None, run.first_execution_run_id)
    world.holds["change_zone"].set()
    assert await run.result() == 2
    assert [change.state for change in await changes(world, zone)] == ["published", "published"]


async def test_a_zone_whose_run_was_not_told_is_told_by_the_sweep_once(world: World, client: Client) -> None:
    zone = await fresh(world)
    await world.zone_change(zone)
    await world.zone_change(zone, ChangeKind.SET, key(zone, "lost"))
    async with world.db.begin() as session:
        await session.execute(update(DnsChange).where(DnsChange.zone_id == zone.id).values(created_at=LONG_AGO))
    assert await client.execute_workflow("StartSweep", id=f"sweep-{zone.id}", task_queue="runs", result_type=int) == 1
    assert await client.get_workflow_handle(f"zone/{zone.id}").result() == 2
    assert all(change.started_at is not None for change in await changes(world, zone))
    assert await client.execute_workflow("StartSweep", id=f"again-{zone.id}", task_queue="runs", result_type=int) == 0


async def test_a_fresh_change_is_left_to_the_front_door(world: World, client: Client) -> None:
    zone = await fresh(world)
    await world.zone_change(zone)
    await client.execute_workflow("StartSweep", id=f"early-{zone.id}", task_queue="runs")
    (change,) = await changes(world, zone)
    assert (change.state, change.started_at) == ("waiting", None)


async def test_a_look_answers_what_the_name_servers_hold(world: World, client: Client) -> None:
    zone = await fresh(world)
    seen = await client.execute_workflow(LookAtZone.run, call_of(zone), **zone_look_start(call_of(zone)))
    assert (seen.serial, seen.published, seen.whole) == (7, "seen everywhere", True)
    assert seen.in_sync(key(zone, "www")) is True
