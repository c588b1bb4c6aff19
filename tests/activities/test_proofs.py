"""Which proof a certificate is issued on, and what the row and its renewal make of it."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

import activities._proofs
from activities._proofs import challenge_for
from activities.certificates import CertificateActivities
from activities.hosts import HostActivities
from activities.renewals import RenewalActivities
from db.keyring import KeyRing
from db.models_certificates import Certificate
from db.queries import certificates
from db.session import Database
from domain.certificates import HolderKind, Renewal, RenewalCsr
from domain.challenges import Challenge
from domain.renewal import Action
from providers.acme.client import AcmeClient
from providers.dns.lookup import told_servers
from providers.errors import InvalidInput, Transient
from providers.hosts.blueprints import CHALLENGES
from providers.hosts.challenges import WELL_KNOWN
from tests.activities.edge import Edge, edge
from tests.activities.hosting import Hosting
from tests.providers.dns.servers import authority


@pytest.fixture
async def here(db: Database, keys: KeyRing, tmp_path: Path) -> AsyncIterator[Edge]:
    async with edge(db, keys, tmp_path, with_ca=False) as made:
        made.use(made.dns, made.deps.acme, ())  # the zone's own servers, and the public tree's, are asked
        yield made


def telling(*servers: str) -> Callable[[str], Awaitable[list[str]]]:
    async def told(zone: str) -> list[str]:
        if not servers:
            raise Transient("no answer")
        return list(servers)

    return told


class TestChoice:
    @pytest.mark.parametrize(
        ("told", "chosen"),
        [
            (("ns1.slipway.test", "ns9.other.test"), Challenge.DNS_01),
            (("ns1.other.test",), Challenge.HTTP_01),
            ((), Challenge.DNS_01),  # silence decides nothing
        ],
    )
    async def test_a_zone_that_the_world_asks_others_about_is_proven_on_its_host(
        self, here: Edge, monkeypatch: pytest.MonkeyPatch, told: tuple[str, ...], chosen: Challenge
    ) -> None:
        own = await here.dns.authoritative("slipway.test.")
        assert any(name.startswith("ns1.slipway.test") for name in own)
        dotted = tuple(name + ("." if own[0].endswith(".") else "") for name in told)
        monkeypatch.setattr(activities._proofs, "told_servers", telling(*dotted))
        assert await challenge_for(here.deps, [here.name]) is chosen
        # What worked is tried again before the public tree is believed.
        assert await challenge_for(here.deps, [here.name], before="dns-01", look=False) is Challenge.DNS_01

    async def test_where_no_zone_is_here_a_wildcard_is_an_operators_matter(self, here: Edge) -> None:
        assert await challenge_for(here.deps, ["shop.elsewhere.test"], asked="dns-01") is Challenge.HTTP_01
        with pytest.raises(InvalidInput, match="other name servers") as refused:
            await challenge_for(here.deps, ["shop.elsewhere.test", "*.shop.elsewhere.test"])
        assert refused.value.field == "challenge"

    async def test_a_public_tree_that_cannot_be_asked_is_silent(self) -> None:
        with pytest.raises(Transient):
            await told_servers("www.slipway.invalid")


class Served:
    """An instance on an emulated host, and a CA that fetches its answers there."""

    def __init__(self, shop: Hosting) -> None:
        self.shop = shop

    @property
    def tokens(self) -> list[str]:
        return self.shop.machine.tree.children(f"{CHALLENGES}{WELL_KNOWN.rstrip('/')}")

    async def row(self, ref: str) -> Certificate:
        async with self.shop.deps.db.begin() as session:
            return await certificates.get(session, ref)

    async def renew(self, row: Certificate) -> Certificate:
        renewals, run = RenewalActivities(self.shop.deps), ActivityEnvironment().run
        renewal = Renewal(certificate_id=str(row.id), holder_kind=HolderKind.DEPLOYMENT,
                          holder_id=self.shop.call.deployment_id, names=list(row.names),
                          action=Action.RENEW)  # fmt: skip
        made: RenewalCsr = await run(renewals.make_renewal_csr, renewal)
        tried = await run(renewals.issue_renewal, made)
        assert tried.failed is None, tried.failed
        return await self.row(tried.successor_id)


@pytest.fixture
async def served(shop: Hosting, tmp_path: Path) -> AsyncIterator[Served]:
    config = shop.deps.config
    async with authority("sandbox", tmp_path, config.dns_servers[0], http_port=config.http_port) as ca:
        shop.deps = dataclasses.replace(
            shop.deps, acme=AcmeClient(ca.directory_url, ca_file=ca.ca_file, poll_seconds=0.05)
        )
        yield Served(shop)


async def test_a_host_answers_for_its_name_before_its_site_is_there_and_in_every_renewal(served: Served) -> None:
    shop = served.shop
    shop.hosts = HostActivities(shop.deps)
    for step in (shop.hosts.await_ssh, shop.hosts.set_up_server):
        await shop.run(step)
    request = await shop.run(shop.hosts.make_csr, challenge="http-01")
    issued = await ActivityEnvironment().run(CertificateActivities(shop.deps).issue_certificate, request)
    first = await served.row(issued.certificate_id)
    assert (first.challenge, served.tokens) == ("http-01", [])
    await shop.run(shop.hosts.configure_tls)

    second = await served.renew(first)
    assert (second.challenge, second.replaces, served.tokens) == ("http-01", first.certificate_id, [])

    # A site from before it could answer is written anew, and nginx reads it.
    path = f"/etc/nginx/sites-available/{shop.slug}.conf"
    text = shop.machine.tree.text(path)
    assert CHALLENGES in text
    shop.machine.tree.write(path, text.replace("location ^~", "location /old ").replace(CHALLENGES, "/none").encode())
    third = await served.renew(second)
    assert third.challenge == "http-01"
    assert shop.machine.tree.text(path) == text
    assert served.tokens == []
    assert shop.machine.unknown == []
