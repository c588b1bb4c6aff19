"""Record sets of a zone of ours against both name servers."""

from __future__ import annotations

import asyncio
import uuid

import httpx
import pytest

from domain.dns_records import RecordInput, RecordKey, RecordSet, normal_set
from providers.dns.lookup import ask
from providers.dns.powerdns import PowerDNS
from providers.dns.zone_shapes import ZoneOrder
from providers.errors import Conflict, InvalidInput, NotFound, Transient
from tests.dnscorpus import CORPUS
from tests.providers.dns.servers import NameServer
from tests.providers.dns.test_zones import OTHER, OWNER, SERVERS, by_hand, fresh_zone, raw


@pytest.fixture
async def zone(dns: PowerDNS) -> str:
    name = fresh_zone()
    await dns.zones.ensure(ZoneOrder(name=name, nameservers=SERVERS), owner=OWNER)
    return name


def made(zone: str, name: str, type_: str, *values: str, ttl: int = 300) -> RecordSet:
    return normal_set(zone, RecordInput(name=name, type=type_, values=values, ttl=ttl))


def key(zone: str, name: str, type_: str) -> RecordKey:
    return RecordKey(name=f"{name}.{zone}", type=type_)


async def held(dns: PowerDNS, zone: str) -> dict[str, tuple[str, ...]]:
    """What the zone holds beside its SOA and NS."""
    return {f"{item.name.rstrip('.')} {item.type}": item.values for item in await dns.records.all(zone)
            if item.name != f"{zone}."}  # fmt: skip


class TestCorpus:
    async def test_every_type_reads_back_and_is_answered_as_it_was_sent(
        self, dns: PowerDNS, server: NameServer, zone: str
    ) -> None:
        sets = []
        for number, (type_, typed, _, _) in enumerate(CORPUS):
            name = f"_s._tcp.c{number}" if type_ in {"SRV", "TLSA"} else f"c{number}"
            sets.append(normal_set(zone, RecordInput(name=name, type=type_, content=typed, ttl=300)))
        await dns.records.change(zone, owner=OWNER, put=sets)
        assert await held(dns, zone) == {str(item.key): item.values for item in sets}
        for item in sets:
            assert (await ask(server.dns, item.name, item.type)).values == item.values, item.key
        again = await dns.records.change(zone, owner=OWNER, put=sets)
        assert again.written == ()

    async def test_names_of_every_form_are_answered(self, dns: PowerDNS, server: NameServer, zone: str) -> None:
        sets = [made(zone, name, "A", "192.0.2.1") for name in ("@", "*.dev", "_x", "bücher", "a--b", "x" * 63)]
        await dns.records.change(zone, owner=OWNER, put=sets)
        for item in sets:
            assert (await ask(server.dns, item.name, "A")).values == ("192.0.2.1",)
        assert (await ask(server.dns, f"any.dev.{zone}", "A")).values == ("192.0.2.1",)


