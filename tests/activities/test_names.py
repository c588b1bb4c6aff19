from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select
from temporalio.exceptions import ApplicationError

import activities.names
from db.keyring import KeyRing
from db.models import DeploymentEvent
from db.session import Database
from domain.errors import Trouble
from providers.dns.lookup import ask
from providers.dns.powerdns import PowerDNS
from tests.activities.edge import ADDRESS, Edge, edge
from tests.providers.dns.servers import free_port


@pytest.fixture
async def here(db: Database, keys: KeyRing, tmp_path: Path) -> AsyncIterator[Edge]:
    async with edge(db, keys, tmp_path, with_ca=False) as made:
        yield made


class TestPublish:
    async def test_the_name_leads_to_the_server_and_says_so(self, here: Edge) -> None:
        await here.run(here.names.publish_dns)
        assert (await ask(here.server.dns, here.name, "A")).values == (ADDRESS,)
        async with here.db.begin() as session:
            lines = list(await session.scalars(select(DeploymentEvent.message).order_by(DeploymentEvent.position)))
        assert f"{here.name} A {ADDRESS} published" in lines

    async def test_twice_is_once(self, here: Edge) -> None:
        await here.run(here.names.publish_dns)
        before = (await ask(here.server.dns, "slipway.test", "SOA")).values
        await here.run(here.names.publish_dns)
        assert (await ask(here.server.dns, "slipway.test", "SOA")).values == before

    async def test_a_foreign_record_parks_the_step(self, here: Edge) -> None:
        await here.dns.publish(here.name, "A", ["198.51.100.7"], ttl=60, owner="somebody")
        with pytest.raises(ApplicationError, match="belongs to deployment somebody") as refused:
            await here.run(here.names.publish_dns)
        assert (refused.value.type, refused.value.non_retryable) == (Trouble.CONFLICT, True)
        assert (await ask(here.server.dns, here.name, "A")).values == ("198.51.100.7",)

    async def test_a_name_server_that_is_down_is_tried_again(self, here: Edge) -> None:
        gone = PowerDNS("http://127.0.0.1:9/api/v1", "key")
        here.use(gone, here.deps.acme, (here.server.dns,))
        with pytest.raises(ApplicationError) as down:
            await here.run(here.names.publish_dns)
        await gone.close()
        assert (down.value.type, down.value.non_retryable) == (Trouble.TRANSIENT, False)
        assert (await ask(here.server.dns, here.name, "A")).absent

    async def test_a_wrong_key_parks_the_step(self, here: Edge) -> None:
        wrong = PowerDNS(here.server.api_url, "wrong")
        here.use(wrong, here.deps.acme, (here.server.dns,))
        with pytest.raises(ApplicationError) as refused:
            await here.run(here.names.publish_dns)
        await wrong.close()
        assert (refused.value.type, refused.value.non_retryable) == (Trouble.UNAUTHORIZED, True)

    async def test_a_secondary_that_lags_is_waited_for_without_counting_as_a_failure(
        self, here: Edge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, db: Database, keys: KeyRing
    ) -> None:
        monkeypatch.setattr(activities.names, "SPREAD_SECONDS", 0.3)
        monkeypatch.setattr(activities.names, "LOOK_SECONDS", 0.05)
        (tmp_path / "second").mkdir()
        async with edge(db, keys, tmp_path / "second", with_ca=False) as second:
            here.use(here.dns, here.deps.acme, (here.server.dns, second.server.dns))
            with pytest.raises(ApplicationError, match="not answered by every") as waiting:
                await here.run(here.names.publish_dns)
            assert waiting.value.type == Trouble.NOT_READY
            await second.dns.publish(here.name, "A", [ADDRESS], ttl=60, owner=here.id)
            await here.run(here.names.publish_dns)

    async def test_a_server_with_an_ipv6_address_gets_that_record(self, here: Edge) -> None:
        await here.open("2001:db8::10")
        await here.run(here.names.publish_dns)
        assert (await ask(here.server.dns, here.name, "AAAA")).values == ("2001:db8::10",)

    async def test_a_server_without_an_address_yet_is_no_record(self, here: Edge) -> None:
        await here.open(None)
        with pytest.raises(ApplicationError, match="no address yet"):
            await here.run(here.names.publish_dns)


class TestWithdraw:
    async def test_the_name_and_leftover_challenges_are_gone_and_proven(self, here: Edge) -> None:
        await here.run(here.names.publish_dns)
        await here.dns.add_txt(f"_acme-challenge.{here.name}", "left over", ttl=60, owner=here.id)
        await here.run(here.names.withdraw_dns)
        proof = await here.run(here.names.prove_name_absent)
        assert proof.what == f"DNS name {here.name}"
        assert proof.evidence == f"NXDOMAIN at {here.server.dns}"

    async def test_twice_and_never_published_are_success(self, here: Edge) -> None:
        await here.run(here.names.withdraw_dns)
        await here.run(here.names.withdraw_dns)

    async def test_what_is_not_ours_is_left_alone_and_the_proof_says_so(self, here: Edge) -> None:
        await here.dns.publish(here.name, "A", ["198.51.100.7"], ttl=60, owner="somebody")
        await here.run(here.names.withdraw_dns)
        assert (await ask(here.server.dns, here.name, "A")).values == ("198.51.100.7",)
        assert "not ours" in (await here.run(here.names.prove_name_absent)).evidence


class TestProof:
    async def test_a_record_of_ours_is_still_present(self, here: Edge) -> None:
        await here.run(here.names.publish_dns)
        with pytest.raises(ApplicationError, match="still published") as present:
            await here.run(here.names.prove_name_absent)
        assert (present.value.type, present.value.non_retryable) == (Trouble.STILL_PRESENT, False)

    async def test_a_silent_server_proves_nothing(self, here: Edge) -> None:
        here.use(here.dns, here.deps.acme, (here.server.dns, f"127.0.0.1:{free_port()}"))
        with pytest.raises(ApplicationError) as silent:
            await here.run(here.names.prove_name_absent)
        assert silent.value.type == Trouble.TRANSIENT

    async def test_a_secondary_that_still_answers_is_still_present(
        self, here: Edge, tmp_path: Path, db: Database, keys: KeyRing
    ) -> None:
        (tmp_path / "second").mkdir()
        async with edge(db, keys, tmp_path / "second", with_ca=False) as second:
            await second.dns.publish(here.name, "A", [ADDRESS], ttl=60, owner=here.id)
            here.use(here.dns, here.deps.acme, (here.server.dns, second.server.dns))
            with pytest.raises(ApplicationError, match="still answers") as present:
                await here.run(here.names.prove_name_absent)
            assert present.value.type == Trouble.STILL_PRESENT

    async def test_a_wildcard_over_the_name_is_named_as_what_answers(self, here: Edge) -> None:
        await here.dns.publish("*.slipway.test", "A", ["192.0.2.99"], ttl=60, owner="shared")
        evidence = (await here.run(here.names.prove_name_absent)).evidence
        await here.dns.withdraw("*.slipway.test", "A", owner="shared")
        assert f"only *.slipway.test answers at {here.server.dns}" in evidence
