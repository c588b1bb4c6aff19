"""The house's default certificate on a real web server: a new site below it is served at once, and no CA is asked."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography import x509
from sqlalchemy import delete, select
from temporalio.testing import ActivityEnvironment

from activities._context import Deps
from activities._renewing import Holder
from activities._shared_keys import SharedKeys
from activities.hosting import HostingActivities, account_of
from activities.site_certificates import SiteCertificateActivities
from db.keyring import KeyRing
from db.models_certificates import Certificate, SharedCertificate
from db.models_hosting import HostingAccount
from db.queries import certificates, delivery, house_servers, jobs, shared_certificates
from db.session import Database
from domain.certificates import HolderKind
from domain.config import RunConfig
from domain.fulfilment import JobCall, SiteCsr
from domain.provisioning import CertificateIssued
from domain.sales import JobType
from providers.acme.client import AcmeClient
from providers.acme.csr import key_sha256
from providers.acme.pairs import read_pair
from providers.hosts import host_keys
from tests.providers.acme.bought import Bought, Seller
from tests.providers.hosting.conftest import WebServer, driver, server
from tests.standing import delivered

__all__ = ["driver", "server"]

pytestmark = [pytest.mark.lab, pytest.mark.slow]


class Site:
    """An account on a real host, as its fulfilment has it before the certificate."""

    def __init__(self, db: Database, keys: KeyRing, web: WebServer) -> None:
        self.db, self.keys, self.web, self.seller = db, keys, web, Seller()
        nobody = AcmeClient("https://127.0.0.1:9/dir")  # a CA that is down: nothing here may need one
        self.deps = Deps(config=RunConfig(base_domain="slipway.test", shared_keys=True), db=db, keys=keys, dns=None,
                         acme=nobody, blueprints=None, clouds=None)  # type: ignore[arg-type] # fmt: skip
        self.run = ActivityEnvironment().run

    async def place(self) -> None:
        placed = await delivered(self.db, mail=False)
        self.ref = placed.subscription.id
        async with self.db.begin() as session:
            row = await house_servers.register(
                session, self.keys, self.web.target.private_key, hostname=f"web-{self.ref}.test",
                ip_address=self.web.target.address, type="web", status="ACTIVE", ssh_port=self.web.target.port,
                ssh_user="root", host_key=self.web.target.host_key)  # fmt: skip
            account = (await session.execute(select(HostingAccount).where(
                HostingAccount.subscription_id == self.ref))).scalar_one()  # fmt: skip
            account.server_id = row.id
            job = await jobs.request(session, self.ref, JobType.CHANGE_LIMITS, reason="", requested_by="ada")
        assert job is not None
        self.call = JobCall(job_id=str(job.id), subscription_id=str(self.ref))
        self.hosting, self.issuing = HostingActivities(self.deps), SiteCertificateActivities(self.deps)
        await self.run(self.hosting.create_account, self.call)
        await self.run(self.hosting.create_site, self.call)
        async with self.db.begin() as session:
            self.account = account_of(await delivery.load(session, self.ref))

    async def bring(self, bought: Bought) -> SharedCertificate:
        pair = read_pair(bought.chain_pem, bought.key_pem, [self.seller.root], datetime.now(UTC))
        async with self.db.begin() as session:
            row = await shared_certificates.keep(session, self.keys, pair, "ada")
            await shared_certificates.make_default(session, row)
        return row

    async def issue(self) -> CertificateIssued:
        request: SiteCsr = await self.run(self.hosting.make_site_csr, self.call)
        issued: CertificateIssued = await self.run(self.issuing.issue_site_certificate, request)
        return issued

    async def served(self) -> str:
        """The digest of the public key that a visitor meets."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the leaf alone is looked at
        name = self.account.domains[0]
        _, writer = await asyncio.open_connection(
            self.web.target.address, 443, ssl=context, server_hostname=name
        )  # fmt: skip
        leaf = x509.load_der_x509_certificate(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
        writer.close()
        return key_sha256(leaf.public_key())


@pytest.fixture
async def site(db: Database, keys: KeyRing, server: WebServer) -> AsyncIterator[Site]:
    made = Site(db, keys, server)
    await made.place()
    yield made
    async with db.begin() as session:
        await session.execute(delete(Certificate).where(Certificate.subscription_id == made.ref))
        await session.execute(delete(SharedCertificate))


async def test_a_site_that_it_covers_is_served_by_it_without_a_ca(site: Site) -> None:
    name = site.account.domains[0]
    row = await site.bring(site.seller.sell(name, f"*.{name}"))
    issued = await site.issue()
    assert await site.issue() == issued  # a lost answer makes no second row
    for _ in range(2):
        await site.run(site.hosting.configure_site_tls, site.call)
    assert await site.served() == row.key_sha256
    async with site.web.enter() as host:
        mode = await host.run(["stat", "-c", "%a %U", site.account.key_file])
        assert mode.stdout.split() == ["600", "root"]
        for left in (host_keys.next_of(site.account.key_file), host_keys.old_of(site.account.key_file)):
            assert not await host.exists(left)
    async with site.db.begin() as session:
        made = await certificates.get(session, issued.certificate_id)
    assert (made.shared_id, made.next_action) == (row.id, "renew")


async def test_none_is_given_to_a_site_that_it_does_not_cover_or_where_keys_are_switched_off(site: Site) -> None:
    await site.bring(site.seller.sell("*.elsewhere.example"))
    off = replace(site.deps, config=site.deps.config.model_copy(update={"shared_keys": False}))
    holder, names = Holder(HolderKind.SUBSCRIPTION, site.ref), site.account.domains
    assert await SharedKeys(site.deps).default_for_site(site.web.story.say, holder, names) is None
    assert await SharedKeys(off).default_for_site(site.web.story.say, holder, ["a.elsewhere.example"]) is None
    async with site.db.begin() as session:
        assert await certificates.to_install(session, site.ref) is None
