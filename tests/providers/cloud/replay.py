"""Recorded answers on a transport of memory, and the calls that were made to get them."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from providers.cloud.transip import TransIP

FIXTURES = Path(__file__).parent / "fixtures" / "transip"
BASE = "https://api.transip.nl/v6"

Answer = Callable[[httpx.Request], httpx.Response]


def fixture(name: str) -> dict[str, Any]:
    return json.loads((FIXTURES / name).read_text())


def interactions() -> list[dict[str, Any]]:
    return [
        {**item, "file": path.name}
        for path in sorted(FIXTURES.glob("*.json"))
        for item in json.loads(path.read_text()).get("interactions", [])
    ]


def jwt(seconds: float, number: int = 1) -> str:
    """A token as a client may read it; nobody checks its signature here."""
    claims = {"exp": int(time.time() + seconds), "jti": str(number)}
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJSUzUxMiJ9.{middle}.c2lnbmF0dXJl"


def status(code: int, body: object = None, headers: dict[str, str] | None = None) -> httpx.Response:
    """`body` None is an empty one, as real answers have it."""
    if body is None:
        return httpx.Response(code, headers=headers)
    return httpx.Response(code, json=body, headers=headers)


class Replay(httpx.AsyncBaseTransport):
    """Gives out a token for every request of one, and hands everything else to `answer`."""

    def __init__(self, answer: Answer, *, token_seconds: float = 1800) -> None:
        self._answer = answer
        self._token_seconds = token_seconds
        self.calls: list[httpx.Request] = []
        self.auths: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        if request.url.path == "/v6/auth":
            self.auths.append(request)
            return status(201, {"token": jwt(self._token_seconds, len(self.auths))})
        self.calls.append(request)
        return self._answer(request)

    def client(self, **changes: Any) -> TransIP:
        key = fixture("auth_signature_vector.json")["private_key_pem"]
        return TransIP(**{"username": "test-user", "private_key_pem": key, "transport": self, **changes})
