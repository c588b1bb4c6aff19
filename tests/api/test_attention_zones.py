"""The operators' list of zones: changes that failed and that nobody has seen to, and those that take too long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import update

from db.models_dns import DnsChange
from db.models_hosting import DnsZone
from db.queries import zone_changes
from domain.dns_records import RecordKey
from domain.zones import ChangeKind, ChangeState
from tests.api.test_attention import metric
from tests.api.test_attention_sales import items
from tests.api.world import World
from tests.api.zones import a_zone, organization, put_row

NOW = datetime.now(UTC)


async def asked(
    world: World, zone: DnsZone, kind: ChangeKind = ChangeKind.SET, *, state: ChangeState = ChangeState.FAILED,
    name: str = "www",
) -> DnsChange:  # fmt: skip
    """A change of the zone that has come to that state."""
    key = RecordKey(name=f"{name}.{zone.zone_name}", type="A") if kind == ChangeKind.SET else None
    async with world.db.begin() as session:
        change = await zone_changes.ask(session, zone, kind, "ada", key=key)
        if state != ChangeState.WAITING:
            await zone_changes.end(session, change.id, state, "192.0.2.54 does not answer", trouble="Transient")
            await session.refresh(change)
    return change


async def kinds(world: World, zone: DnsZone) -> list[tuple[str, str]]:
    return [(one["kind"], one["what"]) for one in await items(world, zone_id=str(zone.id))]


async def test_a_set_that_could_not_be_published_is_listed_with_who_asked(world: World) -> None:
    owner = await organization(world)
    zone = await a_zone(world, owner)
    change = await asked(world, zone)
    [one] = await items(world, zone_id=str(zone.id))
    assert one["what"] == f"Publication of www.{zone.zone_name} A failed, asked for by ada"
    assert (one["kind"], one["change_id"], one["owner"]) == ("zone_change_failed", str(change.id), "operator")
    assert (one["label"], one["organization_name"]) == (zone.zone_name, f"Firm {owner}")
    assert (one["trouble"], one["message"]) == ("Transient", "192.0.2.54 does not answer")
    assert one["since"] < one["until"]
    assert f"zone%2F{zone.id}" in one["temporal_url"]
    assert await metric(world, "zone_change_failed") != "0.0"


async def test_asking_again_takes_the_older_failure_off(world: World) -> None:
    zone = await a_zone(world)
    await asked(world, zone)
    await asked(world, zone, name="other")
    last = await asked(world, zone)
    assert len(await items(world, zone_id=str(zone.id))) == 2
    assert [one["change_id"] for one in await items(world, change_id=str(last.id))] == [str(last.id)]
    await asked(world, zone, state=ChangeState.PUBLISHED)
    assert await kinds(world, zone) == [
        ("zone_change_failed", f"Publication of other.{zone.zone_name} A failed, asked for by ada")
    ]


async def test_a_later_publication_of_the_zone_is_the_end_of_failed_wishes_but_of_no_failed_removal(
    world: World,
) -> None:
    zone = await a_zone(world)
    await put_row(world, zone, "www", "A", "192.0.2.1")
    await asked(world, zone)
    removal = await asked(world, zone, name="gone")
    await asked(world, zone, ChangeKind.END)
    assert len(await kinds(world, zone)) == 3
    await asked(world, zone, ChangeKind.ZONE, state=ChangeState.PUBLISHED)
    assert [one["change_id"] for one in await items(world, zone_id=str(zone.id))] == [str(removal.id)]
    shown = (await world.client.get(f"/api/dns/zones/{zone.id}")).json()["zone"]
    assert shown["failed_sets"] == 1
    records = (await world.client.get(f"/api/dns/zones/{zone.id}/records")).json()["records"]
    assert [(one["name"].partition(".")[0], one["change"]["state"]) for one in records] == [
        ("gone", "failed"), ("www", "published")]  # fmt: skip


async def test_what_failed_in_a_zone_that_is_gone_needs_nobody(world: World) -> None:
    zone = await a_zone(world, status="REMOVED")
    await asked(world, zone)
    assert await kinds(world, zone) == []


async def test_of_changes_that_wait_for_too_long_the_first_is_listed(world: World) -> None:
    zone = await a_zone(world)
    first = await asked(world, zone, ChangeKind.ZONE, state=ChangeState.WAITING)
    second = await asked(world, zone, state=ChangeState.WAITING)
    assert await kinds(world, zone) == []
    async with world.db.begin() as session:
        await session.execute(update(DnsChange).where(DnsChange.id.in_([first.id, second.id])).values(
            created_at=NOW - timedelta(minutes=20)))  # fmt: skip
    [one] = await items(world, zone_id=str(zone.id))
    assert (one["kind"], one["change_id"]) == ("zone_change_late", str(first.id))
    assert one["what"] == "Publication of the zone takes too long, asked for by ada"
    assert await metric(world, "zone_change_late") != "0.0"
