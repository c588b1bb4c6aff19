"""A deployment whose server is an emulated host, with the name server that tells its address."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cryptography import x509
from sqlalchemy import select
from temporalio.testing import ActivityEnvironment

from activities._context import Deps
from activities.health import HealthActivities
from activities.hosts import HostActivities
from activities.records import RecordActivities
from db import secrets
from db.base import new_id
from db.keyring import KeyRing
from db.models import Deployment, DeploymentEvent, Organization, VpsInstance
from db.models_certificates import Certificate
from db.queries.runs import RunFacts, load
from db.session import Database
from domain.config import RunConfig
from domain.provisioning import CertificateRequest, RunInputs, StepCall
from providers.dns.powerdns import PowerDNS
from providers.hosts.cloud_init import user_data
from sandbox.dns_server import DnsConfig, DnsServer
from sandbox.hosts.driver import HostSpec
from sandbox.hosts.emulated import EmulatedDriver
from sandbox.hosts.emulated.machine import Machine
from tests.clouds import FixedClouds
from tests.journal import no_events
from tests.providers.hosts.conftest import BLUEPRINTS, POOL, Authority

ZONE = "recruitiq.test"
PASSWORD = "the-first-password-of-Ada"


class Hosting:
    def __init__(self, deps: Deps, driver: EmulatedDriver, authority: Authority, slug: str) -> None:
        self.deps, self.driver, self.authority, self.slug = deps, driver, authority, slug
        self.hosts, self.health = HostActivities(deps), HealthActivities(deps)
        self.call = StepCall(deployment_id="")
        self.host_name = f"{slug}-vps-1"

    @property
    def machine(self) -> Machine:
        return self.driver.machine(self.host_name)

    @property
    def fqdn(self) -> str:
        return f"{self.slug}.{ZONE}"

    async def open(self) -> None:
        deps = self.deps
        async with deps.db.begin() as session:
            organization = Organization(id=new_id(), name=f"Firm {self.slug}", slug=self.slug)
            session.add(organization)
            await session.flush()
            row = Deployment(
                id=new_id(), organization_id=organization.id, deployment_type="dedicated", tier="starter",
                slug=self.slug, assigned_subdomain=self.fqdn, admin_email="ada@example.com", admin_name="Ada",
            )  # fmt: skip
            session.add(row)
            await session.flush()
            await secrets.ensure(session, deps.keys, "admin-password", lambda: PASSWORD, deployment_id=row.id)
        self.call = StepCall(deployment_id=str(row.id))
        batch = no_events(self.call.deployment_id)
        await ActivityEnvironment().run(RecordActivities(deps).reserve, self.call, batch)
        facts = await self.facts()
        async with deps.db.begin() as session:
            host_key = await secrets.read(session, deps.keys, "host-key", vps_id=facts.server.id)
            vps = await session.get_one(VpsInstance, facts.server.id)
            vps.vps_ip = await self.driver.reserve_address()
        assert host_key is not None
        assert facts.server.host_key is not None
        document = user_data(hostname=self.host_name, authorized_key=facts.server.specs["ssh_public_key"],
                             host_private_key=host_key, host_public_key=facts.server.host_key)  # fmt: skip
        spec = HostSpec(name=self.host_name, address=vps.vps_ip, hostname=self.host_name, user_data=document)
        await self.driver.create(spec)
        await self.driver.start(self.host_name)
        await deps.dns.publish(self.fqdn, "A", [vps.vps_ip], ttl=60, owner=self.call.deployment_id)

    async def run(self, activity: Any, **inputs: Any) -> Any:
        """One try of an activity, as a worker would make it."""
        call = self.call.model_copy(update={"inputs": RunInputs(**inputs)})
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(environment.info, activity_id=uuid.uuid4().hex)
        return await environment.run(activity, call)

    async def issue(self, request: CertificateRequest) -> None:
        chain = self.authority.sign(request.csr_pem)
        leaf = x509.load_pem_x509_certificate(chain.encode())
        async with self.deps.db.begin() as session:
            session.add(Certificate(
                id=new_id(), deployment_id=uuid.UUID(self.call.deployment_id), names=[self.fqdn],
                serial=f"{leaf.serial_number:x}", issuer="Test root", not_before=leaf.not_valid_before_utc,
                not_after=leaf.not_valid_after_utc, chain_pem=chain, key_sha256="", directory_url="https://ca.test",
            ))  # fmt: skip

    async def provisioned(self) -> None:
        """Steps 1 to 6, in the order of the runbook."""
        await self.run(self.hosts.await_ssh)
        await self.run(self.hosts.set_up_server)
        await self.run(self.hosts.transfer_files)
        await self.run(self.hosts.write_env)
        await self.run(self.hosts.start_services)
        await self.run(self.hosts.run_migrations)
        await self.issue(await self.run(self.hosts.make_csr))
        await self.run(self.hosts.configure_tls)

    async def facts(self) -> RunFacts:
        async with self.deps.db.begin() as session:
            return await load(session, self.call.deployment_id)

    async def lines(self, step: str = "") -> list[str]:
        async with self.deps.db.begin() as session:
            found = await session.execute(
                select(DeploymentEvent.message)
                .where(DeploymentEvent.deployment_id == uuid.UUID(self.call.deployment_id))
                .where(DeploymentEvent.step == step if step else DeploymentEvent.kind == "log")
                .order_by(DeploymentEvent.position)
            )
            return list(found.scalars())


@asynccontextmanager
async def hosting(db: Database, keys: KeyRing, authority: Authority, folder: Path) -> AsyncIterator[Hosting]:
    driver = EmulatedDriver(folder / "hosts", address_pool=POOL)
    await driver.open()
    settings = DnsConfig(api="127.0.0.1:0", api_key="key", dns=["127.0.0.1:0"], state=folder / "dns" / "zones.sqlite")
    async with DnsServer(settings) as server:
        dns = PowerDNS(server.api_url, "key")
        await dns.ensure_zone(ZONE, nameservers=["ns1.recruitiq.test."])
        config = RunConfig(
            base_domain=ZONE, registry="registry.test:5000", registry_username="robot",
            registry_password="registry-pass-word", ssh_port=driver.ports.ssh, http_port=driver.ports.http,
            https_port=driver.ports.https, dns_servers=tuple(server.dns), trust_file=str(authority.file),
        )  # fmt: skip
        deps = Deps(config=config, db=db, keys=keys, clouds=FixedClouds(), dns=dns, acme=None, blueprints=BLUEPRINTS)  # type: ignore[arg-type]
        made = Hosting(deps, driver, authority, f"h{uuid.uuid4().hex[:8]}")
        await made.open()
        yield made
        await dns.close()
    await driver.close()