class TestChange:
    async def test_several_sets_are_written_and_marked_at_once(self, dns: PowerDNS, zone: str) -> None:
        before = await dns.zones.read(zone)
        done = await dns.records.change(
            zone, owner=OWNER, put=[made(zone, "www", "A", "192.0.2.1"), made(zone, "@", "TXT", "v=spf1 -all")]
        )
        assert before is not None
        assert done.serial == before.serial + 1
        assert done.written == (key(zone, "www", "A"), RecordKey(name=zone, type="TXT"))
        assert all(item.owner == OWNER for item in await dns.records.all(zone))

    async def test_the_same_again_writes_nothing(self, dns: PowerDNS, zone: str) -> None:
        put = [made(zone, "www", "A", "192.0.2.2", "192.0.2.1")]
        first = await dns.records.change(zone, owner=OWNER, put=put)
        again = await dns.records.change(zone, owner=OWNER, put=put, remove=[key(zone, "gone", "A")])
        assert (again.written, again.removed, again.serial) == ((), (), first.serial)

    async def test_another_ttl_is_a_change(self, dns: PowerDNS, zone: str) -> None:
        await dns.records.change(zone, owner=OWNER, put=[made(zone, "www", "A", "192.0.2.1")])
        done = await dns.records.change(zone, owner=OWNER, put=[made(zone, "www", "A", "192.0.2.1", ttl=600)])
        assert done.written
        assert [item.ttl for item in await dns.records.all(zone) if item.type == "A"] == [600]

    async def test_notes_of_people_beside_our_mark_are_kept(self, dns: PowerDNS, server: NameServer, zone: str) -> None:
        await dns.records.change(zone, owner=OWNER, put=[made(zone, "www", "A", "192.0.2.1")])
        comments = [{"account": "slipway", "content": f"owner={OWNER}"}, {"account": "anna", "content": "see ticket"}]
        change = {"name": f"www.{zone}.", "type": "A", "changetype": "REPLACE", "comments": comments}
        await raw(server, "PATCH", f"/zones/{zone}.", {"rrsets": [change]})
        await dns.records.change(zone, owner=OWNER, put=[made(zone, "www", "A", "192.0.2.9")])
        found = next(item for item in await dns.records.all(zone) if item.type == "A")
        assert (found.owner, [note.content for note in found.notes]) == (OWNER, ["see ticket"])

    async def test_a_set_is_removed_and_nothing_of_it_stays(self, dns: PowerDNS, server: NameServer, zone: str) -> None:
        await dns.records.change(zone, owner=OWNER, put=[made(zone, "www", "A", "192.0.2.1")])
        done = await dns.records.change(zone, owner=OWNER, remove=[key(zone, "www", "A")])
        assert done.removed == (key(zone, "www", "A"),)
        assert (await ask(server.dns, f"www.{zone}", "A")).rcode == "NXDOMAIN"
        await by_hand(server, zone, f"www.{zone}", "A", "198.51.100.7")
        assert [item.owner for item in await dns.records.all(zone) if item.type == "A"] == [None]

    async def test_an_alias_takes_the_place_of_an_address_in_one_change(
        self, dns: PowerDNS, server: NameServer, zone: str
    ) -> None:
        await dns.records.change(zone, owner=OWNER, put=[made(zone, "www", "A", "192.0.2.1")])
        alias = made(zone, "www", "CNAME", "host.example.net")
        await dns.records.change(zone, owner=OWNER, put=[alias], remove=[key(zone, "www", "A")])
        assert await held(dns, zone) == {f"www.{zone} CNAME": ("host.example.net",)}

    async def test_two_at_once_lose_nothing(self, dns: PowerDNS, zone: str) -> None:
        sets = [made(zone, f"n{number}", "A", "192.0.2.1") for number in range(6)]
        await asyncio.gather(*(dns.records.change(zone, owner=OWNER, put=[item]) for item in sets))
        assert set(await held(dns, zone)) == {str(item.key) for item in sets}

    async def test_a_frozen_serial_grows_again(self, dns: PowerDNS, server: NameServer, zone: str) -> None:
        await raw(server, "PUT", f"/zones/{zone}.", {"soa_edit_api": "INCEPTION-INCREMENT"})
        before = await dns.zones.read(zone)
        done = await dns.records.change(zone, owner=OWNER, put=[made(zone, "www", "A", "192.0.2.1")])
        assert before is not None
        assert done.serial > before.serial

    async def test_a_primary_tells_its_secondaries_again_though_nothing_changed(
        self, dns: PowerDNS, server: NameServer
    ) -> None:
        zone = fresh_zone()
        await dns.zones.ensure(ZoneOrder(name=zone, kind="Primary", nameservers=SERVERS), owner=OWNER)
        told: list[str] = []

        class Watches(httpx.AsyncHTTPTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                told.append(f"{request.method} {request.url.path.rpartition('/')[2]}")
                return await super().handle_async_request(request)

        client = PowerDNS(server.api_url, server.api_key, transport=Watches())
        put = [made(zone, "www", "A", "192.0.2.1")]
        await client.records.change(zone, owner=OWNER, put=put)
        await client.records.change(zone, owner=OWNER, put=put)
        await client.close()
        assert told.count("PUT notify") == 2
        assert sum(line.startswith("PATCH") for line in told) == 1


class TestRefused:
    async def test_one_foreign_set_stops_the_whole_change(self, dns: PowerDNS, server: NameServer, zone: str) -> None:
        await by_hand(server, zone, f"hand.{zone}", "A", "198.51.100.7")
        await by_hand(server, zone, f"parked.{zone}", "A", "198.51.100.8", disabled=True)
        await dns.publish(f"app.{zone}", "A", ["192.0.2.3"], ttl=60, owner="d-1")
        before = await held(dns, zone)
        for name in ("hand", "parked", "app"):
            put = [made(zone, "new", "A", "192.0.2.1"), made(zone, name, "A", "192.0.2.1")]
            with pytest.raises(Conflict, match=f"left alone: {name}.{zone} A"):
                await dns.records.change(zone, owner=OWNER, put=put)
            with pytest.raises(Conflict, match=f"left alone: {name}.{zone} A"):
                await dns.records.change(zone, owner=OWNER, remove=[key(zone, name, "A")])
        assert await held(dns, zone) == before

    async def test_another_owner_of_ours_is_refused_at_the_zone(self, dns: PowerDNS, zone: str) -> None:
        with pytest.raises(Conflict, match="belongs to another owner of ours"):
            await dns.records.change(zone, owner=OTHER, put=[made(zone, "www", "A", "192.0.2.1")])

    @pytest.mark.parametrize("disabled", [False, True])
    async def test_an_alias_in_the_way_is_a_conflict(
        self, dns: PowerDNS, server: NameServer, zone: str, disabled: bool
    ) -> None:
        await by_hand(server, zone, f"www.{zone}", "CNAME", "elsewhere.example.", disabled=disabled)
        with pytest.raises(Conflict, match="CNAME beside A"):
            await dns.records.change(zone, owner=OWNER, put=[made(zone, "www", "A", "192.0.2.1")])

    async def test_what_lies_below_a_delegation_is_a_conflict(
        self, dns: PowerDNS, server: NameServer, zone: str
    ) -> None:
        await dns.records.change(zone, owner=OWNER, put=[made(zone, "sub", "NS", "ns1.example.net")])
        with pytest.raises(Conflict, match="would be hidden"):
            await dns.records.change(zone, owner=OWNER, put=[made(zone, "www.sub", "TXT", "x")])

    async def test_sets_that_cannot_stand_together_are_invalid_input(self, dns: PowerDNS, zone: str) -> None:
        put = [made(zone, "www", "CNAME", "host.example.net"), made(zone, "www", "TXT", "x")]
        with pytest.raises(InvalidInput) as caught:
            await dns.records.change(zone, owner=OWNER, put=put)
        assert caught.value.field == "type"

    @pytest.mark.parametrize("type_", ["NS", "SOA"])
    async def test_the_zones_own_sets_are_not_edited(self, dns: PowerDNS, zone: str, type_: str) -> None:
        with pytest.raises(InvalidInput) as caught:
            await dns.records.change(zone, owner=OWNER, remove=[RecordKey(name=zone, type=type_)])
        assert caught.value.field == "type"

    async def test_a_name_of_another_zone_is_invalid_input(self, dns: PowerDNS, zone: str) -> None:
        with pytest.raises(InvalidInput) as caught:
            await dns.records.change(zone, owner=OWNER, put=[made("elsewhere.test", "www", "A", "192.0.2.1")])
        assert caught.value.field == "name"

    async def test_a_set_named_twice_is_invalid_input(self, dns: PowerDNS, zone: str) -> None:
        put = made(zone, "www", "A", "192.0.2.1")
        with pytest.raises(InvalidInput, match="named twice"):
            await dns.records.change(zone, owner=OWNER, put=[put], remove=[put.key])

    async def test_a_zone_of_nobody_is_not_found(self, dns: PowerDNS) -> None:
        with pytest.raises(NotFound):
            await dns.records.change("nobody.test", owner=OWNER, put=[made("nobody.test", "www", "A", "192.0.2.1")])
        with pytest.raises(NotFound):
            await dns.records.all("nobody.test")

    async def test_another_writer_right_behind_us_is_seen(self, server: NameServer, zone: str) -> None:
        class Interferes(httpx.AsyncHTTPTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                answer = await super().handle_async_request(request)
                if request.method == "PATCH":
                    await by_hand(server, zone, f"www.{zone}", "A", "198.51.100.7")
                return answer

        client = PowerDNS(server.api_url, server.api_key, transport=Interferes())
        with pytest.raises(Transient, match=f"differently from what was written: www.{zone} A"):
            await client.records.change(zone, owner=OWNER, put=[made(zone, "www", "A", "192.0.2.1")])
        await client.close()


class TestDisabled:
    async def test_disabled_values_are_told_apart(self, dns: PowerDNS, server: NameServer, zone: str) -> None:
        records = [{"content": "192.0.2.1", "disabled": False}, {"content": "192.0.2.2", "disabled": True}]
        change = {"name": f"mix.{zone}.", "type": "A", "ttl": 300, "changetype": "REPLACE", "records": records}
        await raw(server, "PATCH", f"/zones/{zone}.", {"rrsets": [change]})
        found = next(item for item in await dns.records.all(zone) if item.type == "A")
        assert (found.values, found.disabled) == (("192.0.2.1",), ("192.0.2.2",))

    async def test_a_parked_record_of_somebody_is_not_published_over(
        self, dns: PowerDNS, server: NameServer, zone: str
    ) -> None:
        name = f"parked.{zone}"
        await by_hand(server, zone, name, "A", "198.51.100.8", disabled=True)
        with pytest.raises(Conflict, match=r"198.51.100.8 \(disabled\)"):
            await dns.publish(name, "A", ["192.0.2.1"], ttl=60, owner="d-1")
        assert [item.disabled for item in await dns.records.all(zone) if item.type == "A"] == [("198.51.100.8",)]

    async def test_our_own_record_that_was_parked_is_answered_again(
        self, dns: PowerDNS, server: NameServer, zone: str
    ) -> None:
        name = f"{uuid.uuid4().hex[:8]}.{zone}"
        await dns.publish(name, "A", ["192.0.2.1"], ttl=60, owner="d-1")
        await by_hand(server, zone, name, "A", "192.0.2.1", disabled=True)
        assert await dns.read(name, "A") is None
        assert await dns.publish(name, "A", ["192.0.2.1"], ttl=60, owner="d-1") is True
        assert (await ask(server.dns, name, "A")).values == ("192.0.2.1",)

    async def test_a_challenge_keeps_a_parked_value(self, dns: PowerDNS, server: NameServer, zone: str) -> None:
        name = f"_acme-challenge.{zone}"
        await by_hand(server, zone, name, "TXT", '"parked"', disabled=True)
        await dns.add_txt(name, "ours", ttl=60, owner="d-1")
        await dns.remove_txt(name, "ours", ttl=60, owner="d-1")
        found = next(item for item in await dns.records.all(zone) if item.type == "TXT")
        assert (found.values, found.disabled) == ((), ("parked",))
