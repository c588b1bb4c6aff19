"""Zones of ours against both name servers: made once, never taken from anybody, removed with what is ours only."""

from __future__ import annotations

import uuid

import httpx
import pytest
from pydantic import ValidationError

from domain.dns_records import RecordInput, RecordSet, normal_set
from providers.dns.lookup import ask
from providers.dns.powerdns import PowerDNS
from providers.dns.zone_shapes import ZoneOrder, owner_token
from providers.errors import Conflict, InvalidInput, NotFound, Transient
from tests.providers.dns.servers import ZONE, NameServer

OWNER = "0192f0c1-7d2a-7000-8000-000000000001"
OTHER = "0192f0c1-7d2a-7000-8000-000000000002"
SERVERS = ("ns1.slipway.test", "ns2.slipway.test")


def fresh_zone() -> str:
    return f"z{uuid.uuid4().hex[:8]}.test"


def order(name: str, **more: object) -> ZoneOrder:
    return ZoneOrder.model_validate({"name": name, "nameservers": SERVERS} | more)


async def raw(server: NameServer, method: str, path: str, body: object = None) -> httpx.Response:
    """What somebody else does with the same server."""
    async with httpx.AsyncClient(headers={"X-API-Key": server.api_key, "Accept": "application/json"}) as http:
        answer = await http.request(method, f"{server.api_url}/servers/localhost{path}", json=body)
        assert answer.is_success, answer.text
        return answer


async def by_hand(
    server: NameServer, zone: str, name: str, type_: str, content: str, *, disabled: bool = False
) -> None:
    change = {"name": f"{name}.", "type": type_, "ttl": 300, "changetype": "REPLACE",
              "records": [{"content": content, "disabled": disabled}]}  # fmt: skip
    await raw(server, "PATCH", f"/zones/{zone}.", {"rrsets": [change]})


def www(zone: str) -> RecordSet:
    return normal_set(zone, RecordInput(name="www", type="A", content="192.0.2.1", ttl=300))


