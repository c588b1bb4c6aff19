"""Zones over the API: made and ended by operators, seen by whom they belong to, and how each change ends."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import select

import api.zone_access
from db.models_hosting import DnsZone
from domain.statuses import Role
from domain.zones import ChangeState
from tests.api.world import World, temporal_is_away
from tests.api.zones import (
    WHERE,
    a_subscription,
    a_zone,
    carried_out,
    changes_of,
    organization,
    put_row,
    sign_in_as_member,
)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a run that a stand-in does not have."""
    monkeypatch.setattr(api.zone_access, "WAIT_SECONDS", 0.2)


def a_name() -> str:
    return f"n{uuid.uuid4().hex[:10]}.example"


async def row_named(world: World, name: str) -> DnsZone:
    async with world.db.begin() as session:
        return (await session.execute(select(DnsZone).where(DnsZone.zone_name == name))).scalar_one()


class TestCreate:
    async def test_a_zone_that_is_served_at_once_is_a_201(self, world: World) -> None:
        carried_out(world)
        owner, name = await organization(world), a_name()
        answer = await world.client.post(WHERE, json={"name": f"{name.upper()}.", "organizationId": str(owner)})
        body = answer.json()
        assert answer.status_code == 201
        zone, change = body["zone"], body["change"]
        assert (zone["name"], zone["kind"], zone["organization_id"]) == (name, "Native", str(owner))
        assert zone["organization_name"] == f"Firm {owner}"
        assert (change["kind"], change["state"], change["message"]) == ("zone", "published", "seen")
        assert answer.headers["location"] == f"{WHERE}/{zone['id']}/changes/{change['id']}"
        assert (await world.client.get(answer.headers["location"])).json()["change"] == change
        (entry,) = [one for one in await world.audit("dns_zone.create") if one.target_id == zone["id"]]
        assert (entry.outcome, entry.details) == ("ok", {"name": name, "kind": "Native"})

    async def test_one_that_takes_longer_is_a_202_and_its_run_is_told(self, world: World) -> None:
        answer = await world.client.post(WHERE, json={"name": a_name(), "kind": "Primary"})
        body = answer.json()
        assert (answer.status_code, body["change"]["state"]) == (202, "waiting")
        assert (body["zone"]["status"], body["zone"]["kind"]) == ("PENDING", "Primary")
        workflow, call, options = world.temporal.started[f"zone/{body['zone']['id']}"]
        assert (workflow, call.zone_name, options["start_signal"]) == ("ChangeZone", body["zone"]["name"], "asked")
        (change,) = await changes_of(world, uuid.UUID(body["zone"]["id"]))
        assert change.started_at is not None

    async def test_while_temporal_is_away_it_is_a_202_and_left_to_the_sweep(self, world: World) -> None:
        world.temporal.trouble = temporal_is_away()
        answer = await world.client.post(WHERE, json={"name": a_name()})
        assert answer.status_code == 202
        (change,) = await changes_of(world, uuid.UUID(answer.json()["zone"]["id"]))
        assert (change.state, change.started_at) == ("waiting", None)

    async def test_a_refusal_is_told_shown_and_can_be_repeated(self, world: World) -> None:
        carried_out(world, ChangeState.FAILED, trouble="Conflict", message="it belongs to somebody else")
        name = a_name()
        answer = await world.client.post(WHERE, json={"name": name})
        assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")
        assert answer.json()["message"] == "It belongs to somebody else"
        zone = await row_named(world, name)
        shown = (await world.client.get(f"{WHERE}/{zone.id}")).json()["zone"]
        assert (shown["status"], shown["change"]["state"]) == ("PENDING", "failed")
        assert shown["change"]["message"] == "it belongs to somebody else"
        carried_out(world)
        again = await world.client.post(f"{WHERE}/{zone.id}/publish")
        assert (again.status_code, again.json()["change"]["state"]) == (200, "published")

    async def test_a_key_that_the_name_server_refuses_does_not_sign_anybody_out(self, world: World) -> None:
        carried_out(world, ChangeState.FAILED, trouble="Unauthorized", message="the key is not accepted")
        answer = await world.client.post(WHERE, json={"name": a_name()})
        assert (answer.status_code, answer.json()["provider"]) == (502, "dns")

    @pytest.mark.parametrize("name", ["example", "-bad.example", "*.star.example", "a..example", "x" * 64 + ".example"])
    async def test_what_cannot_be_a_zone_is_a_422_with_its_field(self, world: World, name: str) -> None:
        answer = await world.client.post(WHERE, json={"name": name})
        assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, "VALIDATION_ERROR", "name")

    @pytest.mark.parametrize("below", ["", "shop.", "a.b."])
    async def test_the_platforms_own_names_are_not_given_away(self, world: World, below: str) -> None:
        answer = await world.client.post(WHERE, json={"name": f"{below}{world.settings.base_domain}"})
        assert (answer.status_code, answer.json()["field"]) == (409, "name")

    async def test_a_zone_is_made_once(self, world: World) -> None:
        zone = await a_zone(world)
        answer = await world.client.post(WHERE, json={"name": zone.zone_name})
        assert (answer.status_code, answer.json()["field"]) == (409, "name")

    async def test_an_organization_must_be_there(self, world: World) -> None:
        answer = await world.client.post(WHERE, json={"name": a_name(), "organizationId": str(uuid.uuid4())})
        assert (answer.status_code, answer.json()["field"]) == (422, "organizationId")

    @pytest.mark.parametrize("role", [Role.BILLING, Role.SUPPORT, Role.USER])
    async def test_only_operators_make_zones(self, world: World, role: Role) -> None:
        await world.sign_in(role)
        assert (await world.client.post(WHERE, json={"name": a_name()})).status_code == 403


