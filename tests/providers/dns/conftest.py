from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from providers.dns.powerdns import PowerDNS
from tests.providers.dns.servers import NameServer, name_server


@pytest.fixture(scope="module", params=["sandbox", "pdns"])
async def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NameServer]:
    """Both name servers, one after the other."""
    async with name_server(request.param, tmp_path_factory.mktemp(request.param)) as made:
        yield made


@pytest.fixture
async def dns(server: NameServer) -> AsyncIterator[PowerDNS]:
    client = server.client()
    yield client
    await client.close()
