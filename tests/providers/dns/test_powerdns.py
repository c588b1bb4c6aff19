"""The client against a name server: the sandbox's, and the real PowerDNS where it is installed."""

from __future__ import annotations

import asyncio
import uuid

import httpx
import pytest

from providers.dns.lookup import ask
from providers.dns.powerdns import PowerDNS
from providers.errors import Conflict, InvalidInput, NotFound, Transient, Unauthorized
from tests.providers.dns.servers import ZONE, NameServer


def fresh_name(label: str = "acme") -> str:
    return f"{label}-{uuid.uuid4().hex[:8]}.{ZONE.rstrip('.')}"


async def foreign(server: NameServer, name: str, type_: str, *contents: str) -> None:
    """A record somebody made by hand, without our mark."""
    async with httpx.AsyncClient(headers={"X-API-Key": server.api_key, "Accept": "application/json"}) as http:
        change = {"name": f"{name}.", "type": type_, "ttl": 300, "changetype": "REPLACE",
                  "records": [{"content": content, "disabled": False} for content in contents]}  # fmt: skip
        answer = await http.patch(f"{server.api_url}/servers/localhost/zones/{ZONE}", json={"rrsets": [change]})
        assert answer.status_code == 204, answer.text


async def serial(server: NameServer) -> str:
    return (await ask(server.dns, ZONE, "SOA")).values[0].split()[2]


class TestZones:
    async def test_a_zone_that_exists_is_left_as_it_is(self, dns: PowerDNS) -> None:
        assert await dns.ensure_zone(ZONE, nameservers=["other.example."]) is False
        assert await dns.authoritative(ZONE) == ["ns1.slipway.test", "ns2.slipway.test"]

    async def test_the_longest_zone_holds_a_name(self, dns: PowerDNS) -> None:
        await dns.ensure_zone(f"sub.{ZONE}", nameservers=["ns1.sub.slipway.test"])
        assert await dns.zone_of("a.b.slipway.test") == ZONE
        assert await dns.zone_of("a.b.sub.slipway.test") == f"sub.{ZONE}"

    async def test_a_name_of_nobody_is_not_found(self, dns: PowerDNS) -> None:
        with pytest.raises(NotFound, match="no zone on this server"):
            await dns.zone_of("www.elsewhere.example")


