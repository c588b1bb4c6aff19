"""A deployment with its rows, a name server and a CA: what the activities for names and certificates work on."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from temporalio.testing import ActivityEnvironment

from activities._context import Deps
from activities.certificates import CertificateActivities
from activities.names import NameActivities
from db.base import new_id
from db.keyring import KeyRing
from db.models import Deployment, Organization, VpsInstance
from db.session import Database
from domain.config import RunConfig
from domain.provisioning import CertificateRequest, StepCall
from providers.acme.client import AcmeClient
from providers.dns.powerdns import PowerDNS
from tests.clouds import FixedClouds
from tests.providers.acme.requests import make_csr
from tests.providers.dns.servers import Ca, NameServer, authority, name_server

ADDRESS = "192.0.2.10"


class Edge:
    def __init__(self, db: Database, keys: KeyRing, server: NameServer, ca: Ca | None = None) -> None:
        self.server = server
        self.db = db
        self.keys = keys
        self.dns = server.client()
        directory, trust = (ca.directory_url, ca.ca_file) if ca else ("https://127.0.0.1:9/dir", None)
        self.use(self.dns, AcmeClient(directory, ca_file=trust, poll_seconds=0.05), (server.dns,))
        self.heartbeats: list[Any] = []

    def use(self, dns: PowerDNS, acme: AcmeClient, servers: tuple[str, ...]) -> None:
        config = RunConfig(base_domain="slipway.test", dns_servers=servers, dns_ttl=60)
        self.deps = Deps(
            config=config, db=self.db, keys=self.keys, clouds=FixedClouds(), dns=dns, acme=acme, blueprints=None
        )  # type: ignore[arg-type]
        self.names = NameActivities(self.deps)
        self.certificates = CertificateActivities(self.deps)

    async def open(self, address: str | None = ADDRESS) -> None:
        slug = f"s{uuid.uuid4().hex[:10]}"
        self.name = f"{slug}.slipway.test"
        async with self.db.begin() as session:
            organization = Organization(id=new_id(), name=slug, slug=slug)
            vps = VpsInstance(id=new_id(), vps_name=f"{slug}-vps-1", vps_ip=address, provider_type="transip")
            session.add_all([organization, vps])
            await session.flush()
            row = Deployment(
                id=new_id(), organization_id=organization.id, deployment_type="dedicated", tier="starter", slug=slug,
                assigned_subdomain=self.name, admin_email="a@example.com", admin_name="A", vps_id=vps.id,
            )  # fmt: skip
            session.add(row)
        self.id = str(row.id)
        self.call = StepCall(deployment_id=self.id)

    def request(self, csr_pem: str | None = None, **inputs: Any) -> CertificateRequest:
        call = CertificateRequest(deployment_id=self.id, csr_pem=csr_pem or make_csr(self.name))
        return call.model_copy(update={"inputs": call.inputs.model_copy(update=inputs)})

    async def run(self, activity: Any, argument: Any = None) -> Any:
        env = ActivityEnvironment()
        env.on_heartbeat = lambda *details: self.heartbeats.append(details)
        return await env.run(activity, argument or self.call)


@contextlib.asynccontextmanager
async def edge(db: Database, keys: KeyRing, folder: Path, *, with_ca: bool) -> AsyncIterator[Edge]:
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(name_server("sandbox", folder))
        ca = await stack.enter_async_context(authority("sandbox", folder, server.dns)) if with_ca else None
        made = Edge(db, keys, server, ca)
        await made.open()
        yield made
        await made.dns.close()
        await asyncio.sleep(0)
