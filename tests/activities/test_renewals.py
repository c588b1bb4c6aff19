"""A renewal at a CA: its predecessor named, an open order gone on with, its limits kept, its windows asked for."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities._cas import account_key
from activities.renewal_records import RenewalRecordActivities
from activities.renewals import RenewalActivities
from activities.windows import WindowActivities
from db.keyring import KeyRing
from db.models import Deployment
from db.models_certificates import CaBucket, Certificate, CertificateOrder
from db.queries import certificates, shared_certificates
from db.session import Database
from domain import ca_catalogue
from domain.ca_limits import LETS_ENCRYPT, Bucket, CaLimit
from domain.certificate_pairs import CertificatePair
from domain.certificates import HolderKind, Renewal, RenewalCall, RenewalCsr, RenewalEnd, Tried
from domain.errors import Trouble
from domain.renewal import Action
from domain.renewal_retries import FailureKind
from providers.acme.authorities import Authorities, Authority, Role
from providers.acme.client import AcmeClient
from providers.acme.csr import facts
from providers.dns.powerdns import PowerDNS
from tests.activities.edge import Edge
from tests.providers.acme.lists import listing_ca, serial_of
from tests.providers.acme.requests import make_csr
from tests.providers.dns.servers import Ca, authority, http, name_server

DAY = timedelta(days=1)
WEEK = timedelta(days=7)


class Shop(Edge):
    ca: Ca

    async def served(self) -> Certificate:
        """An instance that is up, with a certificate of this CA."""
        await self.open()
        self.csr = make_csr(self.name)
        await self.run(self.certificates.issue_certificate, self.request(self.csr))
        async with self.db.begin() as session:
            await session.execute(
                update(Deployment).where(Deployment.id == uuid.UUID(self.id)).values(activated_at=func.now())
            )
            return (
                await session.execute(select(Certificate).where(Certificate.deployment_id == uuid.UUID(self.id)))
            ).scalar_one()

    async def kept(self, row: Certificate) -> Certificate:
        async with self.db.begin() as session:
            return await session.get_one(Certificate, row.id)

    async def change(self, row: Certificate, **columns: Any) -> None:
        async with self.db.begin() as session:
            await session.execute(update(Certificate).where(Certificate.id == row.id).values(**columns))

    async def renew(self, row: Certificate, csr: str | None = None, action: Action = Action.RENEW) -> Tried:
        renewal = Renewal(certificate_id=str(row.id), holder_kind=HolderKind.DEPLOYMENT, holder_id=self.id,
                          names=list(row.names), action=action)  # fmt: skip
        call = RenewalCsr(renewal=renewal, csr_pem=csr or self.csr)
        tried: Tried = await self.run(RenewalActivities(self.deps).issue_renewal, call)
        return tried

    async def poll(self) -> int:
        polled: int = await ActivityEnvironment().run(WindowActivities(self.deps).poll_windows)
        return polled

    async def told(self, where: str, **fields: Any) -> None:
        async with http(self.ca) as asking:
            (await asking.post(f"{self.ca.management_url}/_sandbox/{where}", json=fields)).raise_for_status()


@pytest.fixture
async def shop(db: Database, keys: KeyRing, tmp_path: Path) -> AsyncIterator[Shop]:
    async with name_server("sandbox", tmp_path) as server, authority("sandbox", tmp_path, server.dns) as ca:
        made = Shop(db, keys, server, ca)
        made.ca = ca
        async with db.begin() as session:  # other tests' rows are not this CA's business
            await session.execute(
                update(Certificate).values(renew_after=None, next_action="", superseded_at=func.now())
            )
        yield made
        await made.dns.close()


def limited(monkeypatch: pytest.MonkeyPatch, ca: Ca, **counts: int) -> None:
    limits = {CaLimit(name): Bucket(count, WEEK) for name, count in counts.items()}
    monkeypatch.setitem(ca_catalogue.DIRECTORIES, ca.directory_url, limits)


class TestAtTheCa:
    async def test_the_predecessor_is_named_and_the_successor_has_no_plan_until_it_is_served(self, shop: Shop) -> None:
        row = await shop.served()
        tried = await shop.renew(row)
        async with shop.db.begin() as session:
            made = await certificates.get(session, tried.successor_id)
        assert made.replaces == row.certificate_id != ""
        assert (made.renews_id, made.renew_after, made.key_sha256) == (row.id, None, row.key_sha256)
        assert (await shop.kept(row)).superseded_at is None

    async def test_nothing_is_issued_at_first_for_a_key_that_was_uploaded(self, shop: Shop) -> None:
        await shop.open()
        csr, now = make_csr(shop.name), datetime.now(UTC)
        pair = CertificatePair(names=[shop.name], serial="1", issuer="CN=Seller", not_before=now, not_after=now + DAY,
                               chain_pem="", key_sha256=facts(csr).key_sha256, key_type="", key_pem="k")  # fmt: skip
        async with shop.db.begin() as session:
            await shared_certificates.keep(session, shop.deps.keys, pair, "ada")
        with pytest.raises(ApplicationError, match="was uploaded"):
            await shop.run(shop.certificates.issue_certificate, shop.request(csr))

    async def test_one_that_was_issued_and_not_served_yet_is_used_and_costs_no_order(self, shop: Shop) -> None:
        row = await shop.served()
        first = await shop.renew(row)
        assert await shop.renew(row) == first
        fresh = await shop.renew(row, make_csr(shop.name))
        assert fresh.successor_id not in ("", first.successor_id)

    async def test_a_try_that_broke_off_goes_on_with_its_order(self, shop: Shop) -> None:
        row = await shop.served()
        await shop.told("faults", path="/finalize", methods=["POST"], status=503, kind="serverInternal", times=50)
        tried = await shop.renew(row)
        assert tried.failed is not None
        assert tried.failed.kind is FailureKind.CA_DOWN
        async with shop.db.begin() as session:
            open_order = await certificates.open_order(session, uuid.UUID(shop.id), shop.ca.directory_url)
        assert open_order is not None
        async with http(shop.ca) as asking:
            await asking.delete(f"{shop.ca.management_url}/_sandbox/faults")
        done = await shop.renew(row)
        async with shop.db.begin() as session:
            made = await certificates.get(session, done.successor_id)
            left = (await session.execute(select(CertificateOrder))).scalars().all()
        assert made.replaces == row.certificate_id  # another order could not have named it
        assert [one for one in left if one.holder_id == uuid.UUID(shop.id)] == []

    async def test_a_ca_that_is_down_is_a_failure_by_its_kind(self, shop: Shop) -> None:
        row = await shop.served()
        shop.use(shop.dns, AcmeClient("https://127.0.0.1:9/dir"), (shop.server.dns,))
        tried = await shop.renew(row)
        assert tried.failed is not None
        assert (tried.failed.kind, tried.successor_id) == (FailureKind.CA_DOWN, "")

    async def test_a_name_server_that_is_down_is_ours(self, shop: Shop) -> None:
        row = await shop.served()
        gone = PowerDNS("http://127.0.0.1:9/api/v1", "key")
        shop.use(gone, shop.deps.acme, (shop.server.dns,))
        tried = await shop.renew(row)
        await gone.close()
        assert tried.failed is not None
        assert tried.failed.kind is FailureKind.OURS

    async def test_a_rehearsal_is_held_at_the_staging_ca_and_keeps_nothing(self, shop: Shop) -> None:
        row = await shop.served()
        staging = Authority(directory_url=shop.ca.directory_url, ca_file=shop.ca.ca_file)
        shop.deps = dataclasses.replace(shop.deps, authorities=Authorities({Role.STAGING: staging}, poll_seconds=0.05))
        assert await shop.renew(row, action=Action.REHEARSE) == Tried()
        async with shop.db.begin() as session:
            assert await certificates.successor(session, row) is None

    async def test_a_second_ca_that_was_taken_away_meanwhile_is_named(self, shop: Shop) -> None:
        tried = await shop.renew(await shop.served(), action=Action.SECOND_CA)
        assert tried.failed is not None
        assert "no second CA is configured" in tried.failed.message


class TestLimits:
    async def test_a_spent_limit_stops_a_new_certificate_and_names_the_moment(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        limited(monkeypatch, shop.ca, registered_domain=1)
        await shop.served()
        await shop.open()
        with pytest.raises(ApplicationError, match=r"allows 1 certificates for slipway\.test") as refused:
            await shop.run(shop.certificates.issue_certificate, shop.request())
        assert refused.value.type == Trouble.RATE_LIMITED
        assert refused.value.next_retry_delay is not None
        assert refused.value.next_retry_delay > 6 * DAY

    async def test_a_renewal_inside_its_window_passes_all_the_same(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        limited(monkeypatch, shop.ca, registered_domain=1, exact_set=1, new_orders=1)
        row = await shop.served()
        assert (await shop.renew(row)).failed is None

    async def test_one_outside_its_window_waits_by_name(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        limited(monkeypatch, shop.ca, exact_set=1)
        row = await shop.served()
        now = datetime.now(UTC)
        row.window_start, row.window_end = now + DAY, now + 2 * DAY
        await shop.change(row, window_start=now + DAY, window_end=now + 2 * DAY)
        tried = await shop.renew(row)
        assert tried.failed is not None
        assert tried.failed.kind is FailureKind.RATE_LIMITED
        assert tried.failed.until is not None
        assert tried.failed.until > now + 6 * DAY

    async def test_what_a_failed_order_held_is_given_back(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        limited(monkeypatch, shop.ca, registered_domain=1, new_orders=5)
        await shop.open()
        fault = {"path": "/new-order", "methods": ["POST"], "status": 400, "kind": "rejectedIdentifier", "times": 1}
        await shop.told("faults", **fault)
        with pytest.raises(ApplicationError):
            await shop.run(shop.certificates.issue_certificate, shop.request())
        await shop.run(shop.certificates.issue_certificate, shop.request())

    async def test_the_cas_own_refusal_is_kept_beside_ours(self, shop: Shop) -> None:
        await shop.open()
        words = 'too many certificates (50) already issued for "slipway.test" in the last 168h0m0s, retry after 1h'
        await shop.told("faults", path="/new-order", methods=["POST"], status=429, kind="rateLimited", detail=words,
                        retry_after="7200", times=1)  # fmt: skip
        with pytest.raises(ApplicationError, match="already issued"):
            await shop.run(shop.certificates.issue_certificate, shop.request())
        with pytest.raises(ApplicationError, match=r"refused more for slipway\.test until"):
            await shop.run(shop.certificates.issue_certificate, shop.request())
        async with shop.db.begin() as session:
            where = CaBucket.directory_url == shop.ca.directory_url, CaBucket.refused_until.is_not(None)
            (bucket,) = (await session.execute(select(CaBucket).where(*where))).scalars()
        assert (bucket.limit, bucket.subject) == ("registered_domain", "slipway.test")

    def test_lets_encrypts_are_known(self) -> None:
        assert ca_catalogue.limits_of("https://acme-v02.api.letsencrypt.org/directory") is LETS_ENCRYPT
        assert ca_catalogue.limits_of("https://elsewhere.test") == {}


class TestWindows:
    async def test_the_cas_window_decides_when_and_is_asked_for_again(self, shop: Shop) -> None:
        row = await shop.served()
        assert row.next_action == "poll"
        assert await shop.poll() == 1
        seen = await shop.kept(row)
        assert seen.window_start is not None
        assert seen.next_poll is not None
        assert seen.next_action == "poll"  # twice a day, long before the renewal
        assert seen.renew_after == seen.next_poll
        assert await shop.poll() == 0

    async def test_a_window_that_was_moved_to_now_makes_the_renewal_due(self, shop: Shop) -> None:
        row, now = await shop.served(), datetime.now(UTC)
        await shop.told("windows", certificate_id=row.certificate_id, start=(now - 2 * DAY).isoformat(),
                        end=(now - DAY).isoformat(), explanation_url="https://ca.test/incident")  # fmt: skip
        await shop.poll()
        seen = await shop.kept(row)
        assert (seen.next_action, seen.explanation_url) == ("renew", "https://ca.test/incident")
        assert seen.renew_after is not None
        assert seen.renew_after <= datetime.now(UTC)

    async def test_a_revoked_one_is_noticed_and_replaced(self, shop: Shop) -> None:
        row = await shop.served()
        await shop.deps.acme.revoke(await account_key(shop.deps, shop.deps.acme), row.chain_pem)
        await shop.poll()
        records = RenewalRecordActivities(shop.deps)
        renewal = await shop.run(records.begin_renewal, RenewalCall(certificate_id=str(row.id)))
        assert renewal is not None
        assert (renewal.action, renewal.fresh_key, renewal.old_serves) == (Action.RENEW, True, False)
        noticed = await shop.kept(row)
        assert (noticed.revoked, noticed.urgent) == (True, True)
        assert noticed.troubled_since is not None
        tried = await shop.renew(row)
        end = RenewalEnd(renewal=renewal, at=datetime.now(UTC), successor_id=tried.successor_id)
        for _ in range(2):  # an end that is told twice is the same end
            await shop.run(records.end_renewal, end)
        old = await shop.kept(row)
        assert (old.superseded_at, old.renew_after, old.troubled_since) == (end.at, None, None)
        async with shop.db.begin() as session:
            made = await certificates.get(session, tried.successor_id)
        assert (made.next_action, made.superseded_at) == ("poll", None)

    async def test_one_on_its_cas_list_is_noticed_where_no_window_is_given(self, shop: Shop) -> None:
        async with listing_ca() as ca:
            rows = [await shop.served() for _ in range(2)]
            for row in rows:
                chain = ca.chain(shop.name)
                await shop.change(row, directory_url="https://no-windows.test/dir", chain_pem=chain, next_action="poll",
                                  renew_after=datetime.now(UTC), next_poll=None)  # fmt: skip
            ca.revoked.add(serial_of((await shop.kept(rows[0])).chain_pem))
            await shop.poll()
            gone, well = [await shop.kept(row) for row in rows]
            assert ca.asked == 1
            assert (gone.revoked, gone.next_action, gone.urgent) == (True, "renew", True)
            assert (well.revoked, well.next_action) == (False, "poll")
            ca.status = 503  # nothing is forgotten, and nothing stops
            await shop.change(well, renew_after=datetime.now(UTC), next_poll=None)
            await shop.poll()
            assert (await shop.kept(well)).next_action == "poll"

    async def test_a_ca_that_is_down_is_asked_once_and_its_window_stays(self, shop: Shop) -> None:
        rows = [await shop.served() for _ in range(3)]
        await shop.poll()
        before = [await shop.kept(row) for row in rows]
        for row in rows:
            await shop.change(row, renew_after=datetime.now(UTC) - DAY, next_action="poll", next_poll=None)
        asked = 0
        real = shop.deps.acme.renewal_info

        async def counted(chain: str) -> Any:
            nonlocal asked
            asked += 1
            return await real(chain)

        shop.deps.acme.renewal_info = counted  # type: ignore[method-assign]
        await shop.told("faults", path="/renewal-info", methods=["GET"], status=503, kind="serverInternal", times=50)
        await shop.poll()
        after = [await shop.kept(row) for row in rows]
        assert [row.window_start for row in after] == [row.window_start for row in before]
        assert all(row.next_poll is not None and row.next_poll > datetime.now(UTC) for row in after)
        assert 1 <= asked <= 3

    async def test_a_ca_that_we_do_not_speak_to_any_more_is_not_asked(self, shop: Shop) -> None:
        row = await shop.served()
        await shop.change(row, directory_url="https://gone.test/dir")
        await shop.poll()
        assert (await shop.kept(row)).next_action == "renew"


async def test_failures_and_rehearsals_are_counted_for_the_policy(shop: Shop) -> None:
    row = await shop.served()
    async with shop.db.begin() as session:
        held, now = await certificates.get(session, row.id, lock=True), datetime.now(UTC)
        certificates.note_failure(held, now, FailureKind.VALIDATION, "NXDOMAIN", None)
        certificates.note_failure(held, now + DAY, FailureKind.VALIDATION, "NXDOMAIN", None)
        certificates.note_rehearsal(held, now + DAY, "again", passed=False)
        certificates.note_rehearsal(held, now + 2 * DAY, "", passed=True)
    seen = await shop.kept(row)
    assert (seen.failures, seen.rehearsals_failed, seen.rehearsal_passed) == (2, 1, True)
    facts = certificates.facts(seen)
    assert facts.rehearsals is not None
    assert facts.failures is not None
    assert facts.failures.at == now + DAY
