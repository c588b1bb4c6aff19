"""What the drill runs on: PostgreSQL, Temporal, PowerDNS, Pebble, the API, and workers that are killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
from sqlalchemy import text
from temporalio.client import Client
from temporalio.service import RPCError

from activities._context import Deps
from bench import stack
from db.keyring import KeyRing
from db.session import Database
from domain.config import RunConfig
from providers.acme.client import AcmeClient
from providers.dns.powerdns import PowerDNS
from sandbox.lab import services as lab
from sandbox.lab.paths import Lab
from tests.clouds import FixedClouds
from tests.killing import ROOT, Programs, answers, ended, make_zone
from tests.operating import Operator
from tests.postgres import free_port
from tests.providers.dns.servers import running as serving
from workers.schedules import CERTIFICATE_SWEEP

BASE = "slipway.test"
LEDGER = "hosts.sqlite3"
WORKERS = 2
KILL_SECONDS = (10.0, 30.0)  # between two kills ...
STEPS_BETWEEN = 5  # ... and so many certificates
SWEEP_SECONDS = 10.0  # the schedule's own minute would only make a small drill longer


@dataclass(kw_only=True)
class Stack(Programs):
    db: Database
    temporal: Client
    deps: Deps
    http: httpx.AsyncClient  # the API, as an operator
    ca_log: Path

    @property
    def ledger(self) -> Path:
        return self.folder / LEDGER

    async def done(self) -> int:
        async with self.db.begin() as session:
            query = text("select count(*) from certificates where superseded_at is not null")
            return int((await session.execute(query)).scalar_one())

    async def sweep(self) -> None:
        """Ask for sweeps until cancelled; one that is under way is enough."""
        while True:
            with contextlib.suppress(RPCError):  # the first worker makes the schedule
                await self.temporal.get_schedule_handle(CERTIFICATE_SWEEP).trigger()
            await asyncio.sleep(SWEEP_SECONDS)


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[Stack]:
    keys, dns_key = KeyRing.generate("drill"), secrets.token_hex(20)
    port, dns_port, dns_api = free_port(), free_port(), free_port()
    async with contextlib.AsyncExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="slipway-drill-")))
        url, client = held.enter_context(stack.database()), await held.enter_async_context(stack.temporal())
        names = lab.pdns(Lab(), folder, dns_port=dns_port, api_port=dns_api, api_key=dns_key)
        ca = lab.pebble(Lab(), folder, acme_port=free_port(), management_port=free_port(), dns=names.address)
        ca.spec.env["TZ"] = "UTC"
        for spec in (names.spec, ca.spec):
            await held.enter_async_context(serving(spec))
        await make_zone(names.api_url, dns_key, BASE)
        environment = dict(os.environ) | {
            "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "LOG_LEVEL": "WARNING", "ENVIRONMENT": "development",
            "PORT": str(port), "DATABASE_URL": url, "SECRET_KEYS": keys, "JWT_SECRET": secrets.token_hex(32),
            "TEMPORAL_ADDRESS": client.service_client.config.target_host, "BASE_DOMAIN": BASE,
            "POWERDNS_API_URL": names.api_url, "POWERDNS_API_KEY": dns_key, "BCRYPT_ROUNDS": "4",
            "DNS_SERVERS": f'["127.0.0.1:{dns_port}"]', "ACME_DIRECTORY_URL": ca.directory_url,
            "ACME_CA_FILE": str(ca.ca_file), "JWT_ACCESS_EXPIRY": "12h", "RATE_LIMIT_MAX_READS": "1000000",
        }  # fmt: skip
        db = Database(url, pool_min=1, pool_max=10)
        held.push_async_callback(db.close)
        dns = PowerDNS(names.api_url, dns_key, "localhost")
        held.push_async_callback(dns.close)
        deps = Deps(
            config=RunConfig(base_domain=BASE, dns_servers=(f"127.0.0.1:{dns_port}",)), db=db, keys=KeyRing.parse(keys),
            clouds=FixedClouds(), dns=dns, acme=AcmeClient(ca.directory_url, ca_file=ca.ca_file), blueprints=None,
        )  # type: ignore[arg-type] # fmt: skip
        http = await held.enter_async_context(
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60)
        )
        made = Stack(folder=folder, environment=environment, worker=("-m", "tests.drill.worker", str(folder / LEDGER)),
                     pause=KILL_SECONDS, steps=STEPS_BETWEEN, db=db, temporal=client, deps=deps, http=http,
                     ca_log=ca.spec.log_path)  # fmt: skip
        api = await made.program("-m", "api", log="api.log")
        try:
            await answers(f"http://127.0.0.1:{port}/api/ready")
            await Operator(http).sign_in(db)
            yield made
        finally:
            await ended(*made.workers, api)
