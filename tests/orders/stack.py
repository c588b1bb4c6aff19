"""What the drill runs on: PostgreSQL, Temporal, PowerDNS, the payment service, the API, and workers that are killed."""

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

from bench import stack
from db.base import new_id
from db.keyring import KeyRing
from db.models_hosting import Server
from db.models_sales import Tenant
from db.models_shop import Price, Product
from db.session import Database
from sandbox.lab import services as lab
from sandbox.lab.paths import Lab
from sandbox.stripe.records import Endpoint
from sandbox.stripe_server import StripeConfig, StripeServer
from tests.killing import ROOT, Programs, answers, ended, make_zone
from tests.operating import Operator
from tests.postgres import free_port

BASE = "slipway.test"
LEDGER = "outside.sqlite3"
WORKERS = 2
COPIES = 3
KILL_SECONDS = (10.0, 40.0)  # between two kills ...
STEPS_BETWEEN = 20  # ... and so many steps
NOBODYS_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


@dataclass(kw_only=True)
class Stack(Programs):
    db: Database
    stripe: StripeServer
    api: str
    key: str
    dns_url: str
    dns_key: str
    tenant: str
    price: str
    amount: int
    operator: Operator

    @property
    def ledger(self) -> Path:
        return self.folder / LEDGER

    async def done(self) -> int:
        async with self.db.begin() as session:
            query = text("select count(*) from job_events where state = 'done'")
            return int((await session.execute(query)).scalar_one())


async def _stock(db: Database, places: int) -> tuple[str, str, int]:
    """(tenant's slug, price's id, amount), and servers with room for all."""
    async with db.begin() as session:
        product = Product(id=new_id(), name="Web hosting", slug="web-hosting", type="hosting")
        session.add_all([product, Tenant(id=new_id(), slug="drill", name="Drill")])
        await session.flush()
        price = Price(id=new_id(), product_id=product.id, interval="month", amount_cents=995)
        session.add(price)
        for kind in ("web", "mail"):
            session.add(Server(id=new_id(), hostname=f"srv1-{kind}.{BASE}", ip_address="192.0.2.80", type=kind,
                               status="ACTIVE", host_key=NOBODYS_KEY, max_accounts=places))  # fmt: skip
    return "drill", str(price.id), price.amount_cents


@contextlib.asynccontextmanager
async def running(orders: int) -> AsyncIterator[Stack]:
    keys, dns_key, marketing, signing = (KeyRing.generate("drill"), *(secrets.token_hex(20) for _ in range(3)))
    port, dns_port, dns_api = free_port(), free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="slipway-orders-") as name, stack.database() as url:
        folder = Path(name)
        names = lab.pdns(Lab(), folder, dns_port=dns_port, api_port=dns_api, api_key=dns_key)
        endpoint = Endpoint(url=f"http://127.0.0.1:{port}/api/webhooks/stripe", secrets=[f"whsec_{signing}"],
                            copies=COPIES, shuffle=True, jitter=5, retries=[0.5] * 200)  # fmt: skip
        config = StripeConfig(state_dir=folder / "stripe", listen="127.0.0.1:0", api_keys=["sk_test_drill"],
                              webhook=endpoint)  # fmt: skip
        async with stack.temporal() as client, StripeServer(config) as stripe:
            environment = dict(os.environ) | {
                "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "LOG_LEVEL": "WARNING", "ENVIRONMENT": "development",
                "PORT": str(port), "DATABASE_URL": url, "SECRET_KEYS": keys, "JWT_SECRET": secrets.token_hex(32),
                "TEMPORAL_ADDRESS": client.service_client.config.target_host, "BASE_DOMAIN": BASE,
                "POWERDNS_API_URL": names.api_url, "POWERDNS_API_KEY": dns_key,
                "DNS_SERVERS": f'["127.0.0.1:{dns_port}"]', "MARKETING_WEBHOOK_SECRET": marketing,
                "STRIPE_WEBHOOK_SECRET": f"whsec_{signing}", "STRIPE_API_KEY": "sk_test_drill",
                "BCRYPT_ROUNDS": "4", "JWT_ACCESS_EXPIRY": "12h", "STRIPE_API_URL": stripe.url,
                "RATE_LIMIT_MAX_REQUESTS": "1000000", "RATE_LIMIT_MAX_READS": "1000000",
            }  # fmt: skip
            db = Database(url, pool_min=1, pool_max=5)
            http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60)
            tenant, price, amount = await _stock(db, orders + 10)
            made = Stack(folder=folder, environment=environment,
                         worker=("-m", "tests.orders.worker", str(folder / LEDGER)), pause=KILL_SECONDS,
                         steps=STEPS_BETWEEN, db=db, stripe=stripe, api=f"http://127.0.0.1:{port}", key=marketing,
                         dns_url=names.api_url, dns_key=dns_key, tenant=tenant, price=price, amount=amount,
                         operator=Operator(http))  # fmt: skip
            with (folder / "pdns.log").open("ab") as said:
                pdns = await asyncio.create_subprocess_exec(*names.spec.argv, stdout=said, stderr=said)
            started = [pdns, await made.program("-m", "api", log="api.log")]
            try:
                await make_zone(names.api_url, dns_key, BASE)
                await answers(f"{made.api}/api/ready")
                await made.operator.sign_in(db)
                made.workers += [await made.start_worker() for _ in range(WORKERS)]
                yield made
            finally:
                await ended(*made.workers, *started)
                await http.aclose()
                await db.close()
