"""Step 7: each defect that can be injected is caught, and none of them becomes active."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from temporalio.exceptions import ApplicationError

from domain.errors import Trouble
from domain.provisioning import Absence
from sandbox.hosts.driver import HostSpec
from tests.activities.hosting import Hosting

UNIT = "slipway-docker-firewall.service"


async def stopped_redis(shop: Hosting) -> None:
    shop.machine.state.projects[shop.slug]["redis"].state = "exited"


async def stopped_front_end(shop: Hosting) -> None:
    shop.machine.state.projects[shop.slug]["recruitiq"].state = "exited"


async def other_database_password(shop: Hosting) -> None:
    shop.machine.state.volumes[f"{shop.slug}_postgres-data"].password = "changed"


async def exposed_database(shop: Hosting) -> None:
    shop.machine.state.active.remove(UNIT)
    shop.machine.state.projects[shop.slug]["postgres"].ports = ["0.0.0.0:5432:5432"]
    shop.machine.open_ports()


async def wrong_address(shop: Hosting) -> None:
    await shop.deps.dns.publish(shop.fqdn, "A", ["192.0.2.1"], ttl=60, owner=shop.call.deployment_id)


async def no_name(shop: Hosting) -> None:
    await shop.deps.dns.withdraw(shop.fqdn, "A", owner=shop.call.deployment_id)


async def no_certificate(shop: Hosting) -> None:
    shop.machine.sites = [s for s in shop.machine.sites if shop.fqdn not in s.names]


async def another_key_than_the_hosts(shop: Hosting) -> None:
    """The site goes on serving the old key; the file has been replaced."""
    path = f"/etc/slipway/tls/{shop.fqdn}/key.pem"
    await shop.machine.run("root", f"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {path}", "",
                           lambda _: None, lambda _: None)  # fmt: skip


async def web_server_stopped(shop: Hosting) -> None:
    shop.machine.state.active.remove("nginx.service")
    shop.machine.open_ports()


DEFECTS: list[tuple[Callable[[Hosting], Awaitable[None]], Trouble, str]] = [
    (stopped_redis, Trouble.UNHEALTHY, "redis"),
    (stopped_front_end, Trouble.UNHEALTHY, "recruitiq"),
    (other_database_password, Trouble.UNHEALTHY, "database is 'disconnected'"),
    (exposed_database, Trouble.EXPOSED_PORT, "5432"),
    (wrong_address, Trouble.UNHEALTHY, "192.0.2.1"),
    (no_name, Trouble.UNHEALTHY, "NXDOMAIN"),
    (no_certificate, Trouble.UNHEALTHY, "certificate verify failed"),
    (another_key_than_the_hosts, Trouble.UNHEALTHY, "another key"),
    (web_server_stopped, Trouble.UNHEALTHY, "does not answer on 8080, 8443"),
]


async def test_a_sound_instance_passes_and_says_what_was_seen(shop: Hosting) -> None:
    await shop.provisioned()
    await shop.run(shop.health.health_check)
    told = "\n".join(await shop.lines("health_check"))
    for words in ("7 containers are running", "PostgreSQL accepts", "Redis answers", "authoritative server",
                  "only 2222, 8080, 8443 answer", "is trusted, for the key on the server", "says healthy"):  # fmt: skip
        assert words in told, words


@pytest.mark.parametrize(("defect", "expected", "words"), DEFECTS, ids=[d[0].__name__ for d in DEFECTS])
async def test_a_defect_is_caught(
    shop: Hosting, defect: Callable[[Hosting], Awaitable[None]], expected: Trouble, words: str
) -> None:
    await shop.provisioned()
    await defect(shop)
    with pytest.raises(ApplicationError, match=words) as caught:
        await shop.run(shop.health.health_check)
    assert caught.value.type == expected
    assert caught.value.non_retryable is (expected is Trouble.EXPOSED_PORT)


class TestSilence:
    async def test_a_host_that_answers_is_still_present(self, shop: Hosting) -> None:
        with pytest.raises(ApplicationError) as caught:
            await shop.run(shop.health.prove_host_silent)
        assert caught.value.type == Trouble.STILL_PRESENT

    async def test_a_destroyed_host_is_silent(self, shop: Hosting) -> None:
        await shop.driver.destroy(shop.host_name)
        proof: Absence = await shop.run(shop.health.prove_host_silent)
        assert "answers on none of" in proof.evidence

    async def test_an_address_given_to_another_machine_is_told_by_its_host_key(self, shop: Hosting) -> None:
        address = shop.machine.state.spec.address
        await shop.driver.destroy(shop.host_name)
        await shop.driver.create(HostSpec(name="stranger", address=address, hostname="stranger"))
        await shop.driver.start("stranger")
        proof: Absence = await shop.run(shop.health.prove_host_silent)
        assert "another machine" in proof.evidence
