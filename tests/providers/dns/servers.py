"""Name servers and CAs for tests: the sandbox's own and, where they are installed, the real PowerDNS and Pebble.

Each is made here in one way, so that the same test runs against both.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from providers.dns.powerdns import PowerDNS
from sandbox.acme_server import AcmeConfig, AcmeServer
from sandbox.dns_server import DnsConfig, DnsServer
from sandbox.lab.paths import Lab
from sandbox.lab.services import pdns, pebble
from sandbox.service import ServiceSpec
from tests.parts import require

API_KEY = "labkey"
ZONE = "slipway.test."


@dataclass
class NameServer:
    kind: str  # sandbox | pdns
    api_url: str
    dns: str  # host:port
    api_key: str = API_KEY

    def client(self) -> PowerDNS:
        return PowerDNS(self.api_url, self.api_key)


@dataclass
class Ca:
    kind: str  # sandbox | pebble
    directory_url: str
    ca_file: Path
    roots_url: str
    management_url: str  # where windows are set and statuses asked; each kind has its own way


def free_port() -> int:
    """A port free for UDP and TCP just now."""
    for _ in range(50):
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port = int(tcp.getsockname()[1])
            with contextlib.suppress(OSError):
                udp.bind(("127.0.0.1", port))
                return port
    raise OSError("no free port")


@contextlib.asynccontextmanager
async def running(spec: ServiceSpec) -> AsyncIterator[None]:
    """Start a service, wait until its port answers, end it."""
    with spec.log_path.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *spec.argv, stdout=log, stderr=log, env=spec.env or None, cwd=spec.cwd, stdin=asyncio.subprocess.DEVNULL
        )
    assert isinstance(spec.ready, tuple)
    try:
        for _ in range(200):
            if process.returncode is not None:
                raise RuntimeError(f"{spec.name} ended: {spec.log_path.read_text()[-1000:]}")
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(*spec.ready)
                writer.close()
                await writer.wait_closed()
                break
            await asyncio.sleep(0.05)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@contextlib.asynccontextmanager
async def name_server(kind: str, folder: Path) -> AsyncIterator[NameServer]:
    """A running name server with the zone slipway.test in it."""
    async with contextlib.AsyncExitStack() as stack:
        if kind == "pdns":
            require("pdns")
            built = pdns(Lab(), folder, dns_port=free_port(), api_port=free_port(), api_key=API_KEY)
            await stack.enter_async_context(running(built.spec))
            made = NameServer(kind, built.api_url, f"{built.address[0]}:{built.address[1]}")
        else:
            config = DnsConfig(api="127.0.0.1:0", api_key=API_KEY, dns=["127.0.0.1:0"], state=folder / "dns.sqlite3")
            server = await stack.enter_async_context(DnsServer(config))
            made = NameServer(kind, server.api_url, server.dns[0])
        client = made.client()
        await client.ensure_zone(ZONE, nameservers=[f"ns1.{ZONE}", f"ns2.{ZONE}"])
        await client.close()
        yield made


@contextlib.asynccontextmanager
async def authority(
    kind: str, folder: Path, dns: str, *, http_port: int = 80, external: dict[str, str] | None = None, **more: object
) -> AsyncIterator[Ca]:
    """A running CA that asks `dns`. `external` are accounts elsewhere that ours must be bound to; `more` is for the
    sandbox's CA alone."""
    async with contextlib.AsyncExitStack() as stack:
        if kind == "pebble":
            require("pebble")
            host, _, port = dns.rpartition(":")
            built = pebble(Lab(), folder, acme_port=free_port(), management_port=free_port(),
                           dns=(host, int(port)), http_port=http_port)  # fmt: skip
            built.spec.env["PEBBLE_ALTERNATE_ROOTS"] = "1"
            if external:
                bind(Path(built.spec.argv[2]), external)
            if not Path(built.spec.argv[0]).exists():
                built.spec.argv[0] = str(shutil.which("pebble"))
            await stack.enter_async_context(running(built.spec))
            yield Ca(kind, built.directory_url, built.ca_file, f"{built.management_url}/roots/0", built.management_url)
        else:
            settings: dict[str, object] = {
                "listen": "127.0.0.1:0",
                "dns": dns,
                "state_dir": folder / "acme",
                "retry_after": 0,
                "blocked": ["blocked.slipway.test"],
                "http_port": http_port,
                "external_accounts": external or {},
            }
            server = await stack.enter_async_context(AcmeServer(AcmeConfig.model_validate(settings | more)))
            yield Ca(kind, server.directory_url, server.ca_file, f"{server.url}/roots/0", server.url)


def bind(config: Path, external: dict[str, str]) -> None:
    """Let a Pebble require an external account."""
    content = json.loads(config.read_text())
    content["pebble"] |= {"externalAccountBindingRequired": True, "externalAccountMACKeys": external}
    config.write_text(json.dumps(content))


def http(ca: Ca) -> httpx.AsyncClient:
    """For what is beside the protocol: trusts the CA's API and nothing else."""
    return httpx.AsyncClient(verify=ssl.create_default_context(cafile=str(ca.ca_file)), trust_env=False)


async def root_of(ca: Ca) -> str:
    async with http(ca) as asking:
        return (await asking.get(ca.roots_url)).text
