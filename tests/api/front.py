"""The whole way of a bare server: the front door, Temporal's real engine, the workers' own pools, and one real account
at a wire-faithful cloud. Nothing between HTTP and the wire is scripted; hosts are all that is missing."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr
from sqlalchemy import update

from db.models import VpsInstance
from db.models_clouds import ProviderCache, ServiceProvider
from providers.cloud.base import Account, Cloud
from providers.cloud.registry import CLOUDS
from providers.errors import Transient
from tests.api.test_commands import send
from tests.api.world import World
from tests.sandbox.digitalocean import emulator as ocean
from tests.sandbox.linode import emulator as linode
from tests.sandbox.transip import emulator as transip

KINDS = ("transip", "digitalocean", "linode")
PROVIDERS = "/api/admin/providers"
SERVERS = "/api/vps"
# Size, region and image of a bare server at each.
SOLD = {"transip": ("bladevps-x2", "ams0", "debian-13"), "digitalocean": ("s-1vcpu-1gb", "ams3", "debian-13-x64"),
        "linode": ("g6-nanode-1", "nl-ams", "linode/debian13")}  # fmt: skip
ORDERS = {"transip": "^/vps$", "digitalocean": "^/droplets$", "linode": "^/linode/instances$"}
EMULATORS: dict[str, Any] = {"transip": transip, "digitalocean": ocean, "linode": linode}
PAUSE = 0.2  # seconds between two looks at a page
QUICK = {"late_accept_seconds": 1.0, "poll_seconds": 0.1}


@cache
def another_pem() -> str:
    """A good private key that opens nothing."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@dataclass
