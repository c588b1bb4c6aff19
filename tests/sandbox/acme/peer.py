"""A client that can do everything wrong."""

from __future__ import annotations

import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
from acme import jws
from josepy.jwa import ES256
from josepy.jwk import JWKEC

from providers.acme.client import AcmeClient
from providers.acme.wire import load_key
from sandbox.acme_server import AcmeConfig, AcmeServer
from tests.providers.dns.servers import free_port

PROBLEM = "application/problem+json"


class Peer:
    def __init__(self, http: httpx.AsyncClient, base: str) -> None:
        self.http = http
        self.base = base
        self.key: JWKEC = load_key(AcmeClient.new_account_key())
        self.kid: str | None = None

    async def nonce(self) -> str:
        return (await self.http.head(f"{self.base}/new-nonce")).headers["Replay-Nonce"]

    async def post(self, path: str, payload: Any, **wrong: Any) -> httpx.Response:
        url = f"{self.base}{path}"
        header: dict[str, Any] = {"url": wrong.get("url", url), "nonce": wrong.get("nonce") or await self.nonce()}
        if self.kid:
            header["kid"] = wrong.get("kid", self.kid)
        body = b"" if payload is None else json.dumps(payload).encode()
        nonce = jws.Header._fields["nonce"].decode(header.pop("nonce"))
        signed = jws.JWS.sign(body, alg=ES256, nonce=nonce, key=wrong.get("key", self.key), **header).json_dumps()
        kind = wrong.get("content_type", "application/jose+json")
        return await self.http.post(url, content=signed, headers={"Content-Type": kind})

    async def register(self) -> None:
        answer = await self.post("/new-account", {"termsOfServiceAgreed": True})
        assert answer.status_code == 201
        self.kid = answer.headers["Location"]

    async def order(self, name: str = "a.slipway.test", **more: Any) -> httpx.Response:
        return await self.post("/new-order", {"identifiers": [{"type": "dns", "value": name}], **more})

    async def look(self, url: str, payload: Any = None) -> httpx.Response:
        return await self.post(url.removeprefix(self.base), payload)


@contextlib.asynccontextmanager
async def visiting(folder: Path, **settings: Any) -> AsyncIterator[Peer]:
    """A CA of its own, and a peer at it."""
    config = {"listen": "127.0.0.1:0", "dns": f"127.0.0.1:{free_port()}", "state_dir": folder / "acme"} | settings
    async with AcmeServer(AcmeConfig.model_validate(config)) as server:
        trust = ssl.create_default_context(cafile=str(server.ca_file))
        async with httpx.AsyncClient(verify=trust, trust_env=False) as http:
            yield Peer(http, server.url)


def kind(answer: httpx.Response) -> str:
    assert answer.headers["Content-Type"] == PROBLEM
    assert answer.headers["Replay-Nonce"]
    return str(answer.json()["type"]).removeprefix("urn:ietf:params:acme:error:")
