"""Changes of zones that need somebody are asked for again, or settled with a note."""

from __future__ import annotations

import uuid

import pytest

import api.zone_access
from db.models_dns import DnsChange
from db.models_hosting import DnsZone
from domain.zones import ChangeKind, ChangeState
from tests.api.test_attention_sales import items
from tests.api.test_attention_zones import asked
from tests.api.world import World
from tests.api.zones import WHERE, a_zone, carried_out, changes_of, put_row


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a run that a stand-in does not have."""
    monkeypatch.setattr(api.zone_access, "WAIT_SECONDS", 0.2)


def where(zone: DnsZone, change: DnsChange | str, verb: str) -> str:
    ref = change if isinstance(change, str) else change.id
    return f"{WHERE}/{zone.id}/changes/{ref}/{verb}"


class TestRetry:
    @pytest.mark.parametrize("kind", ChangeKind)
    async def test_what_failed_is_asked_for_again_as_the_same_kind(self, world: World, kind: ChangeKind) -> None:
        zone = await a_zone(world)
        failed = await asked(world, zone, kind)
        carried_out(world)
        answer = await world.client.post(where(zone, failed, "retry"))
        assert (answer.status_code, answer.json()["change"]["state"]) == (200, "published")
        _, again = await changes_of(world, zone.id)
        assert (again.kind, again.name, again.type) == (failed.kind, failed.name, failed.type)
        assert again.requested_by == world.username
        assert await items(world, zone_id=str(zone.id)) == []
        (entry,) = [one for one in await world.audit("dns_change.retry") if one.target_id == str(zone.id)]
        assert (entry.outcome, entry.details["change"]) == ("ok", str(failed.id))

    async def test_the_run_of_one_that_waits_is_told_again(self, world: World) -> None:
        zone = await a_zone(world)
        late = await asked(world, zone, state=ChangeState.WAITING)
        answer = await world.client.post(where(zone, late, "retry"))
        assert (answer.status_code, answer.json()["change"]["id"]) == (202, str(late.id))
        assert f"zone/{zone.id}" in world.temporal.started
        assert len(await changes_of(world, zone.id)) == 1

    async def test_what_was_asked_for_since_is_not_repeated(self, world: World) -> None:
        """An end that failed must not be repeated after somebody published the zone again."""
        zone = await a_zone(world)
        ended = await asked(world, zone, ChangeKind.END)
        published = await asked(world, zone, ChangeKind.ZONE, state=ChangeState.PUBLISHED)
        for change in (ended, published):
            answer = await world.client.post(where(zone, change, "retry"))
            assert answer.status_code == 409
        assert len(await changes_of(world, zone.id)) == 2

    async def test_nothing_is_asked_of_a_zone_that_is_suspended(self, world: World) -> None:
        zone = await a_zone(world, status="SUSPENDED")
        failed = await asked(world, zone)
        assert (await world.client.post(where(zone, failed, "retry"))).status_code == 409


class TestSettle:
    async def test_one_leaves_the_list_and_the_note_is_kept(self, world: World) -> None:
        zone = await a_zone(world)
        await put_row(world, zone, "www", "A", "192.0.2.1")
        failed = await asked(world, zone)
        answer = await world.client.post(where(zone, failed, "settle"), json={"note": "Not wanted any more."})
        assert answer.status_code == 200
        assert answer.json()["change"]["settled_by"] == world.username
        assert answer.json()["change"]["settled_at"]
        assert await items(world, zone_id=str(zone.id)) == []
        assert (await world.client.post(where(zone, failed, "settle"), json={"note": "again"})).status_code == 409
        entries = [one for one in await world.audit("dns_change.settle") if one.target_id == str(zone.id)]
        assert {(one.outcome, one.details["note"]) for one in entries} == {
            ("ok", "Not wanted any more."), ("refused", "again")}  # fmt: skip

    async def test_it_asks_for_a_note_and_for_a_change_of_this_zone_that_failed(self, world: World) -> None:
        zone, other = await a_zone(world), await a_zone(world)
        failed, waits = await asked(world, zone), await asked(world, other, state=ChangeState.WAITING)
        assert (await world.client.post(where(zone, failed, "settle"), json={"note": " "})).status_code == 422
        assert (await world.client.post(where(other, waits, "settle"), json={"note": "x"})).status_code == 409
        for ref in (str(uuid.uuid4()), "x", "%00", str(waits.id)):
            answer = await world.client.post(where(zone, ref, "settle"), json={"note": "x"})
            assert answer.status_code == 404, ref
