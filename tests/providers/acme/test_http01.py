"""HTTP-01 at both CAs: a web server that serves the token, and which proof is given for which name."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from providers.acme.client import AcmeClient
from providers.acme.solvers import DNS_01, HTTP_01, Solvers
from providers.acme.wellknown import WellKnownSolver
from providers.dns.challenges import ChallengeSolver
from providers.dns.powerdns import PowerDNS
from providers.errors import NotValidated, Rejected
from tests.providers.acme.control import fresh_name
from tests.providers.acme.requests import make_csr
from tests.providers.acme.web import Web


@pytest.fixture
async def name(dns: PowerDNS) -> AsyncIterator[str]:
    """A name that leads to the web server."""
    made = fresh_name()
    await dns.publish(made, "A", ["127.0.0.1"], ttl=60, owner="d-1")
    yield made
    await dns.withdraw(made, "A", owner="d-1")


class TestHttp01:
    async def test_a_name_is_proven_by_its_web_server_and_the_token_is_taken_away(
        self, client: AcmeClient, web: Web, http_solver: WellKnownSolver, name: str, account_key: str
    ) -> None:
        issued = await client.issue(account_key, make_csr(name), solver=Solvers(http=http_solver), deadline_seconds=60)
        assert issued.names == [name]
        assert web.files == {}
        assert name in {host.partition(":")[0] for host in web.asked}

    async def test_each_name_of_an_order_is_proven_in_its_own_way(
        self, client: AcmeClient, web: Web, solver: ChallengeSolver, http_solver: WellKnownSolver, name: str,
        dns: PowerDNS, account_key: str,
    ) -> None:  # fmt: skip
        other = fresh_name()
        kinds = {name: HTTP_01, other: DNS_01}
        both = Solvers(dns=solver, http=http_solver, prefer=kinds.__getitem__)
        web.asked.clear()
        issued = await client.issue(account_key, make_csr(name, other), solver=both, deadline_seconds=60)
        assert issued.names == sorted([name, other])
        assert {host.partition(":")[0] for host in web.asked} == {name}
        assert await dns.read(f"_acme-challenge.{other}", "TXT") is None

    async def test_a_wildcard_beside_its_base_takes_dns_for_itself_only(
        self, client: AcmeClient, web: Web, solver: ChallengeSolver, http_solver: WellKnownSolver, name: str,
        account_key: str,
    ) -> None:  # fmt: skip
        both = Solvers(dns=solver, http=http_solver, prefer=lambda domain: HTTP_01)
        issued = await client.issue(account_key, make_csr(name, f"*.{name}"), solver=both, deadline_seconds=60)
        assert issued.names == [f"*.{name}", name]

    async def test_a_wildcard_without_dns_is_refused_before_anything_is_published(
        self, client: AcmeClient, web: Web, http_solver: WellKnownSolver, account_key: str
    ) -> None:
        with pytest.raises(Rejected, match=r"no http-01 challenge for \*\."):
            await client.issue(account_key, make_csr(f"*.{fresh_name()}"), solver=Solvers(http=http_solver))
        assert web.files == {}

    async def test_another_page_in_the_tokens_place_is_not_validated(
        self, client: AcmeClient, web: Web, name: str, account_key: str
    ) -> None:
        impatient = WellKnownSolver(web, address=f"127.0.0.1:{web.port}", patience=0.2, interval=0.05)
        web.stale = 1000
        try:
            with pytest.raises(NotValidated, match="unauthorized"):
                await client.issue(account_key, make_csr(name), solver=Solvers(http=impatient), deadline_seconds=60)
        finally:
            web.stale = 0
        assert web.files == {}
