"""A fleet whose certificates the CA has really issued: instances that are up, each with the certificate of its host."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

from activities._cas import account_key, rules_of
from activities._context import Deps
from db.base import new_id
from db.models import Deployment, Organization
from db.models_certificates import Certificate
from db.queries import certificates
from providers.acme.chains import Issued
from providers.dns.challenges import ChallengeSolver
from providers.errors import Transient
from tests.drill.outside import csr_of, new_key, opened

AT_ONCE = 24
TRIES = 5


async def stock(deps: Deps, ledger: Path, count: int) -> None:
    organization = new_id()
    async with deps.db.begin() as session:
        session.add(Organization(id=organization, name="Fleet", slug="fleet"))
    account, turns = await account_key(deps, deps.acme), asyncio.Semaphore(AT_ONCE)
    hosts = opened(ledger)

    async def one(number: int) -> None:
        slug, key_pem = f"c{number}", new_key()
        name = f"{slug}.{deps.config.base_domain}"
        solver = ChallengeSolver(deps.dns, deps.config.dns_servers, owner=slug, ttl=deps.config.dns_ttl)
        async with turns:
            made = await _issued(deps, account, csr_of(key_pem, [name]), solver)
        await _keep(deps, organization, slug, made)
        hosts.execute("insert into hosts values (?, ?, ?)", (name, key_pem, made.serial))

    await asyncio.gather(*map(one, range(count)))
    hosts.close()


async def _issued(deps: Deps, account: str, csr_pem: str, solver: ChallengeSolver) -> Issued:
    """Repeated as an activity is: PowerDNS on SQLite answers 500 to a change now and then."""
    for left in reversed(range(TRIES)):
        try:
            return await deps.acme.issue(account, csr_pem, solver=solver)
        except Transient:
            if not left:
                raise
            await asyncio.sleep(1)
    raise AssertionError("unreachable")


async def _keep(deps: Deps, organization: uuid.UUID, slug: str, made: Issued) -> None:
    """As if it had been asked for its window a moment ago: it is not due by itself while the drill lasts."""
    now, owner = datetime.now(UTC), new_id()
    async with deps.db.begin() as session:
        session.add(Deployment(
            id=owner, organization_id=organization, deployment_type="dedicated", tier="starter", slug=slug,
            assigned_subdomain=made.names[0], admin_email="fleet@example.com", admin_name="Fleet", status="active",
            phase="active", started_at=now, activated_at=now,
        ))  # fmt: skip
        await session.flush()
        row = Certificate(id=new_id(), deployment_id=owner, directory_url=deps.acme.directory_url,
                          failures=0, next_poll=now + timedelta(hours=12), **made.model_dump())  # fmt: skip
        certificates.plan(row, now, rules_of(deps))
        session.add(row)
