"""The set-up of the house's servers: one real machine becomes a web and a mail server; troubles have names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import pytest
from temporalio.exceptions import ApplicationError

from activities._context import Deps
from activities.house_servers import HouseServerActivities
from db.keyring import KeyRing
from db.session import Database
from domain.errors import Trouble
from domain.house_servers import HouseCall
from providers.dns.powerdns import PowerDNS
from providers.hosts.cloud_init import new_keypair
from sandbox.dns_server import DnsConfig, DnsServer
from tests.activities.house import RealServer, deps_of, lines, real_server, registered, run, server_of


@pytest.fixture
def deps(db: Database, keys: KeyRing) -> Deps:
    return deps_of(db, keys)


async def trouble(house: HouseServerActivities, name: str, call: HouseCall) -> tuple[str | None, bool]:
    with pytest.raises(ApplicationError) as caught:
        await run(getattr(house, name), call)
    return caught.value.type, caught.value.non_retryable


@pytest.fixture
async def machine(deps: Deps, tmp_path: Path) -> AsyncIterator[RealServer]:
    async with real_server(deps, tmp_path) as made:
        yield made


async def awaited(machine: RealServer, call: HouseCall) -> None:
    """Tried again as the step's retries would."""
    for _ in range(120):
        try:
            return await run(machine.house.await_house_ssh, call)
        except ApplicationError as error:
            if error.type not in (Trouble.HOST_UNREACHABLE, Trouble.NOT_READY):
                raise
            await asyncio.sleep(0.5)
    raise AssertionError("the machine does not answer")


@pytest.mark.lab
@pytest.mark.slow
async def test_one_machine_becomes_a_web_and_a_mail_server_and_a_repeat_finds_it_done(machine: RealServer) -> None:
    for kind, port in (("web", "80, 443"), ("mail", "25, 587, 993")):
        call = await machine.registered(kind)
        await awaited(machine, call)
        await run(machine.house.set_up_house_server, call)
        await run(machine.house.check_house_server, call)
        assert (await server_of(machine.deps, call)).set_up_version
        first = await lines(machine.deps, call)
        assert any(line.startswith(f"Outside: {machine.address} answers on {port}") for line in first)
        await run(machine.house.set_up_house_server, call)
        assert any("already present (version" in line for line in (await lines(machine.deps, call))[len(first) :])
        assert not any("PRIVATE KEY" in line for line in first)


class _Server(asyncssh.SSHServer):
    """Shows its host key, and lets nobody in."""


@pytest.fixture(params=["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"])
async def closed(request: pytest.FixtureRequest) -> AsyncIterator[tuple[int, str]]:
    """(port, public line) of a server that does not know our key yet."""
    key = asyncssh.generate_private_key(request.param)
    server = await asyncssh.listen("127.0.0.1", 0, server_factory=_Server, server_host_keys=[key])
    yield server.get_port(), key.export_public_key().decode().strip()
    server.close()
    await server.wait_closed()


async def test_a_server_that_does_not_know_our_key_yet_is_waited_for(deps: Deps, closed: tuple[int, str]) -> None:
    port, host_key = closed
    call = await registered(deps, "web", "127.0.0.1", new_keypair()[0], host_key, ssh_port=port)
    assert await trouble(HouseServerActivities(deps), "await_house_ssh", call) == (Trouble.NOT_READY, False)


async def test_a_server_with_another_key_is_not_entered(deps: Deps, closed: tuple[int, str]) -> None:
    call = await registered(deps, "web", "127.0.0.1", new_keypair()[0], new_keypair()[1], ssh_port=closed[0])
    assert await trouble(HouseServerActivities(deps), "await_house_ssh", call) == (Trouble.HOST_KEY_MISMATCH, True)


async def test_a_silent_server_is_looked_at_again(deps: Deps) -> None:
    call = await registered(deps, "mail", "127.0.0.1", new_keypair()[0], new_keypair()[1], ssh_port=1)
    house = HouseServerActivities(deps)
    assert await trouble(house, "await_house_ssh", call) == (Trouble.HOST_UNREACHABLE, False)


async def test_a_server_whose_key_is_gone_is_ours_to_mend(deps: Deps) -> None:
    call = await registered(deps, "web", "127.0.0.1", None, new_keypair()[1])
    assert await trouble(HouseServerActivities(deps), "await_house_ssh", call) == (Trouble.MISSING_SETTING, True)
    call = call.model_copy(update={"server_id": "0198c0de-0000-7000-8000-000000000001"})
    assert await trouble(HouseServerActivities(deps), "set_up_house_server", call) == (Trouble.MISSING_SETTING, True)


async def test_ports_that_do_not_answer_are_named(db: Database, keys: KeyRing) -> None:
    deps = deps_of(db, keys, http_port=1, https_port=2)
    call = await registered(deps, "web", "127.0.0.1", None, "")
    with pytest.raises(ApplicationError, match="does not answer on 1, 2") as caught:
        await run(HouseServerActivities(deps).check_house_server, call)
    assert caught.value.type == Trouble.UNHEALTHY


async def test_a_name_server_must_answer_for_our_zone_with_authority(
    db: Database, keys: KeyRing, tmp_path: Path
) -> None:
    config = DnsConfig(api="127.0.0.1:0", api_key="key", dns=["127.0.0.1:0"], state=tmp_path / "zones.sqlite")
    async with DnsServer(config) as server:
        deps = deps_of(db, keys, dns_servers=tuple(server.dns))
        call = await registered(deps, "dns", "127.0.0.1", None, "")
        house = HouseServerActivities(deps)
        assert await trouble(house, "check_house_server", call) == (Trouble.UNHEALTHY, False)
        powerdns = PowerDNS(server.api_url, "key")
        await powerdns.ensure_zone("house.test", nameservers=["ns1.house.test."])
        await powerdns.close()
        await run(house.check_house_server, call)
        assert await lines(deps, call) == ["Outside: 127.0.0.1 answers for house.test with authority"]
