from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from sqlalchemy import select, update
from temporalio.exceptions import ApplicationError

import activities._issuing
from db.keyring import KeyRing
from db.models import Secret
from db.models_certificates import Certificate
from db.session import Database
from domain.errors import Trouble
from providers.acme.client import AcmeClient
from providers.dns.powerdns import PowerDNS
from tests.activities.edge import Edge, edge
from tests.providers.acme.requests import make_csr


@pytest.fixture
async def here(db: Database, keys: KeyRing, tmp_path: Path) -> AsyncIterator[Edge]:
    async with edge(db, keys, tmp_path, with_ca=True) as made:
        yield made


async def rows(here: Edge) -> list[Certificate]:
    async with here.db.begin() as session:
        query = select(Certificate).where(Certificate.deployment_id == here.call.deployment_id)
        return list(await session.scalars(query.order_by(Certificate.id)))


class TestIssue:
    async def test_the_certificate_is_stored_for_the_instances_name(self, here: Edge) -> None:
        issued = await here.run(here.certificates.issue_certificate, here.request())
        (row,) = await rows(here)
        leaf, intermediate = x509.load_pem_x509_certificates(row.chain_pem.encode())
        leaf.verify_directly_issued_by(intermediate)
        assert row.names == [here.name]
        assert (issued.certificate_id, issued.serial) == (str(row.id), row.serial)
        assert issued.not_after == leaf.not_valid_after_utc
        assert ("validation",) in here.heartbeats
        assert "PRIVATE KEY" not in row.chain_pem

    async def test_a_retry_after_a_lost_result_orders_no_second_one(self, here: Edge) -> None:
        request = here.request()
        first = await here.run(here.certificates.issue_certificate, request)
        second = await here.run(here.certificates.issue_certificate, request)
        assert first == second
        assert len(await rows(here)) == 1

    async def test_a_new_key_gets_a_new_certificate(self, here: Edge) -> None:
        await here.run(here.certificates.issue_certificate, here.request())
        await here.run(here.certificates.issue_certificate, here.request())
        assert len({row.key_sha256 for row in await rows(here)}) == 2

    async def test_a_certificate_near_its_end_is_not_used_again(self, here: Edge) -> None:
        request = here.request()
        await here.run(here.certificates.issue_certificate, request)
        async with here.db.begin() as session:
            now = datetime.now(UTC)
            life = {"not_before": now - timedelta(days=80), "not_after": now + timedelta(days=2)}
            await session.execute(update(Certificate).values(**life))
        await here.run(here.certificates.issue_certificate, request)
        assert len(await rows(here)) == 2

    async def test_all_instances_share_one_account_made_once(self, here: Edge) -> None:
        await here.run(here.certificates.issue_certificate, here.request())
        await here.open()
        await here.run(here.certificates.issue_certificate, here.request())
        async with here.db.begin() as session:
            purpose = Secret.purpose.like("acme-account:%")
            kept = (await session.scalars(select(Secret).where(purpose, Secret.deployment_id.is_(None)))).all()
        newest = max(kept, key=lambda secret: secret.id)
        assert newest.ciphertext is not None
        assert b"PRIVATE KEY" not in newest.ciphertext
        assert len({secret.purpose for secret in kept}) == len(kept)

    async def test_the_profile_asked_for_by_an_operator_is_obeyed(self, here: Edge) -> None:
        issued = await here.run(here.certificates.issue_certificate, here.request(acme_profile="shortlived"))
        assert issued.not_after < datetime.now(UTC) + timedelta(days=8)

    async def test_a_database_that_was_away_for_a_moment_costs_no_second_order(
        self, here: Edge, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(activities._issuing, "STORE_PAUSE_SECONDS", 0.01)
        real, failures = here.db.begin, [OSError("away"), OSError("away")]
        issue = here.deps.acme.issue

        async def issue_then_lose(*args: object, **kwargs: object) -> object:
            made = await issue(*args, **kwargs)  # type: ignore[arg-type]
            monkeypatch.setattr(here.db, "begin", lambda: (_ for _ in ()).throw(failures.pop()) if failures else real())
            return made

        monkeypatch.setattr(here.deps.acme, "issue", issue_then_lose)
        await here.run(here.certificates.issue_certificate, here.request())
        assert len(await rows(here)) == 1
        assert failures == []


class TestRefused:
    @pytest.mark.parametrize("others", [["other.slipway.test"], ["{name}", "other.slipway.test"], ["*.slipway.test"]])
    async def test_a_csr_that_names_another_host_gets_nothing(self, here: Edge, others: list[str]) -> None:
        csr = make_csr(*(name.format(name=here.name) for name in others))
        with pytest.raises(ApplicationError, match="instead of") as refused:
            await here.run(here.certificates.issue_certificate, here.request(csr))
        assert (refused.value.type, refused.value.non_retryable) == (Trouble.INVALID_INPUT, True)
        assert await rows(here) == []

    async def test_a_private_key_in_the_csrs_place_is_refused_and_not_repeated_in_the_error(self, here: Edge) -> None:
        key = AcmeClient.new_account_key()
        with pytest.raises(ApplicationError) as refused:
            await here.run(here.certificates.issue_certificate, here.request(key))
        assert refused.value.type == Trouble.INVALID_INPUT
        assert key.splitlines()[1] not in str(refused.value)

    async def test_an_unknown_profile_names_the_field_to_correct(self, here: Edge) -> None:
        with pytest.raises(ApplicationError) as refused:
            await here.run(here.certificates.issue_certificate, here.request(acme_profile="nonexistent"))
        assert refused.value.details[0]["field"] == "acme_profile"

    async def test_a_ca_that_is_down_is_tried_again(self, here: Edge) -> None:
        here.use(here.dns, AcmeClient("https://127.0.0.1:9/dir"), (here.server.dns,))
        with pytest.raises(ApplicationError) as down:
            await here.run(here.certificates.issue_certificate, here.request())
        assert (down.value.type, down.value.non_retryable) == (Trouble.TRANSIENT, False)

    async def test_a_name_server_that_is_down_leaves_no_certificate_and_no_order_answered(self, here: Edge) -> None:
        gone = PowerDNS("http://127.0.0.1:9/api/v1", "key")
        here.use(gone, here.deps.acme, (here.server.dns,))
        with pytest.raises(ApplicationError) as down:
            await here.run(here.certificates.issue_certificate, here.request())
        await gone.close()
        assert down.value.type == Trouble.TRANSIENT
        assert await rows(here) == []
