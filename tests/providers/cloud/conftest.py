"""An emulator for a test, and keys that are read once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.sandbox.transip.emulator import Emulator, emulator, keys_are_read_once


@pytest.fixture(autouse=True, scope="session")
def cached_keys() -> Iterator[None]:
    with keys_are_read_once():
        yield


@pytest.fixture
async def cloud(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Emulator]:
    async with emulator(tmp_path_factory.mktemp("transip")) as running:
        yield running