class Front:
    """A front door, and one cloud that its workers can reach. `texts`: every reply so far."""

    kind: str
    world: World
    cloud: Any
    texts: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        return transip.key_pair()[0] if self.kind == "transip" else str(self.cloud.tokens["acme"])

    @property
    def wrong_key(self) -> str:
        return another_pem() if self.kind == "transip" else "0000000000000000wrong"

    @property
    def configuration(self) -> dict[str, Any]:
        login = {"username": transip.LOGIN} if self.kind == "transip" else {}
        return {"base_url": self.cloud.url, **QUICK, **login}

    # ---- asking

    async def ask(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, dict[str, Any]]:
        answer: httpx.Response = await self.world.client.request(method, path, json=body, params=query)
        self.texts.append(answer.text)
        return answer.status_code, answer.json()

    async def account(self, key: str | None = None) -> str:
        body = {"name": f"{self.kind} {uuid.uuid4().hex[:8]}", "type": self.kind, "api_key": key or self.key,
                "configuration": self.configuration}  # fmt: skip
        status, told = await self.ask("POST", PROVIDERS, body)
        assert status == 201, told
        return str(told["provider"]["id"])

    def body(self, account: str) -> dict[str, Any]:
        size, region, image = SOLD[self.kind]
        return {"provider_type": self.kind, "provider_id": account, "label": f"web-{uuid.uuid4().hex[:8]}",
                "type": size, "region": region, "image": image, "rootPassword": "Correct-horse-battery-9!"}  # fmt: skip

    async def order(self, account: str) -> dict[str, Any]:
        status, told = await self.ask("POST", SERVERS, self.body(account))
        assert status == 202, told
        return dict(told["instance"])

    async def shown(self, server: dict[str, Any]) -> dict[str, Any]:
        status, told = await self.ask("GET", f"{SERVERS}/{server['id']}")
        assert status == 200, told
        return told

    async def until(self, server: dict[str, Any], wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """What is shown of a server, polled as a page does until it is as wanted."""
        for _ in range(600):
            told = await self.shown(server)
            if wanted(told["instance"]):
                return dict(told["instance"])
            await asyncio.sleep(PAUSE)
        raise AssertionError(told)

    async def runs(self, server: dict[str, Any]) -> dict[str, Any]:
        return await self.until(server, lambda shown: shown["status"] == "running")

    async def parked(self, server: dict[str, Any]) -> dict[str, Any]:
        return await self.until(server, lambda shown: shown["attention"] == "awaiting_operator")

    async def gone(self, server: dict[str, Any]) -> list[dict[str, Any]]:
        """Waits for the end of a server; returns the proofs of it."""
        await self.until(server, lambda shown: shown["status"] == "terminated")
        for _ in range(300):
            _, told = await self.ask("GET", f"/api/portal/instances/{server['deployment_id']}/status")
            if told["phase"] == "terminated":
                return list(told["absence"]["proofs"])
            await asyncio.sleep(PAUSE)
        raise AssertionError(told)

    async def stands_at_the_cloud(self, deployment_id: str) -> dict[str, Any]:
        """Waits until an application's server runs; returns the status of its run."""
        for _ in range(300):
            _, told = await self.ask("GET", f"/api/portal/instances/{deployment_id}/status")
            if any((step["name"], step["state"]) == ("await_server", "done") for step in told["steps"]):
                return told
            await asyncio.sleep(PAUSE)
        raise AssertionError(told)

    async def retry(self, server: dict[str, Any]) -> None:
        status, told = await send(self.world, server["deployment_id"], "retry")
        assert status == 202, told

    async def act(self, server: dict[str, Any], action: str) -> tuple[int, dict[str, Any]]:
        return await self.ask("POST", f"{SERVERS}/{server['id']}/action", {"action": action})

    async def acted(self, server: dict[str, Any], action: str) -> dict[str, Any]:
        """Asks for an action and waits for its end: the newest row of the server's actions."""
        status, told = await self.act(server, action)
        assert (status, told["message"]) == (202, f"Action {action} initiated successfully"), told
        return await self.ended(server)

    async def ended(self, server: dict[str, Any]) -> dict[str, Any]:
        for _ in range(600):
            newest = (await self.shown(server))["actions"][0]
            if newest["ended_at"] is not None:
                return dict(newest)
            await asyncio.sleep(PAUSE)
        raise AssertionError(newest)

    async def listed(self, what: str, account: str) -> tuple[int, dict[str, Any]]:
        return await self.ask("GET", f"{SERVERS}/{self.kind}/{what}", provider_id=account)

    # ---- what time does

    async def looks_are_old(self) -> None:
        async with self.world.db.begin() as session:
            await session.execute(update(VpsInstance).values(seen_at=datetime.now(UTC) - timedelta(minutes=5)))

    async def lists_are_old(self) -> None:
        async with self.world.db.begin() as session:
            await session.execute(update(ProviderCache).values(fresh_until=datetime.now(UTC) - timedelta(minutes=5)))

    # ---- what happens at the cloud

    async def revoke(self) -> None:
        """The account's key stops being accepted. At TransIP a key pair that was removed: its tokens end, and no new
        ones are given."""
        if self.kind == "transip":
            await self.admin("tokens/revoke")
            text = "Authentication failed, invalid signature"
            await self.cloud.fault("status", status=401, body=text, path="^/auth$", times=None)
        else:
            await self.admin("accounts/acme/revoke")

    async def restore(self) -> None:
        if self.kind == "transip":
            await self.heal()
        else:
            await self.admin("accounts/acme/restore")

    async def breaks(self) -> None:
        await self.cloud.fault("status", status=503, times=None)

    async def heal(self) -> None:
        (await self.cloud.admin.delete("/_sandbox/faults")).raise_for_status()

    async def admin(self, path: str) -> None:
        (await self.cloud.admin.post(f"/_sandbox/{path}")).raise_for_status()

    @contextlib.asynccontextmanager
    async def by_hand(self) -> AsyncIterator[Cloud]:
        """The account in somebody else's hands, past all of ours."""
        cloud = CLOUDS[self.kind](Account(api_key=SecretStr(self.key), configuration=self.configuration))
        try:
            yield cloud
        finally:
            await cloud.close()

    async def deleted_behind_our_back(self) -> None:
        async with self.by_hand() as cloud:
            while servers := await cloud.list():
                for server in servers:
                    with contextlib.suppress(Transient):  # busy just then
                        await cloud.cancel(server.provider_ref, immediately=True)
                await asyncio.sleep(0.1)

    @property
    def bought(self) -> int:
        return len(self.cloud.app.invoices())

    # ---- what is kept

    async def row(self, account: str) -> ServiceProvider:
        async with self.world.db.begin() as session:
            return await session.get_one(ServiceProvider, uuid.UUID(account))

    def told(self, secrets: Iterable[str]) -> list[str]:
        """Which of these any reply held."""
        return [secret for secret in secrets if any(secret in text for text in self.texts)]


@contextlib.asynccontextmanager
async def cloud_of(kind: str, folder: Path) -> AsyncIterator[Any]:
    folder.mkdir()
    async with EMULATORS[kind].emulator(folder) as cloud:
        yield cloud
