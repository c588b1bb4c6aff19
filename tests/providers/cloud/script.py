"""Answers from a script on a transport of memory, for clouds with a bearer token. Every request is judged by the
cloud's own specification: one that violates it fails the test that made it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests.providers.cloud.judge import violations

FIXTURES = Path(__file__).parent / "fixtures"
TOKEN = "0123456789abcdef0123456789abcdef"  # the correlation token of an order
SSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2rB0k0XQ3iZxk9zVn6o9u2fS3l5y8m6l0jJ8cB7a0d slipway"
SECRET = "secret-api-token"

Answer = Callable[[httpx.Request], httpx.Response]


def interactions(cloud: str) -> list[dict[str, Any]]:
    return [
        {**item, "file": path.name}
        for path in sorted((FIXTURES / cloud).glob("*.json"))
        for item in json.loads(path.read_text()).get("interactions", [])
    ]


def real_errors(cloud: str) -> list[dict[str, Any]]:
    return json.loads((FIXTURES / cloud / "real_world_errors.json").read_text())["errors"]


def status(code: int, body: object = None, headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.Response(code, headers=headers) if body is None else httpx.Response(code, json=body, headers=headers)


class Script(httpx.AsyncBaseTransport):
    def __init__(self, cloud: str, answer: Answer) -> None:
        self._cloud = cloud
        self._answer = answer
        self.calls: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        assert request.headers["Authorization"] == f"Bearer {SECRET}"
        found = violations(request, None, self._cloud)
        assert not found, found
        self.calls.append(request)
        return self._answer(request)

    @property
    def made(self) -> list[str]:
        return [f"{call.method} {call.url.path}" for call in self.calls]

    def body(self, index: int = -1) -> dict[str, Any]:
        return json.loads(self.calls[index].content)


def routes(answers: dict[str, httpx.Response | Answer]) -> Answer:
    """Answers by "METHOD /path"; anything else is the cloud's 404."""

    def answer(request: httpx.Request) -> httpx.Response:
        found = answers.get(f"{request.method} {request.url.path}")
        if found is None:
            return status(404, {"id": "not_found", "message": "The resource you requested could not be found.",
                                "errors": [{"reason": "Not found"}]})  # fmt: skip
        return found if isinstance(found, httpx.Response) else found(request)

    return answer