class TestPublish:
    async def test_a_published_address_is_answered_and_marked(self, dns: PowerDNS, server: NameServer) -> None:
        name = fresh_name()
        assert await dns.publish(name, "A", ["192.0.2.10"], ttl=60, owner="d-1") is True
        found = await dns.read(name, "A")
        assert found is not None
        assert (found.values, found.ttl, found.owner) == (("192.0.2.10",), 60, "d-1")
        assert (await ask(server.dns, name, "A")).values == ("192.0.2.10",)

    async def test_the_same_again_writes_nothing(self, dns: PowerDNS, server: NameServer) -> None:
        name = fresh_name()
        await dns.publish(name, "AAAA", ["2001:DB8:0::1"], ttl=60, owner="d-1")
        before = await serial(server)
        assert await dns.publish(name, "AAAA", ["2001:db8::1"], ttl=60, owner="d-1") is False
        assert await serial(server) == before

    async def test_a_new_address_replaces_the_old_one_and_keeps_the_mark(self, dns: PowerDNS) -> None:
        name = fresh_name()
        await dns.publish(name, "A", ["192.0.2.10"], ttl=60, owner="d-1")
        assert await dns.publish(name, "A", ["192.0.2.11"], ttl=60, owner="d-1") is True
        found = await dns.read(name, "A")
        assert found is not None
        assert (found.values, found.owner) == (("192.0.2.11",), "d-1")

    async def test_a_foreign_record_is_refused_and_left_alone(self, dns: PowerDNS, server: NameServer) -> None:
        name = fresh_name()
        await foreign(server, name, "A", "198.51.100.7")
        with pytest.raises(Conflict, match="belongs to somebody else"):
            await dns.publish(name, "A", ["192.0.2.10"], ttl=60, owner="d-1")
        assert (await ask(server.dns, name, "A")).values == ("198.51.100.7",)

    async def test_another_deployment_is_refused_too(self, dns: PowerDNS) -> None:
        name = fresh_name()
        await dns.publish(name, "A", ["192.0.2.10"], ttl=60, owner="d-1")
        with pytest.raises(Conflict, match="belongs to deployment d-1"):
            await dns.publish(name, "A", ["192.0.2.10"], ttl=60, owner="d-2")

    async def test_an_alias_in_the_way_is_a_conflict(self, dns: PowerDNS, server: NameServer) -> None:
        name = fresh_name()
        await foreign(server, name, "CNAME", "elsewhere.example.")
        with pytest.raises(Conflict, match="Conflicts with pre-existing RRset"):
            await dns.publish(name, "A", ["192.0.2.10"], ttl=60, owner="d-1")

    async def test_what_is_no_address_is_refused_before_anything_is_sent(self, dns: PowerDNS) -> None:
        with pytest.raises(InvalidInput):
            await dns.publish(fresh_name(), "A", ["192.0.2"], ttl=60, owner="d-1")

    async def test_leftover_comments_of_other_names_are_not_taken_for_records(
        self, dns: PowerDNS, server: NameServer
    ) -> None:
        # 4.7.3 answers a filtered read with comments of other names as well, as sets without records.
        stray, name = fresh_name("stray"), fresh_name()
        async with httpx.AsyncClient(headers={"X-API-Key": server.api_key}) as http:
            change = {"name": f"{stray}.", "type": "A", "changetype": "REPLACE", "comments": [
                {"account": "somebody", "content": "left over"}]}  # fmt: skip
            await http.patch(f"{server.api_url}/servers/localhost/zones/{ZONE}", json={"rrsets": [change]})
        assert await dns.read(name, "A") is None
        assert await dns.publish(stray, "A", ["192.0.2.10"], ttl=60, owner="d-1") is True

    async def test_a_primary_zone_is_notified(self, dns: PowerDNS, server: NameServer) -> None:
        zone = f"p{uuid.uuid4().hex[:8]}.test."
        await dns.ensure_zone(zone, nameservers=[f"ns1.{zone}"], kind="Master")
        await dns.publish(f"www.{zone}", "A", ["192.0.2.10"], ttl=60, owner="d-1")
        async with httpx.AsyncClient(headers={"X-API-Key": server.api_key}) as http:
            shape = (await http.get(f"{server.api_url}/servers/localhost/zones/{zone}?rrsets=false")).json()
        assert shape["notified_serial"] == shape["serial"]

    async def test_a_secondary_zone_is_refused(self, dns: PowerDNS) -> None:
        zone = f"s{uuid.uuid4().hex[:8]}.test."
        await dns.ensure_zone(zone, nameservers=[], kind="Slave")
        with pytest.raises(Conflict, match="copy kept from another server"):
            await dns.publish(f"www.{zone}", "A", ["192.0.2.10"], ttl=60, owner="d-1")


class TestWithdraw:
    async def test_ours_is_gone_from_the_answers(self, dns: PowerDNS, server: NameServer) -> None:
        name = fresh_name()
        await dns.publish(name, "A", ["192.0.2.10"], ttl=60, owner="d-1")
        assert await dns.withdraw(name, "A", owner="d-1") is True
        answer = await ask(server.dns, name, "A")
        assert (answer.rcode, answer.values, answer.absent) == ("NXDOMAIN", (), True)

    async def test_a_second_withdrawal_is_success(self, dns: PowerDNS) -> None:
        name = fresh_name()
        await dns.publish(name, "A", ["192.0.2.10"], ttl=60, owner="d-1")
        await dns.withdraw(name, "A", owner="d-1")
        assert await dns.withdraw(name, "A", owner="d-1") is False

    async def test_a_zone_that_is_gone_is_success(self, dns: PowerDNS) -> None:
        assert await dns.withdraw("www.elsewhere.example", "A", owner="d-1") is False

    async def test_what_is_not_ours_stays(self, dns: PowerDNS, server: NameServer) -> None:
        by_hand, other = fresh_name(), fresh_name()
        await foreign(server, by_hand, "A", "198.51.100.7")
        await dns.publish(other, "A", ["192.0.2.10"], ttl=60, owner="d-2")
        assert await dns.withdraw(by_hand, "A", owner="d-1") is False
        assert await dns.withdraw(other, "A", owner="d-1") is False
        assert (await ask(server.dns, by_hand, "A")).values == ("198.51.100.7",)
        assert (await ask(server.dns, other, "A")).values == ("192.0.2.10",)