class TestEnsure:
    async def test_a_new_zone_is_marked_and_answered(self, dns: PowerDNS, server: NameServer) -> None:
        zone = fresh_zone()
        assert await dns.zones.ensure(order(zone), owner=OWNER) is True
        found = await dns.zones.read(zone)
        assert found is not None
        assert (found.name, found.kind, found.owner) == (zone, "Native", owner_token(OWNER))
        assert (found.nameservers, found.signed, found.serial_grows) == (SERVERS, False, True)
        soa = (await ask(server.dns, zone, "SOA")).values[0].split()
        assert soa[:2] == ["ns1.slipway.test.", f"hostmaster.{zone}."]
        assert int(soa[2]) == found.serial > 2026_00_00_00
        assert all(item.owner == OWNER for item in await dns.records.all(zone))

    async def test_the_same_again_changes_nothing(self, dns: PowerDNS) -> None:
        zone = fresh_zone()
        await dns.zones.ensure(order(zone), owner=OWNER)
        before = await dns.zones.read(zone)
        assert await dns.zones.ensure(order(zone.upper() + "."), owner=OWNER) is False
        assert await dns.zones.read(zone) == before

    @pytest.mark.parametrize("account", ["", "somebody", f"slipway:{owner_token(OTHER)}", "slipway:"])
    async def test_a_zone_that_is_not_ours_is_a_conflict_and_left_alone(
        self, dns: PowerDNS, server: NameServer, account: str
    ) -> None:
        zone = fresh_zone()
        body = {"name": f"{zone}.", "kind": "Native", "account": account, "nameservers": ["ns.elsewhere.example."]}
        await raw(server, "POST", "/zones", body)
        before = (await raw(server, "GET", f"/zones/{zone}.")).json()
        with pytest.raises(Conflict, match="belongs to"):
            await dns.zones.ensure(order(zone, kind="Primary"), owner=OWNER)
        with pytest.raises(Conflict, match="belongs to"):
            await dns.zones.remove(zone, owner=OWNER)
        with pytest.raises(Conflict, match="belongs to"):
            await dns.records.change(zone, owner=OWNER, put=[www(zone)])
        assert (await raw(server, "GET", f"/zones/{zone}.")).json() == before

    async def test_a_name_inside_somebody_elses_zone_is_a_conflict(self, dns: PowerDNS) -> None:
        with pytest.raises(Conflict, match=f"lies in the zone {ZONE}"):
            await dns.zones.ensure(order(f"stolen.{ZONE}"), owner=OWNER)
        assert await dns.zones.read(f"stolen.{ZONE}") is None

    async def test_a_name_inside_ones_own_zone_may_be_a_zone(self, dns: PowerDNS) -> None:
        zone = fresh_zone()
        await dns.zones.ensure(order(zone), owner=OWNER)
        assert await dns.zones.ensure(order(f"sub.{zone}"), owner=OWNER) is True

    async def test_a_lost_answer_is_made_good_by_the_next_attempt(self, server: NameServer) -> None:
        zone = fresh_zone()
        lost: list[str] = []

        class LosesOneAnswer(httpx.AsyncHTTPTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                answer = await super().handle_async_request(request)
                if request.method == "POST" and not lost:
                    lost.append(zone)
                    await answer.aclose()
                    raise httpx.ReadError("connection reset")
                return answer

        client = PowerDNS(server.api_url, server.api_key, transport=LosesOneAnswer())
        with pytest.raises(Transient):
            await client.zones.ensure(order(zone), owner=OWNER)
        assert await client.zones.ensure(order(zone), owner=OWNER) is False
        await client.close()

    async def test_a_twin_that_made_it_first_is_found(self, server: NameServer) -> None:
        zone = fresh_zone()

        class MakesItFirst(httpx.AsyncHTTPTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                if request.method == "POST":
                    twin = PowerDNS(server.api_url, server.api_key)
                    await twin.zones.ensure(order(zone), owner=OWNER)
                    await twin.close()
                return await super().handle_async_request(request)

        client = PowerDNS(server.api_url, server.api_key, transport=MakesItFirst())
        assert await client.zones.ensure(order(zone), owner=OWNER) is False
        await client.close()

    async def test_a_native_zone_becomes_a_primary_and_a_frozen_serial_grows_again(
        self, dns: PowerDNS, server: NameServer
    ) -> None:
        zone = fresh_zone()
        await dns.zones.ensure(order(zone), owner=OWNER)
        await raw(server, "PUT", f"/zones/{zone}.", {"soa_edit_api": "INCEPTION-INCREMENT"})
        frozen = await dns.zones.read(zone)
        assert frozen is not None
        assert not frozen.serial_grows
        assert await dns.zones.ensure(order(zone, kind="Primary"), owner=OWNER) is False
        mended = await dns.zones.read(zone)
        assert mended is not None
        assert (mended.kind, mended.serial_grows, mended.owner) == ("Primary", True, owner_token(OWNER))

    async def test_a_secondary_has_its_primaries_and_is_never_turned_into_something_else(self, dns: PowerDNS) -> None:
        zone = fresh_zone()
        copy = ZoneOrder(name=zone, kind="Secondary", primaries=("127.0.0.1:9", "[::1]:9"))
        assert await dns.zones.ensure(copy, owner=OWNER) is True
        moved = copy.model_copy(update={"primaries": ("127.0.0.1:10",)})
        assert await dns.zones.ensure(moved, owner=OWNER) is False
        found = await dns.zones.read(zone)
        assert found is not None
        assert (found.kind, found.primaries, found.nameservers) == ("Secondary", ("127.0.0.1:10",), ())
        with pytest.raises(Conflict, match="is there as Secondary"):
            await dns.zones.ensure(order(zone, kind="Primary"), owner=OWNER)
        with pytest.raises(Conflict, match="is a copy"):
            await dns.records.change(zone, owner=OWNER, put=[www(zone)])

    @pytest.mark.parametrize(
        ("given", "field"),
        [
            ({"name": "org"}, "name"),
            ({"name": "*.example.org"}, "name"),
            ({"nameservers": ()}, "nameservers"),
            ({"nameservers": ("192.0.2.1",)}, "nameservers"),
            ({"nameservers": (), "kind": "Secondary"}, "primaries"),
            ({"primaries": ("ns1.example.org",), "kind": "Secondary"}, "primaries"),
        ],
    )
    async def test_what_cannot_be_a_zone_is_refused_with_its_field(
        self, dns: PowerDNS, given: dict[str, object], field: str
    ) -> None:
        with pytest.raises(InvalidInput) as caught:
            await dns.zones.ensure(order(**{"name": "example.org"} | given), owner=OWNER)
        assert caught.value.field == field

    async def test_an_owner_that_does_not_fit_beside_the_mark_is_refused(self, dns: PowerDNS) -> None:
        with pytest.raises(InvalidInput) as caught:
            await dns.zones.ensure(order(fresh_zone()), owner="x" * 33)
        assert caught.value.field == "owner"

    @pytest.mark.parametrize("more", [{"zone": "www IN A 192.0.2.1"}, {"rrsets": []}, {"soa_edit_api": "EPOCH"}])
    def test_zone_files_and_settings_are_not_taken(self, more: dict[str, object]) -> None:
        with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
            order("example.org", **more)


class TestRead:
    async def test_a_zone_of_nobody_is_none(self, dns: PowerDNS) -> None:
        assert await dns.zones.read("nobody.test") is None

    async def test_only_ours_are_listed_by_name(self, dns: PowerDNS, server: NameServer) -> None:
        owner = str(uuid.uuid4())
        zones = sorted(fresh_zone() for _ in range(3))
        for zone in reversed(zones):
            await dns.zones.ensure(order(zone), owner=owner)
        await dns.zones.ensure(order(fresh_zone()), owner=OTHER)
        assert [zone.name for zone in await dns.zones.ours(owner=owner)] == zones
        everything = await dns.zones.ours()
        assert {zone.name for zone in everything} > set(zones)
        assert all(zone.owner for zone in everything)
        assert ZONE.rstrip(".") not in {zone.name for zone in everything}

    async def test_an_export_holds_the_records_the_disabled_ones_and_whose_they_are(
        self, dns: PowerDNS, server: NameServer
    ) -> None:
        zone = fresh_zone()
        await dns.zones.ensure(order(zone), owner=OWNER)
        await dns.records.change(zone, owner=OWNER, put=[www(zone)])
        await by_hand(server, zone, f"parked.{zone}", "A", "192.0.2.7", disabled=True)
        text = await dns.zones.export(zone)
        assert f"www.{zone}.\t300\tIN\tA\t192.0.2.1\n" in text
        assert f"{zone}.\t3600\tIN\tNS\tns1.slipway.test.\n" in text
        assert f"; disabled: parked.{zone}. 300 IN A 192.0.2.7\n" in text
        assert f"; owner of www.{zone}. A: {OWNER}\n" in text

    async def test_there_is_nothing_to_export_of_nobody(self, dns: PowerDNS) -> None:
        with pytest.raises(NotFound):
            await dns.zones.export("nobody.test")


class TestRemove:
    async def test_a_zone_goes_with_its_records_and_a_second_time_is_success(
        self, dns: PowerDNS, server: NameServer
    ) -> None:
        zone = fresh_zone()
        await dns.zones.ensure(order(zone), owner=OWNER)
        await dns.records.change(zone, owner=OWNER, put=[www(zone)])
        assert await dns.zones.remove(zone, owner=OWNER) is True
        assert await dns.zones.remove(zone, owner=OWNER) is False
        assert await dns.zones.read(zone) is None
        assert (await ask(server.dns, zone, "SOA")).rcode == "REFUSED"

    async def test_what_is_foreign_in_it_is_named_and_everything_stays(self, dns: PowerDNS, server: NameServer) -> None:
        zone = fresh_zone()
        await dns.zones.ensure(order(zone), owner=OWNER)
        await dns.publish(f"app.{zone}", "A", ["192.0.2.3"], ttl=60, owner="d-1")
        await by_hand(server, zone, f"hand.{zone}", "TXT", '"x"')
        await by_hand(server, zone, f"parked.{zone}", "A", "192.0.2.7", disabled=True)
        with pytest.raises(Conflict) as caught:
            await dns.zones.remove(zone, owner=OWNER)
        for name in (f"app.{zone} A", f"hand.{zone} TXT", f"parked.{zone} A"):
            assert name in caught.value.message
        assert (await ask(server.dns, f"app.{zone}", "A")).values == ("192.0.2.3",)

    async def test_many_foreign_ones_are_counted(self, dns: PowerDNS, server: NameServer) -> None:
        zone = fresh_zone()
        await dns.zones.ensure(order(zone), owner=OWNER)
        for number in range(7):
            await by_hand(server, zone, f"h{number}.{zone}", "A", "192.0.2.7")
        with pytest.raises(Conflict, match="and 2 more"):
            await dns.zones.remove(zone, owner=OWNER)

    async def test_a_signed_zone_is_not_removed(self) -> None:
        shape = {"name": "signed.test.", "kind": "Native", "account": f"slipway:{owner_token(OWNER)}", "dnssec": True}
        client = PowerDNS(
            "http://pdns.invalid/api/v1",
            "key",
            transport=httpx.MockTransport(lambda _: httpx.Response(200, json=shape)),
        )
        with pytest.raises(Conflict, match="is signed"):
            await client.zones.remove("signed.test", owner=OWNER)
        await client.close()

    async def test_nothing_of_an_old_zone_is_left_in_a_new_one(self, dns: PowerDNS) -> None:
        zone = fresh_zone()
        await dns.zones.ensure(order(zone), owner=OWNER)
        await dns.records.change(zone, owner=OWNER, put=[www(zone)])
        await dns.zones.remove(zone, owner=OWNER)
        await dns.zones.ensure(order(zone), owner=OTHER)
        assert {(item.type, item.owner) for item in await dns.records.all(zone)} == {("NS", OTHER), ("SOA", OTHER)}
