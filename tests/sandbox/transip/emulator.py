"""A running emulator on a real socket, and what a test needs to talk to it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from providers.cloud import transip_catalogue
from providers.cloud.base import ServerOrder
from providers.cloud.transip import TransIP
from providers.cloud.transip_auth import load_key
from sandbox.faults.machine import Machine
from sandbox.transip.app import TransipApp, create_transip_app
from sandbox.transip.records import Limits, Timings
from tests.sandbox.transip.memory_driver import MemoryDriver

LOGIN = "acme"
QUICK = Timings(appear=0.05, create=0.05, install=0.05, power=0.05, destroy=0.05)
read_key = cache(load_key)
TOKEN = "0123456789abcdef0123456789abcdef"


@cache
def key_pair() -> tuple[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


@contextlib.contextmanager
def keys_are_read_once() -> Iterator[None]:
    """OpenSSL takes 60 ms to check a key, and the tests open the same two hundreds of times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transip_catalogue, "load_key", read_key)
        yield


def order(**changes: Any) -> ServerOrder:
    return ServerOrder(
        **{
            "correlation": TOKEN,
            "product": "bladevps-x4",
            "availability_zone": "ams0",
            "operating_system": "debian-13",
            "hostname": "acme-vps-1",
            "user_data": "#cloud-config\nhostname: acme-vps-1\n",
            "ssh_keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2rB0k0XQ3iZxk9zVn6o9u2fS3l5y8m6l0jJ8cB7a0d slipway"],
            **changes,
        }
    )


@dataclass
class Emulator:
    url: str
    driver: MemoryDriver
    admin: httpx.AsyncClient
    app: TransipApp
    clients: list[TransIP] = field(default_factory=list)

    def client(self, **changes: Any) -> TransIP:
        """A client of the product, closed with the emulator if not before."""
        arguments = {"username": LOGIN, "private_key_pem": key_pair()[0], "base_url": self.url, **changes}
        self.clients.append(TransIP(**arguments))
        return self.clients[-1]

    async def fault(self, do: str, *, method: str = ".*", path: str = ".*", **more: Any) -> None:
        rule = {"match": {"method": method, "path": path}, "do": do, **more}
        (await self.admin.post("/_sandbox/faults", json=rule)).raise_for_status()

    async def state(self) -> dict[str, Any]:
        return (await self.admin.get("/_sandbox/state")).raise_for_status().json()


@contextlib.asynccontextmanager
async def emulator(
    folder: Path,
    *,
    timings: Timings = QUICK,
    limits: Limits | None = None,
    driver: MemoryDriver | None = None,
    machine: Machine | None = None,
) -> AsyncIterator[Emulator]:
    driver = driver or MemoryDriver(folder / "hosts")
    if not (folder / "token-key.pem").exists():
        (folder / "token-key.pem").write_text(key_pair()[0])  # it would make one of its own, which takes a while
    app = create_transip_app(folder, driver, accounts={LOGIN: key_pair()[1]}, timings=timings, limits=limits,
                             machine=machine)  # fmt: skip
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on", timeout_graceful_shutdown=1))
        server.capture_signals = contextlib.nullcontext  # the test runner keeps its own
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            if task.done():
                await task
                raise RuntimeError("the emulator did not start")
            await asyncio.sleep(0.01)
        root = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            async with httpx.AsyncClient(base_url=root, trust_env=False, timeout=10) as admin:
                running = Emulator(f"{root}/v6", driver, admin, app)
                yield running
        finally:
            for client in running.clients:
                await client.close()
            server.should_exit = True
            await task


async def until(look: Callable[[], Awaitable[Any]], *, tries: int = 400) -> Any:
    """The first true answer of `look`."""
    for _ in range(tries):
        if found := await look():
            return found
        await asyncio.sleep(0.02)
    raise AssertionError("it did not become true")
