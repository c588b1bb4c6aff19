"""Changes of zones, carried to a real primary and seen at its real secondary."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest
from temporalio.exceptions import ApplicationError

import activities._zones
from activities._zones import zone_held
from db.keyring import KeyRing
from db.queries import zone_rows
from db.session import Database
from domain.dns_records import RecordInput, normal_set
from domain.errors import Trouble
from domain.zones import ChangeKind
from providers.dns.lookup import ask
from providers.dns.powerdns import PowerDNS
from providers.dns.zone_shapes import ZoneOrder, owner_token
from tests.activities.zones import Office, copied, deps_of
from tests.dnspair import NAMESERVERS, Pair, name_pair
from tests.providers.dns.servers import API_KEY

STRANGER = "0192f0c1-7d2a-7000-8000-00000000ffff"


@pytest.fixture(scope="module")
async def pair(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    async with name_pair(tmp_path_factory.mktemp("pair")) as made:
        yield made


@pytest.fixture
async def empty(db: Database, keys: KeyRing, pair: Pair) -> Office:
    """A zone that is wanted and not made yet."""
    name = f"z{uuid.uuid4().hex[:8]}.test"
    await copied(pair, name)
    async with db.begin() as session:
        zone = await zone_rows.create(session, name, "Primary", None)
    return Office(deps_of(db, keys, pair), pair, zone)


@pytest.fixture
async def office(empty: Office) -> Office:
    """A zone that is published."""
    await empty.carry_out(await empty.ask(ChangeKind.ZONE))
    return empty


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """One attempt ends soon; a worker would begin the next one."""
    monkeypatch.setattr(activities._zones, "SPREAD_SECONDS", 0.2)


async def answers(office: Office, name: str, type_: str) -> list[tuple[str, ...]]:
    """At each name server."""
    return [(await ask(server, name, type_)).values for server in office.pair.servers]


class TestZone:
    async def test_a_new_zone_is_served_by_every_name_server(self, empty: Office) -> None:
        change = await empty.carry_out(await empty.ask(ChangeKind.ZONE))
        assert (change.state, change.trouble) == ("published", "")
        assert all(server in change.message for server in empty.pair.servers)
        row = await empty.row()
        assert row.status == "ACTIVE"
        assert row.serial is not None
        assert await answers(empty, empty.name, "NS") == [NAMESERVERS, NAMESERVERS]
        found = await empty.pair.primary.zones.read(empty.name)
        assert found is not None
        assert (found.kind, found.owner) == ("Primary", owner_token(str(empty.zone.id)))

    async def test_a_zone_of_somebody_else_is_left_alone(self, empty: Office) -> None:
        order = ZoneOrder(name=empty.name, kind="Primary", nameservers=NAMESERVERS)
        await empty.pair.primary.zones.ensure(order, owner=STRANGER)
        with pytest.raises(ApplicationError) as caught:
            await empty.carry_out(await empty.ask(ChangeKind.ZONE))
        assert (caught.value.type, caught.value.non_retryable) == (Trouble.CONFLICT, True)
        assert (await empty.row()).status == "PENDING"

    async def test_publishing_again_mends_what_was_changed_by_hand(self, office: Office) -> None:
        wanted = office.set_of("www", "A", "192.0.2.1")
        await office.carry_out(await office.want(wanted))
        await office.pair.primary.records.change(office.name, owner=office.owner, remove=[wanted.key])
        await office.carry_out(await office.ask(ChangeKind.ZONE))
        assert await answers(office, f"www.{office.name}", "A") == [("192.0.2.1",)] * 2

    async def test_a_change_that_has_ended_is_not_carried_out_again(self, office: Office) -> None:
        wanted = office.set_of("www", "A", "192.0.2.1")
        change = await office.carry_out(await office.want(wanted))
        await office.pair.primary.records.change(office.name, owner=office.owner, remove=[wanted.key])
        await office.carry_out(change)
        assert (await ask(office.pair.servers[0], f"www.{office.name}", "A")).values == ()


class TestSets:
    async def test_a_set_is_published_changed_and_taken_away_at_every_server(self, office: Office) -> None:
        name = f"www.{office.name}"
        for values in (("192.0.2.1", "192.0.2.2"), ("192.0.2.3",)):
            change = await office.carry_out(await office.want(office.set_of("www", "A", *values)))
            assert change.state == "published"
            assert await answers(office, name, "A") == [values, values]
        await office.carry_out(await office.drop(office.set_of("www", "A", "192.0.2.3").key))
        assert await answers(office, name, "A") == [(), ()]
        found = await office.pair.primary.zones.read(office.name)
        assert found is not None
        assert (await office.row()).serial == found.serial

    async def test_what_the_rows_say_by_now_is_published(self, office: Office) -> None:
        first = await office.want(office.set_of("www", "A", "192.0.2.1"))
        second = await office.want(office.set_of("www", "A", "192.0.2.2"))
        await office.carry_out(first)
        assert await answers(office, f"www.{office.name}", "A") == [("192.0.2.2",)] * 2
        serial = (await office.row()).serial
        assert (await office.carry_out(second)).state == "published"
        assert (await office.row()).serial == serial, "nothing was left to write"

    async def test_a_set_that_somebody_else_has_put_there_is_left_alone(self, office: Office) -> None:
        made = await PowerDNS(office.pair.built.api_url, API_KEY).publish(
            f"www.{office.name}", "A", ["203.0.113.9"], ttl=60, owner=STRANGER)  # fmt: skip
        assert made
        with pytest.raises(ApplicationError) as caught:
            await office.carry_out(await office.want(office.set_of("www", "A", "192.0.2.1")))
        assert caught.value.type == Trouble.CONFLICT
        assert (await ask(office.pair.servers[0], f"www.{office.name}", "A")).values == ("203.0.113.9",)

    async def test_a_secondary_that_is_down_is_waited_for_by_name(self, office: Office, impatient: None) -> None:
        change = await office.want(office.set_of("late", "TXT", "hello"))
        await office.pair.stop_secondary()
        try:
            with pytest.raises(ApplicationError) as caught:
                await office.carry_out(change)
            assert (caught.value.type, caught.value.non_retryable) == (Trouble.NOT_READY, False)
            assert office.pair.servers[1] in caught.value.message
        finally:
            await office.pair.start_secondary()
        await office.pair.settled(office.name)
        assert (await office.carry_out(change)).state == "published"

    async def test_two_changes_of_a_zone_are_not_written_at_once(self, office: Office) -> None:
        change = await office.want(office.set_of("www", "A", "192.0.2.1"))
        async with zone_held(office.deps, office.name):
            with pytest.raises(ApplicationError) as caught:
                await office.carry_out(change)
        assert (caught.value.type, caught.value.non_retryable) == (Trouble.NOT_READY, False)
        assert (await ask(office.pair.servers[0], f"www.{office.name}", "A")).values == ()
        assert (await office.carry_out(change)).state == "published"


class TestEnd:
    async def test_a_zone_is_exported_and_gone_everywhere(self, office: Office) -> None:
        await office.carry_out(await office.want(office.set_of("www", "A", "192.0.2.1")))
        change = await office.ask(ChangeKind.END)
        with pytest.raises(ApplicationError) as caught:
            await office.carry_out(change)
        assert (caught.value.type, office.pair.servers[1] in caught.value.message) == (Trouble.STILL_PRESENT, True)
        await office.pair.secondary.zones.remove(office.name, owner="copies")
        change = await office.carry_out(change)
        assert change.state == "published"
        row = await office.row()
        assert row.status == "REMOVED"
        assert row.last_export is not None, "kept although the second try found nothing to export"
        assert "192.0.2.1" in row.last_export
        assert await office.pair.primary.zones.read(office.name) is None

    async def test_a_zone_that_holds_what_is_not_ours_stays_whole(self, office: Office) -> None:
        await office.pair.primary.publish(f"www.{office.name}", "A", ["203.0.113.9"], ttl=60, owner=STRANGER)
        with pytest.raises(ApplicationError) as caught:
            await office.carry_out(await office.ask(ChangeKind.END))
        assert caught.value.type == Trouble.CONFLICT
        assert (await office.row()).status == "ACTIVE"
        assert (await ask(office.pair.servers[0], f"www.{office.name}", "A")).values == ("203.0.113.9",)

    async def test_the_row_of_a_zone_that_was_never_ours_ends_and_theirs_stays(self, empty: Office) -> None:
        order = ZoneOrder(name=empty.name, kind="Primary", nameservers=NAMESERVERS)
        await empty.pair.primary.zones.ensure(order, owner=STRANGER)
        change = await empty.carry_out(await empty.ask(ChangeKind.END))
        assert "left alone" in change.message
        row = await empty.row()
        assert (row.status, row.last_export) == ("REMOVED", None)
        assert await empty.pair.primary.zones.read(empty.name) is not None


class TestLook:
    async def test_what_is_as_wanted_is_in_sync(self, office: Office) -> None:
        wanted = office.set_of("www", "A", "192.0.2.1")
        await office.carry_out(await office.want(wanted))
        seen = await office.look()
        assert (seen.differing, seen.unlisted, seen.behind) == ({}, [], "")
        assert seen.in_sync(wanted.key) is True
        assert seen.serial == (await office.row()).serial
        assert all(server in seen.published for server in office.pair.servers)

    async def test_each_difference_is_told_with_its_reason(self, office: Office) -> None:
        for label in ("other", "gone", "taken"):
            await office.carry_out(await office.want(office.set_of(label, "A", "192.0.2.1")))
        there = office.pair.primary.records
        other, gone, taken, extra = (
            normal_set(office.name, RecordInput(name=label, type="A", content="203.0.113.9", ttl=120))
            for label in ("other", "gone", "taken", "extra")
        )
        await there.change(office.name, owner=office.owner, put=[other, extra], remove=[gone.key, taken.key])
        await office.pair.primary.publish(taken.name, "A", ["203.0.113.9"], ttl=60, owner=STRANGER)
        seen = await office.look()
        assert seen.differing == {
            str(other.key): "it is there with ttl 120 as 203.0.113.9",
            str(gone.key): "it is not there",
            str(taken.key): "a set that is not ours is there",
        }
        assert seen.unlisted == [str(extra.key)]
        assert seen.in_sync(other.key) is False

    async def test_a_name_server_that_lags_is_named(self, office: Office) -> None:
        await office.pair.stop_secondary()
        try:
            seen = await office.look()
        finally:
            await office.pair.start_secondary()
        assert office.pair.servers[1] in seen.behind
        assert seen.published == ""

    async def test_a_zone_that_is_not_there_differs_in_everything(self, empty: Office) -> None:
        wanted = empty.set_of("www", "A", "192.0.2.1")
        await empty.want(wanted)
        seen = await empty.look()
        assert seen.differing == {str(wanted.key): "the name server does not have this zone"}
        assert (seen.serial, seen.behind) == (None, "the name server does not have this zone")

    async def test_a_look_that_was_cut_says_so(self, empty: Office, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("activities.zone_changes.SHOWN", 1)
        for label in ("a", "b"):
            await empty.want(empty.set_of(label, "A", "192.0.2.1"))
        seen = await empty.look()
        assert seen.whole is False
        assert seen.in_sync(empty.set_of("a", "A", "192.0.2.1").key) is False
        assert seen.in_sync(empty.set_of("b", "A", "192.0.2.1").key) is None
