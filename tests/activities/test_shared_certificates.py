"""An uploaded certificate in its place: served with the key that came with it, and never signed for by our own CA."""

from __future__ import annotations

import dataclasses
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, update
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.renewal_records import RenewalRecordActivities
from activities.renewals import RenewalActivities
from activities.shared_certificates import SharedCertificateActivities
from db.base import new_id
from db.models import Deployment
from db.models_certificates import Certificate, SharedCertificate
from db.queries import shared_certificates
from domain.certificates import HolderKind, Installation, Renewal, RenewalCall, RenewalEnd
from domain.renewal import Action
from providers.acme.client import AcmeClient
from providers.acme.csr import facts
from providers.acme.pairs import read_pair
from providers.hosts import host_keys
from tests.activities.hosting import Hosting
from tests.providers.acme.bought import Bought, Seller

DAY = timedelta(days=1)


class Shop:
    """An instance that is up with a certificate of its own, where uploads are allowed."""

    def __init__(self, up: Hosting, seller: Seller) -> None:
        self.up, self.seller = up, seller
        self.deps = dataclasses.replace(
            up.deps, config=up.deps.config.model_copy(update={"shared_keys": True}), acme=AcmeClient("https://ours.test")
        )  # fmt: skip
        self.renewals, self.shared = RenewalActivities(self.deps), SharedCertificateActivities(self.deps)
        self.records = RenewalRecordActivities(self.deps)
        self.run = ActivityEnvironment().run
        self.key_file = f"/etc/slipway/tls/{up.fqdn}/key.pem"

    async def own(self) -> Certificate:
        """The row of its own certificate, not due."""
        now, owner = datetime.now(UTC), uuid.UUID(self.up.call.deployment_id)
        row = Certificate(
            id=new_id(), deployment_id=owner, names=[self.up.fqdn], serial=uuid.uuid4().hex, issuer="CN=own",
            not_before=now - DAY, not_after=now + 89 * DAY, chain_pem="", key_sha256="", directory_url="https://ca.test",
            renew_after=now + 50 * DAY, next_action="renew",
        )  # fmt: skip
        async with self.deps.db.begin() as session:
            await session.execute(update(Deployment).where(Deployment.id == owner).values(activated_at=func.now()))
            session.add(row)
        return row

    async def upload(self, bought: Bought, row: Certificate) -> SharedCertificate:
        pair = read_pair(bought.chain_pem, bought.key_pem, [self.seller.root], datetime.now(UTC))
        async with self.deps.db.begin() as session:
            made = await shared_certificates.keep(session, self.deps.keys, pair, "ada")
            shared_certificates.give(made, await session.get_one(Certificate, row.id), datetime.now(UTC))
        return made

    async def withdraw(self, made: SharedCertificate) -> None:
        async with self.deps.db.begin() as session:
            row = await shared_certificates.usable(session, made.id)
            await shared_certificates.withdraw(session, row, datetime.now(UTC))

    async def begin(self, row: Certificate) -> Renewal:
        renewal = await self.run(self.records.begin_renewal, RenewalCall(certificate_id=str(row.id)))
        assert renewal is not None
        return renewal

    async def put(self, renewal: Renewal) -> Certificate:
        """As the workflow does. The look from outside trusts another root here, so the leaf alone is looked at."""
        tried = await self.run(self.shared.bring_shared_certificate, renewal)
        made = Installation(renewal=renewal, certificate_id=tried.successor_id)
        await self.run(self.renewals.install_renewal, made)
        end = RenewalEnd(renewal=renewal, at=datetime.now(UTC), successor_id=tried.successor_id)
        await self.run(self.records.end_renewal, end)
        async with self.deps.db.begin() as session:
            return await session.get_one(Certificate, uuid.UUID(tried.successor_id))

    def key(self) -> str | None:
        return self.up.machine.tree.text(self.key_file)

    def beside(self) -> object:
        return self.up.machine.tree.find(host_keys.next_of(self.key_file), follow=False)


@pytest.fixture
async def shop(shop: Hosting) -> Shop:
    await shop.provisioned()
    return Shop(shop, Seller())


async def test_it_is_served_with_its_key_and_what_served_before_rests(shop: Shop) -> None:
    row, bought = await shop.own(), shop.seller.sell(shop.up.fqdn)
    made = await shop.upload(bought, row)
    renewal = await shop.begin(row)
    assert (renewal.shared_id, renewal.action, renewal.old_serves) == (str(made.id), Action.RENEW, False)
    placed = await shop.put(renewal)
    assert shop.key() == bought.key_pem
    assert shop.beside() is None
    chain = f"/etc/slipway/tls/{shop.up.fqdn}/chain.pem"
    assert shop.up.machine.tree.text(chain) == bought.chain_pem
    assert (placed.shared_id, placed.directory_url, placed.next_action) == (made.id, "", "renew")
    assert placed.renew_after is not None
    assert placed.renew_after > datetime.now(UTC) + 100 * DAY
    async with shop.deps.db.begin() as session:
        assert (await session.get_one(Certificate, row.id)).superseded_at is not None
    assert shop.up.machine.unknown == []


