from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from providers.payments.stripe import Stripe
from sandbox.stripe_server import StripeConfig, StripeServer

KEY = "sk_test_sandbox"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[StripeServer]:
    async with StripeServer(StripeConfig(state_dir=tmp_path, listen="127.0.0.1:0", api_keys=[KEY])) as running:
        yield running


@pytest.fixture
async def stripe(server: StripeServer) -> AsyncIterator[Stripe]:
    client = Stripe(api_key=SecretStr(KEY), base_url=server.url)
    yield client
    await client.close()
