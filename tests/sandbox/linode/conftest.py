"""A Linode of its own for each test, whose answers the official specification must find nothing wrong with."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.sandbox.linode.emulator import LinodeCloud, emulator


@pytest.fixture
async def cloud(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LinodeCloud]:
    async with emulator(tmp_path_factory.mktemp("linode")) as running:
        yield running
        assert running.judge.requests == []
        assert running.judge.answers == []


@pytest.fixture
def http(cloud: LinodeCloud) -> httpx.AsyncClient:
    """Calls of the account `acme`."""
    return cloud.http
