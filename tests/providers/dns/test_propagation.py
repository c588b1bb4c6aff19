"""Published everywhere and gone everywhere, with a real primary and a real secondary."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest

from domain.dns_records import RecordInput, RecordSet, normal_set
from providers.dns.lookup import ask
from providers.dns.propagation import check_gone, check_published, older
from providers.errors import NotReady, StillPresent, Transient
from tests.dnspair import Pair, name_pair
from tests.providers.dns.servers import free_port

OWNER = "0192f0c1-7d2a-7000-8000-000000000001"


@pytest.fixture(scope="module")
async def pair(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    async with name_pair(tmp_path_factory.mktemp("pair")) as made:
        yield made


@pytest.fixture
async def zone(pair: Pair) -> str:
    name = f"z{uuid.uuid4().hex[:8]}.test"
    await pair.zone(name, owner=OWNER)
    return name


def made(zone: str, name: str, type_: str, *values: str) -> RecordSet:
    return normal_set(zone, RecordInput(name=name, type=type_, values=values, ttl=300))


async def publish(pair: Pair, zone: str, *sets: RecordSet) -> int:
    return (await pair.primary.records.change(zone, owner=OWNER, put=sets)).serial


class TestPublished:
    async def test_both_servers_answer_what_was_published(self, pair: Pair, zone: str) -> None:
        sets = [made(zone, "www", "A", "192.0.2.1", "192.0.2.2"), made(zone, "@", "MX", "10 mail.example.org")]
        serial = await publish(pair, zone, *sets)
        await pair.settled(zone)
        said = await check_published(pair.servers, zone, sets, serial=serial)
        assert all(server in said for server in pair.servers)
        for server in pair.servers:
            assert (await ask(server, f"www.{zone}", "A")).values == ("192.0.2.1", "192.0.2.2")

    async def test_a_secondary_that_is_down_is_named_and_done_when_it_is_back(self, pair: Pair, zone: str) -> None:
        await pair.stop_secondary()
        try:
            sets = [made(zone, "late", "TXT", 'größe; "quoted"')]
            serial = await publish(pair, zone, *sets)
            with pytest.raises(NotReady) as caught:
                await check_published(pair.servers, zone, sets, serial=serial, timeout=0.2)
            assert f"{pair.servers[1]} name server" in caught.value.message
            assert "did not answer" in caught.value.message
            assert pair.servers[0] not in caught.value.message
        finally:
            await pair.start_secondary()
        await pair.settled(zone)
        assert await check_published(pair.servers, zone, sets, serial=serial)

    async def test_a_secondary_that_was_not_told_is_behind(self, pair: Pair, zone: str) -> None:
        found = await pair.primary.zones.read(zone)
        assert found is not None
        with pytest.raises(NotReady, match=f"{pair.servers[1]} has serial {found.serial}, not {found.serial + 1} yet"):
            await check_published(pair.servers[1:], zone, [], serial=found.serial + 1)

    async def test_other_values_are_told(self, pair: Pair, zone: str) -> None:
        serial = await publish(pair, zone, made(zone, "www", "A", "192.0.2.1"))
        await pair.settled(zone)
        with pytest.raises(NotReady, match=f"answers 192.0.2.1 for www.{zone} A"):
            await check_published(pair.servers, zone, [made(zone, "www", "A", "192.0.2.9")], serial=serial)

    async def test_a_delegation_and_its_addresses_count_as_published(self, pair: Pair, zone: str) -> None:
        sets = [made(zone, "sub", "NS", f"ns.sub.{zone}"), made(zone, "ns.sub", "A", "192.0.2.53")]
        serial = await publish(pair, zone, *sets)
        await pair.settled(zone)
        assert await check_published(pair.servers, zone, sets, serial=serial)

    async def test_no_server_to_ask_proves_nothing(self, zone: str) -> None:
        with pytest.raises(Transient, match="no authoritative name server"):
            await check_published([], zone, [], serial=1)

    async def test_a_server_without_the_zone_is_told(self, pair: Pair) -> None:
        with pytest.raises(NotReady, match="does not serve the zone"):
            await check_published(pair.servers, "nobody.test", [], serial=1)


class TestGone:
    async def test_a_zone_is_gone_only_when_both_servers_have_dropped_it(self, pair: Pair, zone: str) -> None:
        assert await pair.primary.zones.remove(zone, owner=OWNER) is True
        with pytest.raises(StillPresent, match=f"still served by {pair.servers[1]}$"):
            await check_gone(pair.servers, zone)
        assert await pair.secondary.zones.remove(zone, owner=OWNER) is True
        said = await check_gone(pair.servers, zone)
        assert said == f"REFUSED at {pair.servers[0]}; REFUSED at {pair.servers[1]}"

    async def test_a_zone_made_again_on_the_same_day_reaches_the_secondary(self, pair: Pair, zone: str) -> None:
        await publish(pair, zone, made(zone, "www", "A", "192.0.2.1"))
        await pair.primary.zones.remove(zone, owner=OWNER)
        await pair.secondary.zones.remove(zone, owner=OWNER)
        await pair.zone(zone, owner=OWNER)
        assert (await ask(pair.servers[1], f"www.{zone}", "A")).rcode == "NXDOMAIN"

    async def test_a_silent_server_is_no_proof(self, pair: Pair) -> None:
        with pytest.raises(Transient, match="did not answer"):
            await check_gone([pair.servers[0], f"127.0.0.1:{free_port()}"], "nobody.test", timeout=0.2)


@pytest.mark.parametrize(
    ("serial", "than", "is_older"),
    [(1, 2, True), (2, 2, False), (3, 2, False), (4294967295, 0, True), (0, 4294967295, False)],
)
def test_serials_are_compared_around_the_end_of_their_range(serial: int, than: int, is_older: bool) -> None:
    assert older(serial, than) is is_older
