"""A receiver of webhooks that does as it is told, and the running account in front of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response

from providers.payments.events import Meanings, meaning
from providers.payments.webhook import Event, verify
from sandbox.embedded import Embedded
from sandbox.stripe.records import Endpoint
from sandbox.stripe_server import StripeConfig, StripeServer

KEY = "sk_test_sandbox"
SECRET = "whsec_shop"


class Receiver:
    """Verifies what comes and keeps it; answers with `answers` first and 200 then. A 0 is no answer at all."""

    def __init__(self, *secrets: str) -> None:
        self.secrets = [SecretStr(secret) for secret in secrets or (SECRET,)]
        self.answers: list[int] = []
        self.events: list[Event] = []
        self.url = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        body, header = await request.body(), request.headers.get("Stripe-Signature")
        self.events.append(verify(body, header, self.secrets, now=time.time(), future_tolerance=5))
        status = self.answers.pop(0) if self.answers else 200
        if status:
            await Response(status_code=status)(scope, receive, send)
        else:
            receive.__self__.transport.abort()

    def endpoint(self, **members: Any) -> Endpoint:
        return Endpoint(url=self.url, **{"secrets": [SECRET], "retries": [0.05] * 5, **members})

    def told(self) -> list[Meanings]:
        """What the events meant, each once, in the order in which they came first."""
        return [meaning(event) for event in {event.id: event for event in self.events}.values()]

    def types(self) -> list[str]:
        return [event.type for event in self.events]


@asynccontextmanager
async def receiving(*secrets: str) -> AsyncIterator[Receiver]:
    receiver = Receiver(*secrets)
    async with Embedded(receiver, "127.0.0.1:0") as http:
        receiver.url = f"http://127.0.0.1:{http.port}/webhooks/stripe"
        yield receiver


@asynccontextmanager
async def running(state_dir: Path, **members: Any) -> AsyncIterator[StripeServer]:
    config = StripeConfig(state_dir=state_dir, listen="127.0.0.1:0", api_keys=[KEY], **members)
    async with StripeServer(config) as server:
        yield server


async def delivered(server: StripeServer) -> None:
    await asyncio.wait_for(server.sender.idle(), 30)


@asynccontextmanager
async def calling(server: StripeServer, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {KEY}", **headers}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, trust_env=False) as http:
        yield http
