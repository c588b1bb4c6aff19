"""`python -m bench.fleet N`: N bare servers ordered at once, at two accounts of a DigitalOcean that counts calls.

Real rows, Temporal, worker processes as they are deployed, and the client over HTTP to the sandbox's DigitalOcean,
whose hosts exist by name only. Each account may make 250 calls a minute, as documented; the limit of an hour is lifted,
as it would only prolong what the minutes show. One account gets four orders of five. Prints what came of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop
from sqlalchemy import select
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bench.stack import database, temporal
from db.base import new_id
from db.keyring import KeyRing
from db.models import Deployment, Organization
from db.models_clouds import CallBudget
from db.queries import ordering, providers, servers
from db.session import Database
from domain.provisioning import ProvisionOrder, RunInputs, RunPolicy
from domain.servers import ServerOptions
from domain.starting import provisioning_start
from domain.statuses import Phase
from sandbox.clouds.rates import Window
from sandbox.digitalocean.app import create_digitalocean_app
from sandbox.digitalocean.records import Limits, Timings
from tests.sandbox.clouds.serving import serving
from tests.sandbox.transip.memory_driver import MemoryDriver

ROOT = Path(__file__).parent.parent
TOKENS = {"big": "dop_v1_big-0123456789", "small": "dop_v1_small-0123456789"}
SHARE = {"big": 0.8, "small": 0.2}
MINUTE = Window(count=250, seconds=60)
LIMITS = Limits(burst=MINUTE, hour=Window(count=10**9, seconds=3600), droplets=10**6)
BOOT = Timings(appear=0, create=5, install=25)
WORKERS = (("runs",), ("cloud-digitalocean",), ("cloud-digitalocean",))
MOST_CALLS = 12  # a server; how long is waited follows from it
STARTS_AT_ONCE = 16


class Hosts(MemoryDriver):
    async def reserve_address(self) -> str:
        self._reserved += 1
        return f"10.0.{self._reserved // 250}.{self._reserved % 250 + 1}"

    def _keep(self) -> None:
        """Nothing restarts the sandbox here."""


@dataclass
class Calls:
    """Stands before the cloud and counts what passes, by account."""

    app: ASGIApp
    at: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    refused: Counter[str] = field(default_factory=Counter)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        token = dict(scope["headers"]).get(b"authorization", b"").decode().removeprefix("Bearer ")
        account = next((name for name, text in TOKENS.items() if text == token), "nobody")
        self.at[account].append(time.monotonic())

        async def told(message: Message) -> None:
            self.refused[account] += message["type"] == "http.response.start" and message["status"] == 429
            await send(message)

        await self.app(scope, receive, told)

    def fullest_minute(self, account: str) -> int:
        moments, first, best = self.at[account], 0, 0
        for last, moment in enumerate(moments):
            while moment - moments[first] >= 60:
                first += 1
            best = max(best, last - first + 1)
        return best


@contextlib.contextmanager
def workers(log: Path, **environment: str) -> Iterator[None]:
    with contextlib.ExitStack() as stack, log.open("wb") as out, tempfile.TemporaryDirectory() as folder:
        for pools in WORKERS:
            process = stack.enter_context(subprocess.Popen(
                [sys.executable, "-m", "workers", *pools], cwd=folder, stdout=out, stderr=out,
                env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment}))  # fmt: skip
            stack.callback(process.kill)
        yield


async def open_account(db: Database, keys: KeyRing, name: str, url: str) -> uuid.UUID:
    async with db.begin() as session:
        row = await providers.create(
            session, keys, name=name, kind="digitalocean", api_key=TOKENS[name],
            configuration={"base_url": url, "limits": {"requests": LIMITS.hour.count, "burst": MINUTE.count}},
        )  # fmt: skip
    return row.id


async def order(db: Database, organization: uuid.UUID, account: uuid.UUID, label: str) -> ProvisionOrder:
    inputs = RunInputs(provider="digitalocean", provider_id=str(account), product="s-1vcpu-1gb",
                       availability_zone="ams3", operating_system="debian-13-x64")  # fmt: skip
    values: dict[str, Any] = {
        "organization_id": organization, "deployment_type": "server", "tier": "starter", "slug": label,
        "assigned_subdomain": "", "admin_email": "fleet@example.com", "admin_name": "Fleet",
        "inputs": inputs.model_dump(mode="json"),
    }  # fmt: skip
    async with db.begin() as session:
        made, _ = await servers.order_server(session, values, label=label, base_domain="slipway.test",
                                             options=ServerOptions())  # fmt: skip
        return ordering.order_of(made, RunPolicy())


async def gone_active(db: Database) -> dict[str, set[str]]:
    """Which servers run by now, and which wait for somebody."""
    async with db.begin() as session:
        rows = await session.execute(select(Deployment.slug, Deployment.phase, Deployment.attention))
        found: dict[str, set[str]] = {"active": set(), "stuck": set()}
        for slug, phase, attention in rows:
            if phase == Phase.ACTIVE:
                found["active"].add(slug)
            elif attention != "none":
                found["stuck"].add(slug)
    return found


async def measure(count: int, folder: Path) -> int:
    calls = Calls(create_digitalocean_app(folder, Hosts(folder / "hosts"), accounts=TOKENS, timings=BOOT,
                                          limits=LIMITS))  # fmt: skip
    secret = KeyRing.generate()
    async with contextlib.AsyncExitStack() as stack:
        url, client = stack.enter_context(database()), await stack.enter_async_context(temporal())
        cloud = await stack.enter_async_context(serving(calls))
        db = Database(url, pool_min=4, pool_max=20)
        stack.push_async_callback(db.close)
        accounts = {name: await open_account(db, KeyRing.parse(secret), name, cloud) for name in TOKENS}
        organization = new_id()
        async with db.begin() as session:
            session.add(Organization(id=organization, name="Fleet", slug="fleet"))
        names = [name for name, share in SHARE.items() for _ in range(round(count * share))]
        orders = [await order(db, organization, accounts[name], f"{name}-{number}")
                  for number, name in enumerate(names)]  # fmt: skip
        stack.enter_context(workers(
            folder / "workers.log", ENVIRONMENT="test", DATABASE_URL=url, SECRET_KEYS=secret, LOG_LEVEL="WARNING",
            TEMPORAL_ADDRESS=client.service_client.config.target_host, INVENTORY_SWEEP_MINUTES="600",
        ))  # fmt: skip
        began, turn = time.monotonic(), asyncio.Semaphore(STARTS_AT_ONCE)

        async def start(placed: ProvisionOrder) -> None:
            async with turn:
                await client.start_workflow("Provisioning", placed, **provisioning_start(placed))

        await asyncio.gather(*map(start, orders))
        print(f"{len(orders)} orders started in {time.monotonic() - began:.0f} s", flush=True)
        done = await follow(db, calls, len(orders), began)
        await report(db, calls, accounts, names, done, time.monotonic() - began)
    return len(orders) - len(done)


async def follow(db: Database, calls: Calls, count: int, began: float) -> dict[str, float]:
    """Seconds until each server ran. Ends when all do, or when they should have long since."""
    patience = 180 + 1.5 * count * SHARE["big"] * MOST_CALLS * MINUTE.seconds / MINUTE.count
    done: dict[str, float] = {}
    told = began
    while len(done) < count and time.monotonic() - began < patience:
        await asyncio.sleep(1)
        now, found = time.monotonic(), await gone_active(db)
        for slug in found["active"] - done.keys():
            done[slug] = now - began
        if now - told >= 30:
            told, made = now, sum(map(len, calls.at.values()))
            print(f"{now - began:5.0f} s: {len(done)} run, {len(found['stuck'])} wait for an operator, {made} calls, "
                  f"{calls.refused.total()} of them refused", flush=True)  # fmt: skip
    return done


async def report(
    db: Database, calls: Calls, accounts: dict[str, uuid.UUID], names: list[str], done: dict[str, float], took: float
) -> None:
    ordered = Counter(names)
    print(f"\n{len(done)} of {len(names)} servers run after {took:.0f} s; "
          f"{calls.refused.total()} answers 429 in {sum(map(len, calls.at.values()))} calls\n")  # fmt: skip
    print("account  ordered  running  calls  a server  429s  fullest minute  first  median    last  (seconds)")
    async with db.begin() as session:
        rows = list(await session.scalars(select(CallBudget).order_by(CallBudget.calls)))
    for name in SHARE:
        seconds = sorted(at for slug, at in done.items() if slug.startswith(name)) or [float("nan")]
        made = len(calls.at[name])
        print(f"{name:<8} {ordered[name]:7} {len(seconds):8} {made:6} {made / max(1, ordered[name]):9.1f} "
              f"{calls.refused[name]:5} {calls.fullest_minute(name):8} of {MINUTE.count} {seconds[0]:6.0f} "
              f"{statistics.median(seconds):7.0f} {seconds[-1]:7.0f}")  # fmt: skip
    for row in rows:
        name = next(name for name, account in accounts.items() if account == row.provider_id)
        print(f"budget of {name}, {row.calls}: {row.taken} taken, {row.deferred} sent away, {row.refused} refused")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with (
        tempfile.TemporaryDirectory(prefix="slipway-fleet-") as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        missing = runner.run(measure(count, Path(folder)))
        if missing:
            print((Path(folder) / "workers.log").read_text()[-4000:], file=sys.stderr)
    sys.stdout.flush()
    os._exit(1 if missing else 0)  # the SDK's own threads now and then abort an interpreter that is ending


if __name__ == "__main__":
    main()
