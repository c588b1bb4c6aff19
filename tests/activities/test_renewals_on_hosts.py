"""A renewed certificate on its server: served in the old one's place, by the old key or a fresh one, or not at all."""

from __future__ import annotations

import uuid

import pytest
from cryptography import x509
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.renewals import RenewalActivities
from db.base import new_id
from db.models_certificates import Certificate
from domain.certificates import HolderKind, Installation, Renewal, RenewalCsr
from domain.errors import Trouble
from domain.renewal import Action
from providers.acme.csr import key_sha256
from providers.hosts import host_keys
from tests.activities.hosting import Hosting
from tests.providers.acme.requests import make_csr


def renewal_of(shop: Hosting, *, fresh_key: bool = False) -> Renewal:
    return Renewal(certificate_id=str(uuid.uuid4()), holder_kind=HolderKind.DEPLOYMENT,
                   holder_id=shop.call.deployment_id, names=[shop.fqdn], action=Action.RENEW,
                   fresh_key=fresh_key)  # fmt: skip


async def signed(shop: Hosting, made: RenewalCsr) -> Installation:
    """What the CA answers, as a row."""
    chain = shop.authority.sign(made.csr_pem)
    leaf = x509.load_pem_x509_certificate(chain.encode())
    row = Certificate(
        id=new_id(), deployment_id=uuid.UUID(shop.call.deployment_id), names=[shop.fqdn],
        serial=f"{leaf.serial_number:x}", issuer="Test root", not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc, chain_pem=chain, key_sha256=key_sha256(leaf.public_key()),
        directory_url="https://ca.test",
    )  # fmt: skip
    async with shop.deps.db.begin() as session:
        session.add(row)
    return Installation(renewal=made.renewal, certificate_id=str(row.id))


@pytest.fixture
async def up(shop: Hosting) -> Hosting:
    await shop.provisioned()
    return shop


async def test_the_new_one_is_served_with_the_key_that_stays_and_the_old_one_can_come_back(up: Hosting) -> None:
    renewals, run = RenewalActivities(up.deps), ActivityEnvironment().run
    key_file = f"/etc/slipway/tls/{up.fqdn}/key.pem"
    key = up.machine.tree.text(key_file)
    first = await signed(up, await run(renewals.make_renewal_csr, renewal_of(up)))
    with pytest.raises(ApplicationError, match="instead of") as unseen:
        await run(renewals.verify_renewal, first)
    assert unseen.value.type == Trouble.UNHEALTHY
    for _ in range(2):
        await run(renewals.install_renewal, first)
    await run(renewals.verify_renewal, first)
    second = await signed(up, await run(renewals.make_renewal_csr, renewal_of(up)))
    await run(renewals.install_renewal, second)
    await run(renewals.verify_renewal, second)
    await run(renewals.install_renewal, first)
    await run(renewals.verify_renewal, first)
    assert up.machine.tree.text(key_file) == key
    assert up.machine.unknown == []


async def test_a_fresh_key_takes_the_old_ones_place_with_its_certificate(up: Hosting) -> None:
    renewals, run = RenewalActivities(up.deps), ActivityEnvironment().run
    key_file = f"/etc/slipway/tls/{up.fqdn}/key.pem"
    key = up.machine.tree.text(key_file)
    made = await run(renewals.make_renewal_csr, renewal_of(up, fresh_key=True))
    assert up.machine.tree.text(key_file) == key
    assert await run(renewals.make_renewal_csr, renewal_of(up, fresh_key=True)) != made  # another signature
    there = await signed(up, made)
    for _ in range(2):
        await run(renewals.install_renewal, there)
        await run(renewals.verify_renewal, there)
    assert up.machine.tree.text(key_file) != key
    for left in (host_keys.next_of(key_file), host_keys.old_of(key_file)):
        assert up.machine.tree.find(left, follow=False) is None


async def test_where_nginx_refuses_the_old_chain_and_key_are_back(up: Hosting) -> None:
    renewals, run = RenewalActivities(up.deps), ActivityEnvironment().run
    folder = f"/etc/slipway/tls/{up.fqdn}"
    before = {name: up.machine.tree.text(f"{folder}/{name}") for name in ("key.pem", "chain.pem")}
    there = await signed(up, await run(renewals.make_renewal_csr, renewal_of(up, fresh_key=True)))
    site = f"/etc/nginx/sites-enabled/{up.slug}-other.conf"
    up.machine.tree.write(site, b"server { listen 443 ssl; oops }\n")
    with pytest.raises(ApplicationError, match="the old one was restored"):
        await run(renewals.install_renewal, there)
    assert {name: up.machine.tree.text(f"{folder}/{name}") for name in before} == before
    up.machine.tree.remove(site)
    await run(renewals.install_renewal, there)
    await run(renewals.verify_renewal, there)


async def test_a_certificate_for_another_key_is_refused(up: Hosting) -> None:
    renewals, run = RenewalActivities(up.deps), ActivityEnvironment().run
    foreign = await signed(up, RenewalCsr(renewal=renewal_of(up), csr_pem=make_csr(up.fqdn)))
    with pytest.raises(ApplicationError, match="another key") as refused:
        await run(renewals.install_renewal, foreign)
    assert refused.value.non_retryable