async def test_a_try_that_broke_off_makes_no_second_row(shop: Shop) -> None:
    row = await shop.own()
    await shop.upload(shop.seller.sell(shop.up.fqdn), row)
    renewal = await shop.begin(row)
    first = await shop.run(shop.shared.bring_shared_certificate, renewal)
    assert await shop.run(shop.shared.bring_shared_certificate, renewal) == first


async def test_the_key_of_one_that_never_came_into_use_is_not_taken_for_a_fresh_one(shop: Shop) -> None:
    row, bought = await shop.own(), shop.seller.sell(shop.up.fqdn)
    made = await shop.upload(bought, row)
    await shop.run(shop.shared.bring_shared_certificate, await shop.begin(row))
    assert shop.beside() is not None
    fresh = Renewal(certificate_id=str(row.id), holder_kind=HolderKind.DEPLOYMENT, action=Action.RENEW, fresh_key=True,
                    holder_id=shop.up.call.deployment_id, names=[shop.up.fqdn])  # fmt: skip
    csr = await shop.run(shop.renewals.make_renewal_csr, fresh)
    assert facts(csr.csr_pem).key_sha256 != made.key_sha256


async def test_the_renewal_of_an_uploaded_one_is_for_a_key_that_was_made_there(shop: Shop) -> None:
    row, bought = await shop.own(), shop.seller.sell(f"*.{shop.up.fqdn.partition('.')[2]}")
    made = await shop.upload(bought, row)
    placed = await shop.put(await shop.begin(row))
    renewal = await shop.run(shop.records.begin_renewal, RenewalCall(certificate_id=str(placed.id), forced=True))
    assert renewal is not None
    # A wildcard that was bought is no reason to ask our CA for one.
    assert (renewal.fresh_key, renewal.shared_id, renewal.names) == (True, "", [shop.up.fqdn])
    for fresh in (True, False):  # also where the row does not tell, as after an installation that was not seen
        asked = renewal.model_copy(update={"fresh_key": fresh})
        csr = await shop.run(shop.renewals.make_renewal_csr, asked)
        assert facts(csr.csr_pem).key_sha256 != made.key_sha256
    assert shop.key() == bought.key_pem


async def test_a_withdrawn_one_is_not_put_anywhere(shop: Shop) -> None:
    row = await shop.own()
    made = await shop.upload(shop.seller.sell(shop.up.fqdn), row)
    renewal, key = await shop.begin(row), shop.key()
    await shop.withdraw(made)
    with pytest.raises(ApplicationError, match="withdrawn"):
        await shop.run(shop.shared.bring_shared_certificate, renewal)
    assert (shop.key(), shop.beside()) == (key, None)
    # Nothing else is due for the place, and it says so.
    assert await shop.run(shop.records.begin_renewal, RenewalCall(certificate_id=str(row.id))) is None


async def test_one_that_is_withdrawn_while_it_is_brought_is_replaced_as_soon_as_it_is_served(shop: Shop) -> None:
    row = await shop.own()
    made = await shop.upload(shop.seller.sell(shop.up.fqdn), row)
    renewal = await shop.begin(row)
    tried = await shop.run(shop.shared.bring_shared_certificate, renewal)
    await shop.withdraw(made)
    end = RenewalEnd(renewal=renewal, at=datetime.now(UTC), successor_id=tried.successor_id)
    await shop.run(shop.records.end_renewal, end)
    follows = await shop.run(shop.records.begin_renewal, RenewalCall(certificate_id=tried.successor_id))
    assert follows is not None
    assert (follows.fresh_key, follows.shared_id) == (True, "")


async def test_one_that_does_not_cover_what_is_served_by_now_is_refused_by_name(shop: Shop) -> None:
    row = await shop.own()
    await shop.upload(shop.seller.sell("elsewhere.example.nl"), row)
    with pytest.raises(ApplicationError, match=f"not for {shop.up.fqdn}"):
        await shop.run(shop.shared.bring_shared_certificate, await shop.begin(row))
    assert shop.beside() is None


async def test_where_shared_keys_are_switched_off_none_is_brought(shop: Shop) -> None:
    row = await shop.own()
    await shop.upload(shop.seller.sell(shop.up.fqdn), row)
    with pytest.raises(ApplicationError, match="SHARED_KEYS"):
        await shop.run(SharedCertificateActivities(shop.up.deps).bring_shared_certificate, await shop.begin(row))
    assert shop.beside() is None


async def test_where_time_is_short_and_it_failed_again_and_again_our_own_ca_is_asked(shop: Shop) -> None:
    row = await shop.own()
    await shop.upload(shop.seller.sell(shop.up.fqdn), row)
    now = datetime.now(UTC)
    for failures, brought in ((2, True), (4, False)):
        async with shop.deps.db.begin() as session:
            await session.execute(update(Certificate).where(Certificate.id == row.id).values(
                not_before=now - 85 * DAY, not_after=now + 5 * DAY, failures=failures, failure_kind="ours",
                failed_at=now - DAY))  # fmt: skip
        renewal = await shop.begin(row)
        assert renewal.action is Action.EMERGENCY
        assert (renewal.shared_id != "") is brought
