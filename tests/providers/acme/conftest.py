from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from providers.acme.client import AcmeClient
from providers.dns.challenges import ChallengeSolver
from providers.dns.powerdns import PowerDNS
from tests.providers.dns.servers import Ca, NameServer, authority, name_server


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NameServer]:
    async with name_server("sandbox", tmp_path_factory.mktemp("dns")) as made:
        yield made


@pytest.fixture(scope="module", params=["sandbox", "pebble"])
async def ca(
    request: pytest.FixtureRequest, server: NameServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Ca]:
    """Both CAs, one after the other, asking the same name server."""
    async with authority(request.param, tmp_path_factory.mktemp(request.param), server.dns) as made:
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
def client(ca: Ca) -> AcmeClient:
    return AcmeClient(ca.directory_url, ca_file=ca.ca_file, email="ops@example.com", poll_seconds=0.1)
