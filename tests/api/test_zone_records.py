"""Record sets over the API: checked by type, kept from what runs manage, published, compared with the name server."""

from __future__ import annotations

from typing import Any

import pytest

import api.zone_access
from db.models_hosting import DnsZone
from domain.dns_records import RecordKey
from domain.statuses import Role
from domain.zones import ChangeState, ZoneSeen
from tests.api.world import World
from tests.api.zones import (
    WHERE,
    a_subscription,
    a_zone,
    carried_out,
    changes_of,
    organization,
    put_row,
    sign_in_as_member,
    values_of,
)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a run that a stand-in does not have."""
    monkeypatch.setattr(api.zone_access, "WAIT_SECONDS", 0.2)


def where(zone: DnsZone) -> str:
    return f"{WHERE}/{zone.id}/records"


def record(name: str = "www", type_: str = "A", content: str = "192.0.2.1", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": type_, "content": content, **more}


class TestPut:
    async def test_a_set_that_is_answered_everywhere_is_a_200(self, world: World) -> None:
        carried_out(world)
        zone = await a_zone(world)
        asked = {"name": "www", "type": "a", "values": ["192.0.2.2", "192.0.2.1"], "ttl": 300}
        answer = await world.client.put(where(zone), json=asked)
        name = f"www.{zone.zone_name}"
        assert answer.status_code == 200
        assert answer.json()["record"] == {
            "name": name, "type": "A", "ttl": 300, "values": ["192.0.2.1", "192.0.2.2"], "managed": False,
        }  # fmt: skip
        change = answer.json()["change"]
        assert (change["kind"], change["name"], change["type"], change["state"]) == ("set", name, "A", "published")
        assert await values_of(world, zone) == {(name, "A"): ("192.0.2.1", "192.0.2.2")}
        (entry,) = [one for one in await world.audit("dns_records.put") if one.target_id == str(zone.id)]
        assert (entry.outcome, entry.details) == ("ok", {"name": "www", "type": "a"})

    async def test_one_that_takes_longer_is_a_202_with_where_to_look(self, world: World) -> None:
        zone = await a_zone(world)
        answer = await world.client.put(where(zone), json=record())
        assert (answer.status_code, answer.json()["change"]["state"]) == (202, "waiting")
        found = await world.client.get(answer.headers["location"])
        assert found.json()["change"]["id"] == answer.json()["change"]["id"]

    async def test_a_set_is_replaced_whole(self, world: World) -> None:
        zone = await a_zone(world)
        await world.client.put(where(zone), json=record())
        await world.client.put(where(zone), json=record(content="192.0.2.9", ttl=120))
        assert await values_of(world, zone) == {(f"www.{zone.zone_name}", "A"): ("192.0.2.9",)}
        assert [change.number for change in await changes_of(world, zone.id)] == [1, 2]

    async def test_a_failure_is_told_and_shown_and_asking_again_repeats_it(self, world: World) -> None:
        carried_out(world, ChangeState.FAILED, trouble="Transient", message="the name server is away")
        zone = await a_zone(world)
        answer = await world.client.put(where(zone), json=record())
        assert (answer.status_code, answer.json()["message"]) == (502, "The name server is away")
        (shown,) = (await world.client.get(where(zone))).json()["records"]
        assert (shown["values"], shown["change"]["state"]) == (["192.0.2.1"], "failed")
        assert shown["change"]["message"] == "the name server is away"
        assert (await world.client.get(f"{WHERE}/{zone.id}")).json()["zone"]["failed_sets"] == 1
        carried_out(world)
        assert (await world.client.put(where(zone), json=record())).status_code == 200
        assert (await world.client.get(f"{WHERE}/{zone.id}")).json()["zone"]["failed_sets"] == 0

    @pytest.mark.parametrize(
        ("asked", "field"),
        [
            (record(content="192.0.2.256"), "values"),
            (record(type_="AAAA", content="192.0.2.1"), "values"),
            (record(type_="MX", content="mail.example.org"), "values"),
            (record(type_="MX", content="mail.example.org", priority=70000), "priority"),
            (record(priority=10), "priority"),
            (record(type_="CNAME", content="www"), None),
            (record(name="@", type_="CNAME", content="other.example."), "name"),
            (record(name="@", type_="NS", content="ns1.example.org."), "name"),
            (record(type_="SRV", content="0 5 443 host.example.org."), None),
            (record(type_="CAA", content="0 issue"), "values"),
            (record(type_="TXT", content="a\nb"), "values"),
            (record(type_="TXT", content="a\0b"), "values"),
            (record(type_="SOA", content="x"), "type"),
            (record(name="www.other.example."), "name"),
            (record(name="a\0b"), "name"),
            (record(ttl=5), "ttl"),
            (record(ttl="300"), "ttl"),
            ({"name": "www", "type": "A"}, "values"),
            (record(values=["192.0.2.1"]), "values"),
            (record(comment="x"), "comment"),
        ],
    )
    async def test_what_cannot_be_a_record_is_a_422_with_its_field(
        self, world: World, asked: dict[str, Any], field: str | None
    ) -> None:
        zone = await a_zone(world)
        answer = await world.client.put(where(zone), json=asked)
        assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_ERROR")
        assert field is None or answer.json()["field"] == field
        assert await values_of(world, zone) == {}
        assert await changes_of(world, zone.id) == []

    @pytest.mark.parametrize(
        ("asked", "values"),
        [
            (record(type_="AAAA", content="2001:DB8::1"), "2001:db8::1"),
            (record(name="@", type_="MX", content="mail.example.org.", priority=10), "10 mail.example.org"),
            (record(name="bücher", type_="CNAME", content="Shop.example.org."), "shop.example.org"),
            (record(name="_sip._tcp", type_="SRV", content="5 5060 sip.example.org.", priority=0),
             "0 5 5060 sip.example.org"),
            (record(name="@", type_="CAA", content='0 issue "ca.example.org"'), '0 issue "ca.example.org"'),
            (record(name="*", type_="TXT", content="größe"), "größe"),
        ],
    )  # fmt: skip
    async def test_every_type_is_kept_in_its_plain_form(self, world: World, asked: dict[str, Any], values: str) -> None:
        zone = await a_zone(world)
        assert (await world.client.put(where(zone), json=asked)).status_code == 202
        assert list((await values_of(world, zone)).values()) == [(values,)]

    async def test_an_alias_does_not_stand_beside_other_records(self, world: World) -> None:
        zone = await a_zone(world)
        await put_row(world, zone, "www", "A", "192.0.2.1")
        answer = await world.client.put(where(zone), json=record(type_="CNAME", content="other.example."))
        assert (answer.status_code, answer.json()["field"]) == (422, "type")

    async def test_what_runs_manage_is_not_changed(self, world: World) -> None:
        own = await organization(world)
        zone = await a_zone(world, own, subscription_id=await a_subscription(world, own))
        await put_row(world, zone, "@", "A", "192.0.2.80", managed=True)
        for answer in (
            await world.client.put(where(zone), json=record(name="@")),
            await world.client.delete(where(zone), params={"name": "@", "type": "A"}),
        ):
            assert answer.status_code == 409
            assert "kept by the subscription's own runs" in answer.json()["message"]
        assert await values_of(world, zone) == {(zone.zone_name, "A"): ("192.0.2.80",)}
        (entry,) = [one for one in await world.audit("dns_records.put") if one.target_id == str(zone.id)]
        assert entry.outcome == "refused"

    async def test_names_of_challenges_are_left_to_the_runs_that_get_certificates(self, world: World) -> None:
        own = await organization(world)
        zone = await a_zone(world, own, subscription_id=await a_subscription(world, own))
        answer = await world.client.put(where(zone), json=record(name="_acme-challenge", type_="TXT", content="x"))
        assert answer.status_code == 409
        assert (await world.client.put(where(zone), json=record(name="blog"))).status_code == 202

    @pytest.mark.parametrize("status", ["PENDING", "SUSPENDED", "REMOVED"])
    async def test_a_zone_of_an_order_that_is_not_active_is_not_changed(self, world: World, status: str) -> None:
        own = await organization(world)
        zone = await a_zone(world, own, subscription_id=await a_subscription(world, own), status=status)
        answer = await world.client.put(where(zone), json=record())
        assert answer.status_code == (404 if status == "REMOVED" else 409)

    async def test_records_of_a_zone_that_is_still_being_made_wait_behind_it(self, world: World) -> None:
        made = (await world.client.post(WHERE, json={"name": f"{(await a_zone(world)).id.hex}.example"})).json()["zone"]
        answer = await world.client.put(f"{WHERE}/{made['id']}/records", json=record())
        assert answer.status_code == 202


class TestRoles:
    async def test_a_member_changes_the_own_organizations_records(self, world: World) -> None:
        own = await organization(world)
        zone = await a_zone(world, own)
        await sign_in_as_member(world, own)
        assert (await world.client.put(where(zone), json=record())).status_code == 202
        params = {"name": "www", "type": "A"}
        assert (await world.client.delete(where(zone), params=params)).status_code == 202

    async def test_nobody_changes_the_records_of_another_organization(self, world: World) -> None:
        zone = await a_zone(world, await organization(world))
        await put_row(world, zone, "www", "A", "192.0.2.1")
        await sign_in_as_member(world, await organization(world))
        assert (await world.client.put(where(zone), json=record(content="203.0.113.9"))).status_code == 404
        assert (await world.client.delete(where(zone), params={"name": "www", "type": "A"})).status_code == 404
        assert (await world.client.get(where(zone), params={"check": "true"})).status_code == 404
        assert await values_of(world, zone) == {(f"www.{zone.zone_name}", "A"): ("192.0.2.1",)}
        assert world.temporal.executed == []

    @pytest.mark.parametrize("role", [Role.BILLING, Role.SUPPORT])
    async def test_other_staff_look_and_do_not_change(self, world: World, role: Role) -> None:
        zone = await a_zone(world)
        await world.sign_in(role)
        assert (await world.client.get(where(zone))).status_code == 200
        assert (await world.client.put(where(zone), json=record())).status_code == 403
        assert (await world.client.delete(where(zone), params={"name": "www", "type": "A"})).status_code == 403


class TestRemove:
    async def test_a_set_is_taken_away(self, world: World) -> None:
        carried_out(world)
        zone = await a_zone(world)
        await put_row(world, zone, "www", "A", "192.0.2.1")
        answer = await world.client.delete(where(zone), params={"name": "WWW", "type": "a"})
        assert (answer.status_code, answer.json()["change"]["state"]) == (200, "published")
        assert await values_of(world, zone) == {}
        assert (await world.client.get(where(zone))).json()["records"] == []

    async def test_what_is_not_there_is_a_404(self, world: World) -> None:
        zone = await a_zone(world)
        answer = await world.client.delete(where(zone), params={"name": "www", "type": "A"})
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")

    async def test_a_removal_that_failed_is_shown_and_may_be_asked_for_again(self, world: World) -> None:
        carried_out(world, ChangeState.FAILED, trouble="NotReady", message="not the same everywhere yet")
        zone = await a_zone(world)
        await put_row(world, zone, "www", "A", "192.0.2.1")
        params = {"name": "www", "type": "A"}
        assert (await world.client.delete(where(zone), params=params)).status_code == 502
        (shown,) = (await world.client.get(where(zone))).json()["records"]
        assert (shown["values"], shown["ttl"], shown["change"]["state"]) == ([], None, "failed")
        carried_out(world)
        assert (await world.client.delete(where(zone), params=params)).status_code == 200
        assert (await world.client.delete(where(zone), params=params)).status_code == 404


class TestList:
    async def test_sets_are_paged_searched_and_filtered(self, world: World) -> None:
        zone = await a_zone(world)
        for label in ("a", "b", "c"):
            await put_row(world, zone, label, "A", "192.0.2.1", "192.0.2.2")
        await put_row(world, zone, "@", "TXT", "hello", managed=True)
        body = (await world.client.get(where(zone), params={"limit": 2, "page": 1, "type": "a"})).json()
        assert [one["name"].split(".")[0] for one in body["records"]] == ["a", "b"]
        assert body["records"][0]["values"] == ["192.0.2.1", "192.0.2.2"]
        assert (body["pagination"]["total"], body["pagination"]["hasNext"]) == (3, True)
        (found,) = (await world.client.get(where(zone), params={"q": f"C.{zone.zone_name}"})).json()["records"]
        assert (found["name"], found["managed"], found["in_sync"]) == (f"c.{zone.zone_name}", False, None)
        (text,) = (await world.client.get(where(zone), params={"type": "TXT"})).json()["records"]
        assert (text["managed"], text["change"]) == (True, None)
        assert "check" not in body

    async def test_an_unknown_type_is_a_422(self, world: World) -> None:
        zone = await a_zone(world)
        answer = await world.client.get(where(zone), params={"type": "X"})
        assert (answer.status_code, answer.json()["field"]) == (422, "type")

    async def test_a_check_says_of_each_set_whether_it_is_there_as_wanted(self, world: World) -> None:
        zone = await a_zone(world)
        await put_row(world, zone, "good", "A", "192.0.2.1")
        await put_row(world, zone, "bad", "A", "192.0.2.1")
        bad = RecordKey(name=f"bad.{zone.zone_name}", type="A")
        differing = {str(bad): "it is not there"}
        seen = ZoneSeen(serial=7, differing=differing, unlisted=["extra A"], published="everywhere")
        world.temporal.answer_plan = lambda: seen
        body = (await world.client.get(where(zone), params={"check": "true"})).json()
        assert [(one["in_sync"], one["difference"]) for one in body["records"]] == [
            (False, "it is not there"), (True, None),
        ]  # fmt: skip
        assert body["check"] == {"serial": 7, "published": "everywhere", "behind": "", "unlisted": ["extra A"]}
        ((workflow, call, options),) = world.temporal.executed
        assert (workflow, call.zone_name, options["id"]) == ("LookAtZone", zone.zone_name, f"zone-look/{zone.id}")

    async def test_a_check_tells_of_a_set_that_should_be_gone(self, world: World) -> None:
        zone = await a_zone(world)
        await put_row(world, zone, "www", "A", "192.0.2.1")
        await world.client.delete(where(zone), params={"name": "www", "type": "A"})
        world.temporal.answer_plan = lambda: ZoneSeen(serial=7, unlisted=[f"www.{zone.zone_name} A"])
        (shown,) = (await world.client.get(where(zone), params={"check": "true"})).json()["records"]
        assert (shown["in_sync"], shown["difference"]) == (False, "it is still there")