class TestChallenges:
    async def test_base_and_wildcard_share_a_name(self, dns: PowerDNS, server: NameServer) -> None:
        name = f"_acme-challenge.{fresh_name()}"
        await dns.add_txt(name, "value-of-base", ttl=60, owner="d-1")
        await dns.add_txt(name, "value-of-wildcard", ttl=60, owner="d-1")
        assert (await ask(server.dns, name, "TXT")).values == ("value-of-base", "value-of-wildcard")
        await dns.remove_txt(name, "value-of-base", ttl=60, owner="d-1")
        assert (await ask(server.dns, name, "TXT")).values == ("value-of-wildcard",)
        await dns.remove_txt(name, "value-of-wildcard", ttl=60, owner="d-1")
        assert await dns.read(name, "TXT") is None

    async def test_many_at_once_lose_nothing(self, dns: PowerDNS) -> None:
        name = f"_acme-challenge.{fresh_name()}"
        values = [f"value-{number}" for number in range(6)]
        await asyncio.gather(*(dns.add_txt(name, value, ttl=60, owner="d-1") for value in values))
        found = await dns.read(name, "TXT")
        assert found is not None
        assert found.values == tuple(values)
        await asyncio.gather(*(dns.remove_txt(name, value, ttl=60, owner="d-1") for value in values))
        assert await dns.read(name, "TXT") is None

    async def test_somebody_elses_value_survives_ours(self, dns: PowerDNS, server: NameServer) -> None:
        name = f"_acme-challenge.{fresh_name()}"
        await foreign(server, name, "TXT", '"theirs"')
        await dns.add_txt(name, "ours", ttl=60, owner="d-1")
        await dns.remove_txt(name, "ours", ttl=60, owner="d-1")
        found = await dns.read(name, "TXT")
        assert found is not None
        assert (found.values, found.owner) == (("theirs",), None)

    async def test_quotes_and_long_values_come_back_as_they_were(self, dns: PowerDNS, server: NameServer) -> None:
        name, value = fresh_name(), 'a "quoted" back\\slash ' + "x" * 300
        await dns.add_txt(name, value, ttl=60, owner="d-1")
        found = await dns.read(name, "TXT")
        assert found is not None
        assert found.values == (value,)
        assert (await ask(server.dns, name, "TXT")).values == (value,)

    async def test_withdrawing_takes_leftovers_along(self, dns: PowerDNS) -> None:
        name = f"_acme-challenge.{fresh_name()}"
        await dns.add_txt(name, "left by a killed worker", ttl=60, owner="d-1")
        assert await dns.withdraw(name, "TXT", owner="d-1") is True


class TestTrouble:
    async def test_a_wrong_key_is_unauthorized(self, server: NameServer) -> None:
        client = PowerDNS(server.api_url, "wrong")
        with pytest.raises(Unauthorized, match="401"):
            await client.verify_credentials()
        with pytest.raises(Unauthorized):
            await client.publish(fresh_name(), "A", ["192.0.2.10"], ttl=60, owner="d-1")
        await client.close()

    async def test_the_right_key_is_accepted(self, dns: PowerDNS) -> None:
        await dns.verify_credentials()

    async def test_an_unknown_type_is_invalid_input(self, dns: PowerDNS) -> None:
        with pytest.raises(InvalidInput, match="unknown type given"):
            await dns.publish(fresh_name(), "NOSUCH", ["x"], ttl=60, owner="d-1")


def answering(answer: httpx.Response) -> PowerDNS:
    return PowerDNS("http://pdns.invalid/api/v1", "key", transport=httpx.MockTransport(lambda request: answer))


