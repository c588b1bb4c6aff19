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

import pytest

from providers.cloud.transip import TransIP
from providers.errors import Transient, Unconfirmed
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


def configure(folder: Path, **changes: Any) -> Path:
    public = folder / "acme.pub"
    public.write_text(key_pair()[1])
    config = {
        "listen": "127.0.0.1:0",
        "state_dir": str(folder / "state"),
        "driver": "tests.sandbox.transip.memory_driver:MemoryDriver",
        "driver_options": {"ports": {"ssh": 2222, "http": 8080, "https": 8443}},
        "accounts": {LOGIN: str(public)},
        "timings": {"appear": 0.3, "create": 0.3, "install": 0.3, "destroy": 0.1},
        **changes,
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder / "config.json"


def client_of(ready: dict[str, Any]) -> TransIP:
    return TransIP(username=LOGIN, private_key_pem=key_pair()[0], base_url=ready["url"])


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


async def test_token_outlives_a_restart(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("token")
    async with process(configure(folder)) as (running, ready):
        port = ready["url"].split(":")[2].split("/")[0]
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
