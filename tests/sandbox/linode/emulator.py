"""A running Linode, and what a test needs to talk to it."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx

from sandbox.faults.machine import Machine
from sandbox.linode.app import LinodeApp, create_linode_app
from sandbox.linode.records import Limits, Timings
from tests.sandbox.clouds.judge import Judged
from tests.sandbox.clouds.serving import SSH_KEY, Emulator, serving
from tests.sandbox.transip.memory_driver import MemoryDriver

TOKENS = {"acme": "0123456789abcdef0123456789abcdef", "beta": "fedcba9876543210fedcba9876543210"}
QUICK = Timings(appear=0, create=0.05, install=0.05, power=0.05, destroy=0.05)
USER_DATA = "#cloud-config\nhostname: acme-vps-1\n"
LinodeCloud = Emulator[LinodeApp]


def linode(**changes: Any) -> dict[str, Any]:
    """The body of a creation, without what is None."""
    body = {
        "label": "slipway-0123456789abcdef",
        "region": "nl-ams",
        "type": "g6-nanode-1",
        "image": "linode/debian13",
        "authorized_keys": [SSH_KEY],
        "metadata": {"user_data": base64.b64encode(USER_DATA.encode()).decode()},
        "tags": ["slipway-0123456789abcdef"],
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


@contextlib.asynccontextmanager
async def emulator(
    folder: Path,
    *,
    timings: Timings = QUICK,
    limits: Limits | None = None,
    limits_of: dict[str, Limits] | None = None,
    driver: MemoryDriver | None = None,
    machine: Machine | None = None,
) -> AsyncIterator[LinodeCloud]:
    driver = driver or MemoryDriver(folder / "hosts")
    app = create_linode_app(folder, driver, accounts=TOKENS, timings=timings, limits=limits, limits_of=limits_of,
                            machine=machine)  # fmt: skip
    judge = Judged(app, "https://api.linode.com", requests="linode", answers="linode-relaxed")
    async with serving(judge) as root, httpx.AsyncClient(base_url=root, trust_env=False, timeout=10) as admin:
        headers = {"Authorization": f"Bearer {TOKENS['acme']}"}
        async with httpx.AsyncClient(base_url=f"{root}/v4", headers=headers, trust_env=False, timeout=10) as http:
            yield Emulator(f"{root}/v4", TOKENS, driver, app, judge, admin, http)
