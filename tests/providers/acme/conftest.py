from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from providers.acme.client import AcmeClient
from providers.acme.wellknown import WellKnownSolver
from providers.dns.challenges import ChallengeSolver
from providers.dns.powerdns import PowerDNS
from tests.providers.acme.web import Web, website
from tests.providers.dns.servers import Ca, NameServer, authority, name_server


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NameServer]:
    async with name_server("sandbox", tmp_path_factory.mktemp("dns")) as made:
        yield made


@pytest.fixture(scope="module")
async def web() -> AsyncIterator[Web]:
    async with website() as made:
        yield made


@pytest.fixture(scope="module", params=["sandbox", "pebble"])
async def ca(
    request: pytest.FixtureRequest, server: NameServer, web: Web, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Ca]:
    """Both CAs, one after the other, asking the same name server and the same web server."""
    folder = tmp_path_factory.mktemp(request.param)
    async with authority(request.param, folder, server.dns, http_port=web.port) as made:
        yield made


@pytest.fixture
async def dns(server: NameServer) -> AsyncIterator[PowerDNS]:
    client = server.client()
    yield client
    await client.close()


@pytest.fixture
def solver(dns: PowerDNS, server: NameServer) -> ChallengeSolver:
    return ChallengeSolver(dns, [server.dns], owner="d-1", interval=0.05)


@pytest.fixture
def http_solver(web: Web) -> WellKnownSolver:
    return WellKnownSolver(web, address=f"127.0.0.1:{web.port}", interval=0.05)


@pytest.fixture
def client(ca: Ca) -> AcmeClient:
    return AcmeClient(ca.directory_url, ca_file=ca.ca_file, email="ops@example.com", poll_seconds=0.1)


@pytest.fixture(scope="module")
def account_key() -> str:
    return AcmeClient.new_account_key()
