"""One try to renew a certificate: what is served, and what its rows say afterwards."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import DateTime, func, select, update
from temporalio.client import Client

from db.base import new_id
from db.models import Deployment
from db.models_certificates import Certificate, CertificateDrill
from db.queries import drills
from domain import ids
from domain.certificates import CertificatesSwept, Failed, RenewalCall
from domain.provisioning import RunPolicy
from domain.renewal_retries import PAUSES, FailureKind
from domain.starting import renewal_start
from tests.workflows.certificates import ANSWERS, DAY, limited, served, uploaded
from tests.workflows.world import World
from workflows.renewals import RenewCertificate
from workflows.sweeps import CertificateSweep


@pytest.fixture(autouse=True)
def _answers() -> None:
    ANSWERS.clear()


async def kept(world: World, ref: uuid.UUID) -> Certificate:
    async with world.db.begin() as session:
        return await session.get_one(Certificate, ref)


async def successors(world: World, row: Certificate) -> list[Certificate]:
    async with world.db.begin() as session:
        return list((await session.execute(select(Certificate).where(Certificate.renews_id == row.id))).scalars())


async def renew(client: Client, row: Certificate, **more: Any) -> str:
    call = RenewalCall(certificate_id=str(row.id), policy=RunPolicy(automatic_minutes=0.2), **more)
    return await client.execute_workflow(RenewCertificate.run, call, **renewal_start(call))


class TestOneTry:
    async def test_the_successor_is_served_and_planned_and_the_old_one_rests(
        self, world: World, client: Client
    ) -> None:
        row = await served(world, "renewed")
        assert await renew(client, row) == "renewed"
        (made,) = await successors(world, row)
        old = await kept(world, row.id)
        assert (old.renew_after, old.next_action) == (None, "")
        assert old.superseded_at is not None
        assert made.next_action == "renew"  # this CA is not spoken to any more, so its dates decide
        assert made.renew_after is not None
        assert made.not_before + 50 * DAY < made.renew_after < made.not_after
        assert world.calls == ["make_renewal_csr", "issue_renewal", "install_renewal", "verify_renewal"]

    async def test_an_uploaded_one_takes_its_place_and_no_ca_is_asked(self, world: World, client: Client) -> None:
        row = await uploaded(world, "bought")
        assert await renew(client, row) == "renewed"
        assert world.calls == ["bring_shared_certificate", "install_renewal", "verify_renewal"]
        (made,) = await successors(world, row)
        assert (made.shared_id, (await kept(world, row.id)).superseded_at is not None) == (row.awaits_id, True)

    async def test_an_uploaded_one_that_is_not_seen_is_tried_again_and_nothing_else(
        self, world: World, client: Client
    ) -> None:
        row = await uploaded(world, "bought-unseen")
        world.fail("verify_renewal", "Unhealthy")
        assert await renew(client, row) == "ours"
        old = await kept(world, row.id)
        assert (old.superseded_at, old.failures, old.next_action) == (None, 1, "renew")
        assert old.awaits_id == row.awaits_id
        assert "make_renewal_csr" not in world.calls

    async def test_what_is_not_due_is_left_alone_unless_somebody_asks(self, world: World, client: Client) -> None:
        row = await served(world, "young", age=2 * DAY)
        assert await renew(client, row) == "not due"
        assert (await kept(world, row.id)).renew_after > datetime.now(UTC) + 30 * DAY  # type: ignore[operator]
        assert world.calls == []
        assert await renew(client, row, forced=True, requested_by="ada") == "renewed"

    async def test_a_limit_waits_by_its_name_until_the_moment_the_ca_named(self, world: World, client: Client) -> None:
        row, until = await served(world, "limited", age=70 * DAY), datetime.now(UTC) + 3 * timedelta(hours=1)
        ANSWERS.append(limited(until))
        assert await renew(client, row) == "rate_limited"
        old = await kept(world, row.id)
        assert (old.failures, old.failure_kind, old.limited_until) == (1, "rate_limited", until)
        assert until.strftime("%F %H:%M") in old.failure_message
        assert old.renew_after is not None
        assert old.renew_after >= until
        assert "rate limited" in old.why
        assert "install_renewal" not in world.calls

    async def test_what_is_not_seen_from_outside_makes_room_for_the_old_one(self, world: World, client: Client) -> None:
        row = await served(world, "unseen", age=70 * DAY)
        world.fail("verify_renewal", "Unhealthy", "shows another certificate")
        assert await renew(client, row) == "ours"
        assert world.count["install_renewal"] == 2
        old = await kept(world, row.id)
        assert (old.failure_kind, old.failure_message, old.superseded_at) == ("ours", "shows another certificate", None)

    async def test_a_revoked_one_gets_a_fresh_key_and_is_not_put_back(self, world: World, client: Client) -> None:
        row = await served(world, "revoked", revoked=True)
        world.fail("verify_renewal", "Unhealthy")
        assert await renew(client, row) == "ours"
        assert world.count["install_renewal"] == 1

    async def test_a_server_that_is_away_is_our_failure_and_costs_no_order(self, world: World, client: Client) -> None:
        row = await served(world, "away", age=70 * DAY)
        world.fail("make_renewal_csr", "HostKeyMismatch", "another key")
        assert await renew(client, row) == "ours"
        assert "issue_renewal" not in world.calls
        assert (await kept(world, row.id)).failure_message == "another key"

    async def test_what_has_ended_rests_for_good(self, world: World, client: Client) -> None:
        row = await served(world, "ended")
        async with world.db.begin() as session:
            gone = update(Deployment).where(Deployment.id == row.deployment_id).values(ended_at=func.now())
            await session.execute(gone)
        assert await renew(client, row) == "not due"
        assert (await kept(world, row.id)).renew_after is None

    async def test_what_is_still_being_made_is_left_to_its_own_run(self, world: World, client: Client) -> None:
        row = await served(world, "making")
        async with world.db.begin() as session:
            await session.execute(
                update(Deployment).where(Deployment.id == row.deployment_id).values(activated_at=None)
            )  # fmt: skip
        assert await renew(client, row) == "not due"
        assert (await kept(world, row.id)).renew_after > datetime.now(UTC)  # type: ignore[operator]


class TestSweep:
    async def test_due_ones_are_started_once_and_a_bad_name_delays_no_other(self, world: World, client: Client) -> None:
        bad, good = await served(world, "bad", age=70 * DAY), await served(world, "good", age=70 * DAY)
        later = await served(world, "later", renew_after=datetime.now(UTC) + DAY)
        ANSWERS.append(Failed(kind=FailureKind.VALIDATION, message="NXDOMAIN"))
        swept = CertificatesSwept(polled=0, started=2)
        assert await sweep(client, "first") == swept
        for row in (bad, good):
            await client.get_workflow_handle(ids.renewal_workflow_id(str(row.id))).result()
        assert (await sweep(client, "second")).started == 0
        assert len(await successors(world, bad)) + len(await successors(world, good)) == 1
        assert await successors(world, later) == []


async def test_a_drill_makes_its_certificates_due_at_its_pace_and_ends_with_the_last(
    world: World, client: Client
) -> None:
    late = {"age": 10 * DAY, "renew_after": datetime.now(UTC) + 30 * DAY, "directory_url": "https://drilled.test"}
    first, last = await served(world, "drilled", **late), await served(world, "drilled-too", **late)
    async with world.db.begin() as session:
        drill = await drills.begin(session, id=new_id(), directory_url="https://drilled.test", key_type="", pace=60,
                                   fresh_key=True, reason="drill", by="ada", now=datetime.now(UTC))  # fmt: skip
    # The pace allows one a minute; the test moves the moment of the next instead of waiting.
    for name in ("one", "two"):
        assert (await sweep(client, f"drill-{name}")).started == 1
        async with world.db.begin() as session:
            await session.execute(update(CertificateDrill).values(next_at=func.now()))
    for row in (first, last):
        assert await client.get_workflow_handle(ids.renewal_workflow_id(str(row.id))).result() == "renewed"
        (made,) = await successors(world, row)
        assert (made.drill_id, (await kept(world, row.id)).replace_key) == (None, True)
    assert (await sweep(client, "drill-end")).started == 0
    async with world.db.begin() as session:
        ended = await session.get_one(CertificateDrill, drill.id)
        assert (ended.state, ended.total, ended.replaced) == ("done", 2, 2)


async def sweep(client: Client, name: str) -> CertificatesSwept:
    return await client.execute_workflow(CertificateSweep.run, id=f"certificates-{name}", task_queue=ids.RUNS_QUEUE)


class TestADayWithoutTheCa:
    async def test_its_pauses_are_kept_the_old_one_is_served_and_the_new_one_comes_when_it_is_back(
        self, world: World, client: Client
    ) -> None:
        row = await served(world, "outage", age=70 * DAY)
        ANSWERS.extend([Failed(kind=FailureKind.CA_DOWN, message="no answer")] * 100)
        passed, pauses = timedelta(), list[timedelta]()
        while passed < DAY:
            assert await renew(client, row) == "ca_down"
            assert await renew(client, row) == "not due"
            old = await kept(world, row.id)
            assert old.renew_after is not None
            assert old.failed_at is not None
            assert (old.superseded_at, old.urgent, old.not_after > datetime.now(UTC)) == (None, False, True)
            pauses.append(old.renew_after - old.failed_at)
            await passes(world, row, old.renew_after - datetime.now(UTC))
            passed += pauses[-1]
        table = PAUSES[FailureKind.CA_DOWN]
        for number, pause in enumerate(pauses):
            planned = table[min(number, len(table) - 1)]
            assert planned <= pause <= planned * 1.1, pauses  # its jitter
        assert world.count["issue_renewal"] == len(pauses) == 7
        assert "install_renewal" not in world.calls
        assert (await kept(world, row.id)).troubled_since is not None  # an operator has long been told

        ANSWERS.clear()
        assert await renew(client, row) == "renewed"
        (made,) = await successors(world, row)
        old = await kept(world, row.id)
        assert (old.failures, old.troubled_since, old.superseded_at is not None) == (7, None, True)
        assert (made.failures, made.renew_after is not None) == (0, True)


async def passes(world: World, row: Certificate, time: timedelta) -> None:
    """Time, as far as the certificate knows of it: whatever is written on its row was so much earlier."""
    moments = [column for column in Certificate.__table__.columns if isinstance(column.type, DateTime)]
    async with world.db.begin() as session:
        earlier = {column.name: column - time for column in moments}
        await session.execute(update(Certificate).where(Certificate.id == row.id).values(earlier))
