"""A running DigitalOcean, and what a test needs to talk to it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx

from sandbox.digitalocean.app import DigitalOceanApp, create_digitalocean_app
from sandbox.digitalocean.records import Limits, Timings
from sandbox.faults.machine import Machine
from tests.sandbox.clouds.judge import Judged
from tests.sandbox.clouds.serving import Emulator, serving
from tests.sandbox.transip.memory_driver import MemoryDriver

TOKENS = {"acme": "dop_v1_0123456789abcdef", "beta": "dop_v1_fedcba9876543210"}
QUICK = Timings(appear=0, create=0.05, install=0.05, power=0.05, destroy=0.05)
DigitalOcean = Emulator[DigitalOceanApp]


def droplet(**changes: Any) -> dict[str, Any]:
    """The body of a creation."""
    return {
        "name": "acme-vps-1",
        "region": "ams3",
        "size": "s-1vcpu-1gb",
        "image": "debian-13-x64",
        "user_data": "#cloud-config\nhostname: acme-vps-1\n",
        "tags": ["slipway-0123456789abcdef0123456789abcdef"],
        **changes,
    }


@contextlib.asynccontextmanager
async def emulator(
    folder: Path,
    *,
    timings: Timings = QUICK,
    limits: Limits | None = None,
    limits_of: dict[str, Limits] | None = None,
    driver: MemoryDriver | None = None,
    machine: Machine | None = None,
) -> AsyncIterator[DigitalOcean]:
    driver = driver or MemoryDriver(folder / "hosts")
    app = create_digitalocean_app(folder, driver, accounts=TOKENS, timings=timings, limits=limits,
                                  limits_of=limits_of, machine=machine)  # fmt: skip
    judge = Judged(app, "https://api.digitalocean.com", requests="digitalocean", answers="digitalocean")
    async with serving(judge) as root, httpx.AsyncClient(base_url=root, trust_env=False, timeout=10) as admin:
        headers = {"Authorization": f"Bearer {TOKENS['acme']}"}
        async with httpx.AsyncClient(base_url=f"{root}/v2", headers=headers, trust_env=False, timeout=10) as http:
            yield Emulator(root, TOKENS, driver, app, judge, admin, http)
