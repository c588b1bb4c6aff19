"""`python -m tests.faults.worker CONFIG.json`: workers as the product runs them, killed and started again at will.

Rows, servers, sweeps and workflows are the product's. Time is shorter: retries and heartbeats count in tenths of what
they are in production, which is the table of options only, not the code that is tried.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import temporalio.worker
import uvloop
from pydantic import BaseModel
from temporalio import activity
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

import temporal
from activities import sweeps
from activities._context import Deps
from db.keyring import KeyRing
from db.session import Database
from domain.config import RunConfig
from providers.cloud.digitalocean import DigitalOcean
from providers.cloud.linode import Linode
from providers.cloud.transip import TransIP
from sandbox.clouds.front import RUN_HEADER
from tests.clouds import FixedClouds
from tests.faults import mutations
from tests.faults.outside import Outside
from tests.faults.story import LATE_ACCEPT_WINDOW, POLICY, POLL_INTERVAL
from workers import run
from workers.pools import POOLS
from workflows import _options

HEARTBEAT = timedelta(seconds=3)
SHORTEST_ATTEMPT = timedelta(seconds=15)


class Config(BaseModel):
    temporal: str
    database: str
    keys: str
    clouds: dict[str, str]  # the address of each
    username: str
    private_key: str
    token: str
    mutation: str = ""


class Named(httpx.AsyncHTTPTransport):
    """The network, with the run's id on each call, so that its faults can be drawn from that run's seed."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if activity.in_activity():
            request.headers[RUN_HEADER.decode()] = (activity.info().workflow_id or "").rpartition("/")[2]
        return await super().handle_async_request(request)


def quicken() -> None:
    """Shorten waits. The sandbox of workflows would load its own copy of the table, hence it is passed through."""
    temporal.PASSED_THROUGH = (*temporal.PASSED_THROUGH, "workflows")
    sweeps.GRACE = timedelta(seconds=2)
    for name, options in _options.ACTIVITIES.items():
        _options.ACTIVITIES[name] = options._replace(
            attempt=min(options.attempt, SHORTEST_ATTEMPT), heartbeat=HEARTBEAT,
            first_retry=timedelta(seconds=0.2), slowest_retry=timedelta(seconds=2),
        )  # fmt: skip


def clients(config: Config) -> FixedClouds:
    common: dict[str, Any] = {"late_accept_window": LATE_ACCEPT_WINDOW, "poll_interval": POLL_INTERVAL}
    urls = config.clouds
    return FixedClouds(
        transip=TransIP(username=config.username, private_key_pem=config.private_key, base_url=urls["transip"],
                        transport=Named(), **common),
        digitalocean=DigitalOcean(token=config.token, base_url=urls["digitalocean"], transport=Named(), **common),
        linode=Linode(token=config.token, base_url=urls["linode"], transport=Named(), **common),
    )  # fmt: skip


async def serve(config: Config) -> None:
    deps = Deps(
        config=RunConfig(base_domain="slipway.test", policy=POLICY),
        db=Database(config.database, pool_min=5, pool_max=30), keys=KeyRing.parse(config.keys),
        clouds=clients(config), dns=None, acme=None, blueprints=None,  # type: ignore[arg-type] - emulated
    )  # fmt: skip
    outside = Outside(deps)
    emulated = {"hosts": outside.hosts(), "edge": outside.edge()}
    client = await Client.connect(config.temporal, data_converter=pydantic_data_converter)
    workers: list[temporalio.worker.Worker] = []
    for name, pool in POOLS.items():
        if name in emulated:
            pool = dataclasses.replace(pool, activities=lambda deps, name=name: emulated[name])
        workers.append(run.worker_of(pool, client, deps))
    await asyncio.gather(*(worker.run() for worker in workers))


def work(config: Config) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(config))


def main() -> None:
    """Forks a worker for every line on standard input and answers with its process id; the end of input ends all.

    Imports cost a worker two seconds of a processor, which a fork has behind it. Nothing of Temporal's runs before.
    """
    config = Config.model_validate_json(Path(sys.argv[1]).read_text())
    logging.getLogger("temporalio.activity").setLevel(logging.CRITICAL)  # failures are what is tried here
    quicken()
    mutations.apply(config.mutation)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the dead
    workers: list[int] = []
    for _ in sys.stdin:
        if (pid := os.fork()) == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # the SDK writes there; process ids go the other way
            try:
                work(config)
            finally:
                os._exit(1)  # the SDK may abort while the interpreter is torn down
        workers.append(pid)
        print(pid, flush=True)
    for pid in workers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