class TestList:
    async def test_pages_and_search(self, world: World) -> None:
        part = uuid.uuid4().hex[:8]
        for number in range(3):
            await a_zone(world, zone_name=f"{part}-{number}.example")
        body = (await world.client.get(WHERE, params={"q": part.upper(), "limit": 2, "page": 2})).json()
        assert [zone["name"] for zone in body["zones"]] == [f"{part}-2.example"]
        assert (body["pagination"]["total"], body["pagination"]["hasPrev"]) == (3, True)

    async def test_zones_that_were_taken_away_are_listed_where_they_are_asked_for(self, world: World) -> None:
        zone = await a_zone(world, status="REMOVED", last_export="; a zone file\n")
        params = {"q": zone.zone_name}
        assert (await world.client.get(WHERE, params=params)).json()["zones"] == []
        (found,) = (await world.client.get(WHERE, params=params | {"status": "REMOVED"})).json()["zones"]
        shown = (await world.client.get(f"{WHERE}/{found['id']}")).json()["zone"]
        assert shown["last_export"] == "; a zone file\n"

    @pytest.mark.parametrize("role", [Role.OPERATOR, Role.BILLING, Role.SUPPORT])
    async def test_staff_see_every_zone(self, world: World, role: Role) -> None:
        zone = await a_zone(world, await organization(world))
        await world.sign_in(role)
        assert (await world.client.get(f"{WHERE}/{zone.id}")).status_code == 200

    async def test_a_member_sees_the_zones_of_the_own_organization_only(self, world: World) -> None:
        own = await organization(world)
        mine, nobodys = await a_zone(world, own), await a_zone(world)
        theirs = await a_zone(world, await organization(world))
        await sign_in_as_member(world, own)
        listed = (await world.client.get(WHERE)).json()["zones"]
        assert [zone["id"] for zone in listed] == [str(mine.id)]
        for zone, status in ((mine, 200), (theirs, 404), (nobodys, 404)):
            assert (await world.client.get(f"{WHERE}/{zone.id}")).status_code == status
            assert (await world.client.get(f"{WHERE}/{zone.id}/records")).status_code == status

    async def test_a_member_without_an_organization_sees_none(self, world: World) -> None:
        zone = await a_zone(world)
        await sign_in_as_member(world, None)
        assert (await world.client.get(WHERE)).json()["zones"] == []
        assert (await world.client.get(f"{WHERE}/{zone.id}")).status_code == 404

    @pytest.mark.parametrize("ref", ["none", "%00", "00000000-0000-0000-0000-000000000000"])
    async def test_what_is_not_there_is_a_404(self, world: World, ref: str) -> None:
        for path in (f"{WHERE}/{ref}", f"{WHERE}/{ref}/records", f"{WHERE}/{ref}/changes/{ref}"):
            assert (await world.client.get(path)).status_code == 404

    async def test_a_change_of_another_zone_is_a_404(self, world: World) -> None:
        made = (await world.client.post(WHERE, json={"name": a_name()})).json()
        other = await a_zone(world)
        assert (await world.client.get(f"{WHERE}/{other.id}/changes/{made['change']['id']}")).status_code == 404


