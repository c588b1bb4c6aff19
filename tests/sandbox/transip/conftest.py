"""A running emulator for a test, and a plain HTTP client that has a token."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from providers.cloud.transip_auth import sign
from tests.sandbox.transip.emulator import LOGIN, Emulator, emulator, key_pair, keys_are_read_once, read_key


@pytest.fixture(autouse=True, scope="session")
def cached_keys() -> Iterator[None]:
    with keys_are_read_once():
        yield


@pytest.fixture
async def cloud(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Emulator]:
    async with emulator(tmp_path_factory.mktemp("transip")) as running:
        yield running


def signed(**changes: Any) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a token request."""
    body = {
        "login": LOGIN,
        "nonce": uuid.uuid4().hex,
        "read_only": False,
        "expiration_time": "30 minutes",
        "label": uuid.uuid4().hex,
        "global_key": True,
        **changes,
    }
    raw = json.dumps(body).encode()
    return raw, {"Signature": sign(read_key(key_pair()[0]), raw), "Content-Type": "application/json"}


@pytest.fixture
async def http(cloud: Emulator) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=cloud.url, trust_env=False) as client:
        raw, headers = signed()
        token = (await client.post("/auth", content=raw, headers=headers)).raise_for_status().json()["token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client
