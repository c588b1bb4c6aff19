"""The sandbox cloud as a process: killed at any moment it finds everything again; asked to stop, it stops its hosts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from providers.cloud.transip import TransIP
from providers.errors import Transient, Unconfirmed
from tests.sandbox.digitalocean.emulator import TOKENS as DROPLETS
from tests.sandbox.digitalocean.emulator import droplet
from tests.sandbox.linode.emulator import TOKENS as LINODES
from tests.sandbox.linode.emulator import linode
from tests.sandbox.transip.emulator import LOGIN, TOKEN, key_pair, order, until

ROOT = Path(__file__).parents[2]


@contextlib.asynccontextmanager
async def process(config: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, Any]]]:
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sandbox.cloud_server", "--config", str(config), cwd=ROOT,
        stdout=asyncio.subprocess.PIPE)  # fmt: skip
    assert running.stdout is not None
    try:
        ready = json.loads(await running.stdout.readline())
        yield running, ready
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()
        await running.stdout.read()  # to its end, so that the pipe is closed before the loop forgets it


def configure(folder: Path, listen: str = "127.0.0.1:0", **changes: Any) -> Path:
    public = folder / "acme.pub"
    public.write_text(key_pair()[1])
    timings = {"appear": 0.3, "create": 0.3, "install": 0.3, "destroy": 0.1}
    config = {
        "state_dir": str(folder / "state"),
        "driver": "tests.sandbox.transip.memory_driver:MemoryDriver",
        "driver_options": {"ports": {"ssh": 2222, "http": 8080, "https": 8443}},
        "transip": {"listen": listen, "accounts": {LOGIN: str(public)}, "timings": timings},
        "digitalocean": {"accounts": DROPLETS, "timings": timings},
        "linode": {"accounts": LINODES, "timings": timings, "limits_of": {"beta": {"linodes": 1}}},
        **changes,
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder / "config.json"


def client_of(ready: dict[str, Any]) -> TransIP:
    return TransIP(username=LOGIN, private_key_pem=key_pair()[0], base_url=ready["urls"]["transip"])


async def test_ready_line_tells_where_and_an_orderly_stop_ends_well(tmp_path_factory: pytest.TempPathFactory) -> None:
    config = configure(tmp_path_factory.mktemp("cloud"))
    async with process(config) as (running, ready):
        assert ready["gateway"] == "127.77.0.1"
        assert ready["ports"] == {"ssh": 2222, "http": 8080, "https": 8443}
        client = client_of(ready)
        await client.verify_credentials()
        await client.close()
        running.send_signal(signal.SIGTERM)
        assert await running.wait() == 0


async def test_kill_right_after_an_order_loses_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    config = configure(tmp_path_factory.mktemp("killed"))
    tokens = [f"{n:032x}" for n in range(4)]
    for token in tokens:
        async with process(config) as (running, ready):
            client = client_of(ready)
            with contextlib.suppress(Unconfirmed, Transient):
                await client.order(order(correlation=token))
            running.kill()
            await client.close()
    async with process(config) as (_, ready):
        client = client_of(ready)

        async def all_running() -> bool:
            servers = await client.list()
            return len(servers) == len(tokens) and all(s.running and not s.locked for s in servers)

        await until(all_running)
        for token in tokens:
            assert len(await client.find(token)) == 1
        assert len({server.address for server in await client.list()}) == len(tokens)
        await client.close()


def callers(ready: dict[str, Any]) -> tuple[httpx.AsyncClient, httpx.AsyncClient]:
    """Callers of DigitalOcean and of Linode."""
    tokens = {"digitalocean": DROPLETS["acme"], "linode": LINODES["acme"]}
    droplets, linodes = (
        httpx.AsyncClient(base_url=ready["urls"][name], headers={"Authorization": f"Bearer {token}"}, trust_env=False)
        for name, token in tokens.items()
    )
    return droplets, linodes


async def test_three_clouds_share_one_driver_and_are_found_again_after_a_kill(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    config = configure(tmp_path_factory.mktemp("three"))
    async with process(config) as (running, ready):
        assert set(ready["urls"]) == {"transip", "digitalocean", "linode"}
        transip, (droplets, linodes) = client_of(ready), callers(ready)
        async with droplets, linodes:
            await transip.order(order())
            assert (await droplets.post("/v2/droplets", json=droplet())).status_code == 202
            assert (await linodes.post("/linode/instances", json=linode())).status_code == 200
            running.kill()
        await transip.close()
    async with process(config) as (running, ready):
        transip, (droplets, linodes) = client_of(ready), callers(ready)
        async with droplets, linodes:
            addresses: list[str] = []

            async def all_running() -> bool:
                vpss = [one for one in await transip.list() if one.running and not one.locked]
                new = [one for one in (await droplets.get("/v2/droplets")).json()["droplets"] if not one["locked"]]
                made = (await linodes.get("/linode/instances")).json()["data"]
                up = [one for one in made if one["status"] == "running"]
                addresses[:] = [str(one.address) for one in vpss]
                addresses.extend(net["ip_address"] for one in new for net in one["networks"]["v4"][1:])
                addresses.extend(address for one in up for address in one["ipv4"])
                return bool(vpss and new and up)

            await until(all_running)
            assert len(set(addresses)) == 3
            root = ready["urls"]["linode"].removesuffix("/v4")
            hosts = (await linodes.get(f"{root}/_sandbox/state")).json()["hosts"]
            assert sorted(name.split("-")[0] for name in hosts) == [LOGIN, "droplet", "linode"]
            assert set(hosts.values()) == {"running"}
        await transip.close()
        running.send_signal(signal.SIGTERM)
        assert await running.wait() == 0


async def test_a_cloud_that_is_not_configured_is_not_served(tmp_path_factory: pytest.TempPathFactory) -> None:
    async with process(configure(tmp_path_factory.mktemp("one"), transip=None, linode=None)) as (_, ready):
        assert set(ready["urls"]) == {"digitalocean"}


async def test_token_outlives_a_restart(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("token")
    async with process(configure(folder)) as (running, ready):
        port = ready["urls"]["transip"].split(":")[2].split("/")[0]
        client = client_of(ready)
        await client.order(order())
        running.kill()
        await running.wait()
        async with process(configure(folder, listen=f"127.0.0.1:{port}")):
            await until(lambda: client.find(TOKEN))
        await client.close()


async def test_configuration_that_is_wrong_ends_with_an_error(tmp_path_factory: pytest.TempPathFactory) -> None:
    config = configure(tmp_path_factory.mktemp("wrong"), driver="tests.sandbox.transip.memory_driver:Nobody")
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sandbox.cloud_server", "--config", str(config), cwd=ROOT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)  # fmt: skip
    _, errors = await running.communicate()
    assert running.returncode != 0
    assert b"Nobody" in errors