class TestEnd:
    async def test_a_zone_is_taken_away_by_its_name(self, world: World) -> None:
        carried_out(world)
        zone = await a_zone(world)
        answer = await world.client.delete(f"{WHERE}/{zone.id}", params={"confirm": f"{zone.zone_name.upper()}."})
        assert (answer.status_code, answer.json()["change"]["kind"]) == (200, "end")
        (entry,) = [one for one in await world.audit("dns_zone.delete") if one.target_id == str(zone.id)]
        assert entry.outcome == "ok"

    async def test_another_name_ends_nothing(self, world: World) -> None:
        zone = await a_zone(world)
        answer = await world.client.delete(f"{WHERE}/{zone.id}", params={"confirm": "other.example"})
        assert (answer.status_code, answer.json()["field"]) == (422, "confirm")
        assert (await world.client.delete(f"{WHERE}/{zone.id}")).status_code == 422
        assert await changes_of(world, zone.id) == []

    async def test_a_zone_of_an_order_ends_with_its_subscription(self, world: World) -> None:
        own = await organization(world)
        zone = await a_zone(world, own, subscription_id=await a_subscription(world, own))
        answer = await world.client.delete(f"{WHERE}/{zone.id}", params={"confirm": zone.zone_name})
        assert answer.status_code == 409
        assert "subscription" in answer.json()["message"]

    async def test_while_it_is_taken_away_nothing_else_is_asked_of_it(self, world: World) -> None:
        zone = await a_zone(world)
        where = f"{WHERE}/{zone.id}"
        assert (await world.client.delete(where, params={"confirm": zone.zone_name})).status_code == 202
        assert (await world.client.delete(where, params={"confirm": zone.zone_name})).status_code == 409
        assert (await world.client.post(f"{where}/publish")).status_code == 409
        record = {"name": "www", "type": "A", "content": "192.0.2.1"}
        assert (await world.client.put(f"{where}/records", json=record)).status_code == 409

    async def test_a_refusal_of_the_name_server_leaves_the_zone(self, world: World) -> None:
        carried_out(world, ChangeState.FAILED, trouble="Conflict", message="it holds records that are not its owner's")
        zone = await a_zone(world)
        await put_row(world, zone, "www", "A", "192.0.2.1")
        answer = await world.client.delete(f"{WHERE}/{zone.id}", params={"confirm": zone.zone_name})
        assert answer.status_code == 409
        shown = (await world.client.get(f"{WHERE}/{zone.id}")).json()["zone"]
        assert (shown["status"], shown["change"]["state"]) == ("ACTIVE", "failed")

    @pytest.mark.parametrize("role", [Role.BILLING, Role.SUPPORT, Role.USER])
    async def test_only_operators_end_or_publish_zones(self, world: World, role: Role) -> None:
        own = await organization(world)
        zone = await a_zone(world, own)
        await world.sign_in(role, organization_id=own)
        where = f"{WHERE}/{zone.id}"
        assert (await world.client.delete(where, params={"confirm": zone.zone_name})).status_code == 403
        assert (await world.client.post(f"{where}/publish")).status_code == 403
