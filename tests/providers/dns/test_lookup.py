from __future__ import annotations

import asyncio
import uuid

import pytest

from providers.dns.challenges import ChallengeSolver
from providers.dns.lookup import absent_everywhere, ask, authoritative_servers, seen_everywhere, split, survey
from providers.dns.powerdns import PowerDNS
from providers.errors import Transient
from tests.providers.dns.servers import NameServer, free_port


def fresh_name() -> str:
    return f"n{uuid.uuid4().hex[:8]}.slipway.test"


class TestAsk:
    async def test_an_absent_name_and_an_absent_type_are_told_apart(self, dns: PowerDNS, server: NameServer) -> None:
        name = fresh_name()
        await dns.publish(name, "A", ["192.0.2.1"], ttl=60, owner="d")
        nothing, other = await ask(server.dns, f"x{name}", "A"), await ask(server.dns, name, "AAAA")
        assert (nothing.rcode, nothing.absent) == ("NXDOMAIN", True)
        assert (other.rcode, other.absent) == ("NOERROR", True)

    async def test_a_foreign_zone_is_no_proof_of_absence(self, server: NameServer) -> None:
        answer = await ask(server.dns, "www.elsewhere.example", "A")
        assert (answer.rcode, answer.absent) == ("REFUSED", False)
        with pytest.raises(Transient, match="REFUSED"):
            await absent_everywhere([server.dns], "www.elsewhere.example", "A")

    async def test_a_long_answer_is_asked_again_over_tcp(self, dns: PowerDNS, server: NameServer) -> None:
        name = fresh_name()
        values = sorted(f"{number:02d}" + "x" * 150 for number in range(20))
        for value in values[:2]:
            await dns.add_txt(name, value, ttl=60, owner="d")
        await dns.publish(name, "TXT", values, ttl=60, owner="d")
        assert list((await ask(server.dns, name, "TXT")).values) == values

    async def test_a_wildcard_answers_for_any_name(self, dns: PowerDNS, server: NameServer) -> None:
        parent = fresh_name()
        await dns.publish(f"*.{parent}", "A", ["192.0.2.9"], ttl=60, owner="d")
        assert (await ask(server.dns, f"any.{parent}", "A")).values == ("192.0.2.9",)

    async def test_silence_is_transient(self) -> None:
        with pytest.raises(Transient, match="did not answer"):
            await ask(f"127.0.0.1:{free_port()}", "www.slipway.test", "A", timeout=0.2)


class TestEverywhere:
    async def test_one_server_without_the_record_is_not_everywhere(self, dns: PowerDNS, server: NameServer) -> None:
        name = fresh_name()
        await dns.publish(name, "A", ["192.0.2.1"], ttl=60, owner="d")
        assert await seen_everywhere([server.dns, server.dns], name, "A", ["192.0.2.1"])
        assert not await seen_everywhere([server.dns], name, "A", ["192.0.2.2"])
        assert not await absent_everywhere([server.dns], name, "A")

    async def test_one_silent_server_proves_nothing(self, server: NameServer) -> None:
        with pytest.raises(Transient):
            await absent_everywhere([server.dns, f"127.0.0.1:{free_port()}"], fresh_name(), "A")

    async def test_no_server_proves_nothing(self) -> None:
        with pytest.raises(Transient, match="no authoritative name server"):
            await survey([], "www.slipway.test", "A")


class TestSolver:
    async def test_ready_puts_back_what_another_writer_removed(self, dns: PowerDNS, server: NameServer) -> None:
        name = f"_acme-challenge.{fresh_name()}"
        solver = ChallengeSolver(dns, [server.dns], owner="d", interval=0.02)
        await solver.present(name, "value")
        await dns.remove_txt(name, "value", ttl=60, owner="d")
        async with asyncio.timeout(20):
            await solver.ready(name, "value")
        await solver.clean_up(name, "value")
        assert await absent_everywhere([server.dns], name, "TXT")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("127.0.0.1:5300", ("127.0.0.1", 5300)),
        ("[::1]:5300", ("::1", 5300)),
        ("2001:db8::1", ("2001:db8::1", 53)),
        ("ns1.example.org", ("ns1.example.org", 53)),
        ("ns1.example.org:54", ("ns1.example.org", 54)),
    ],
)
def test_servers_are_named_with_or_without_a_port(text: str, parts: tuple[str, int]) -> None:
    assert split(text) == parts


async def test_a_name_without_a_public_zone_is_transient() -> None:
    with pytest.raises(Transient, match="cannot be found"):
        await authoritative_servers("www.slipway.invalid")