class TestServerDown:
    async def test_nothing_listening_is_transient(self) -> None:
        client = PowerDNS("http://127.0.0.1:9/api/v1", "key")
        with pytest.raises(Transient, match="did not answer"):
            await client.publish("a.slipway.test", "A", ["192.0.2.1"], ttl=60, owner="d-1")
        await client.close()

    @pytest.mark.parametrize("status", [500, 502, 503])
    async def test_server_errors_are_transient(self, status: int) -> None:
        client = answering(httpx.Response(status, text="oops"))
        with pytest.raises(Transient, match=str(status)):
            await client.zone_of("a.slipway.test")
        await client.close()

    async def test_a_page_instead_of_json_is_transient(self) -> None:
        client = answering(httpx.Response(200, text="<html>"))
        with pytest.raises(Transient, match="not JSON"):
            await client.zone_of("a.slipway.test")
        await client.close()

    async def test_a_lost_answer_of_a_write_is_made_good_by_the_next_attempt(
        self, server: NameServer, dns: PowerDNS
    ) -> None:
        lost: list[str] = []

        class LosesOneAnswer(httpx.AsyncHTTPTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                answer = await super().handle_async_request(request)
                if request.method == "PATCH" and not lost:
                    lost.append(request.method)
                    await answer.aclose()
                    raise httpx.ReadError("connection reset")
                return answer

        name = fresh_name()
        client = PowerDNS(server.api_url, server.api_key, transport=LosesOneAnswer())
        with pytest.raises(Transient):
            await client.publish(name, "A", ["192.0.2.10"], ttl=60, owner="d-1")
        assert await client.publish(name, "A", ["192.0.2.10"], ttl=60, owner="d-1") is False
        await client.close()

    @pytest.mark.parametrize("applied", [True, False], ids=["written", "not written"])
    async def test_a_challenge_outlasts_a_server_that_says_500_for_a_while(
        self, server: NameServer, dns: PowerDNS, applied: bool
    ) -> None:
        """As PowerDNS on SQLite does while somebody else writes; whether it wrote is seen by the next look."""
        said: list[str] = []

        class Busy(httpx.AsyncHTTPTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                if request.method != "PATCH" or len(said) == 3:
                    return await super().handle_async_request(request)
                said.append(request.method)
                if applied and len(said) == 3:
                    await (await super().handle_async_request(request)).aread()
                return httpx.Response(500, text="Internal Server Error", request=request)

        name = f"_acme-challenge.{fresh_name()}"
        client = PowerDNS(server.api_url, server.api_key, transport=Busy(), pause=0.01)
        await client.add_txt(name, "ours", ttl=60, owner="d-1")
        await client.close()
        found = await dns.read(name, "TXT")
        assert (len(said), found.values if found else None) == (3, ("ours",))

    async def test_a_server_that_says_500_for_good_is_transient(self) -> None:
        client = PowerDNS("http://pdns.invalid/api/v1", "key", pause=0.01,
                          transport=httpx.MockTransport(lambda request: httpx.Response(500)))  # fmt: skip
        with pytest.raises(Transient, match="500"):
            await client.add_txt("_acme-challenge.a.slipway.test", "ours", ttl=60, owner="d-1")
        await client.close()

    async def test_another_writer_between_read_and_write_is_made_good(self, server: NameServer, dns: PowerDNS) -> None:
        """The other process replaces the whole set right after our REPLACE; our value must be back in the end."""
        name = f"_acme-challenge.{fresh_name()}"
        done: list[str] = []

        class Interferes(httpx.AsyncHTTPTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                answer = await super().handle_async_request(request)
                if request.method == "PATCH" and not done:
                    done.append(name)
                    await foreign(server, name, "TXT", '"theirs"')
                return answer

        client = PowerDNS(server.api_url, server.api_key, transport=Interferes())
        await client.add_txt(name, "ours", ttl=60, owner="d-1")
        await client.close()
        found = await dns.read(name, "TXT")
        assert found is not None
        assert found.values == ("ours", "theirs")
