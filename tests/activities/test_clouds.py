"""From accounts to clients: one for each while its row stays, refusals in words, servers that are always reached."""

from __future__ import annotations

import asyncio
import contextvars
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, text, update
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import _clouds
from activities._clouds import CloudBook, cloud_of, cloud_of_server
from activities._context import Deps
from activities.accounts import AccountActivities
from activities.inventory import InventoryActivities
from activities.offers import OfferActivities
from activities.server_actions import ServerActionActivities
from activities.servers import ServerActivities
from db.keyring import KeyRing
from db.models import Placement, ServerIntent, VpsInstance
from db.models_clouds import ServiceProvider
from db.models_inventory import CloudResource, InventorySweep
from db.queries import providers
from db.session import Database
from domain.accounts import AccountCall, AccountChecked
from domain.errors import FINAL_TROUBLES, ErrorCode, Trouble
from domain.inventory import SweepCall, SweepOutcome, SweepReport
from domain.offers import Offer, OffersCall
from domain.provisioning import DestroyCall, QuoteCall, RunInputs
from domain.servers import LookCall
from domain.statuses import Tier
from providers.cloud.base import Account, Region
from providers.cloud.transip import TransIP, from_account
from providers.errors import RateLimited
from tests.activities.test_servers import Shop
from tests.offering import keep, kept
from tests.sandbox.transip.emulator import Emulator, emulator, key_pair, keys_are_read_once

pytestmark = pytest.mark.usefixtures("cached_keys")


@pytest.fixture(scope="module")
def cached_keys() -> Any:
    with keys_are_read_once():
        yield


class Counted:
    """The maker of the product's own client, which remembers what it made."""

    def __init__(self) -> None:
        self.made: list[TransIP] = []

    def __call__(self, account: Account, **more: Any) -> TransIP:
        self.made.append(from_account(account, **more))
        return self.made[-1]


class Desk(Shop):
    """A shop whose clients come from accounts' rows."""

    def __init__(self, db: Database, keys: KeyRing, cloud: Emulator) -> None:
        super().__init__(db, keys, cloud)
        self.maker = Counted()
        self.book = CloudBook(db, keys, {"transip": self.maker})
        self.deps: Deps = replace(self.deps, clouds=self.book)
        self.servers = ServerActivities(self.deps)

    async def account(self, cloud: Emulator | None = None, **changes: Any) -> uuid.UUID:
        told = {"base_url": (cloud or self.cloud).url, "username": "acme", "late_accept_seconds": 0.2,
                "poll_seconds": 0.05}  # fmt: skip
        values = {"name": uuid.uuid4().hex, "kind": "transip", "api_key": key_pair()[0], "configuration": told}
        async with self.deps.db.begin() as session:
            return (await providers.create(session, self.deps.keys, **(values | changes))).id

    async def row(self, provider_id: uuid.UUID) -> ServiceProvider:
        async with self.deps.db.begin() as session:
            return await session.get_one(ServiceProvider, provider_id)

    async def set(self, provider_id: uuid.UUID, **columns: Any) -> None:
        async with self.deps.db.begin() as session:
            await session.execute(update(ServiceProvider).where(ServiceProvider.id == provider_id).values(**columns))

    async def sweep(self) -> SweepReport:
        call = SweepCall(provider="transip", sweep_id=str(uuid.uuid4()))
        return await ActivityEnvironment().run(InventoryActivities(self.deps).sweep_inventory, call)

    async def in_service(self, provider_id: uuid.UUID) -> str:
        await self.open()
        async with self.deps.db.begin() as session:
            mine = VpsInstance.id == (await self.facts()).server.id
            await session.execute(update(VpsInstance).where(mine).values(provider_id=provider_id))
        found = await self.retried(self.servers.create_server)
        await self.retried(self.servers.await_server)
        return str(found.provider_ref)


@pytest.fixture
async def desk(db: Database, keys: KeyRing, tmp_path: Path) -> AsyncIterator[Desk]:
    async with db.begin() as session:
        for table in (CloudResource, InventorySweep, ServerIntent, Placement):
            await session.execute(delete(table))
        await session.execute(text("update instance_deployments set vps_id = null"))
        for table in (VpsInstance, ServiceProvider):
            await session.execute(delete(table))
    (tmp_path / "cloud").mkdir()
    async with emulator(tmp_path / "cloud") as cloud:
        made = Desk(db, keys, cloud)
        yield made
        await made.book.close()


async def refusal(desk: Desk, *asked: Any) -> tuple[str | None, str, str]:
    with pytest.raises(ApplicationError) as refused:
        await cloud_of(desk.deps, *asked)
    assert refused.value.non_retryable
    return refused.value.type, refused.value.details[0]["code"], refused.value.message


class TestClients:
    async def test_one_client_is_kept_until_the_account_changes(self, desk: Desk) -> None:
        ref = await desk.account()
        first = await cloud_of(desk.deps, "transip")
        assert await cloud_of(desk.deps, "transip", str(ref)) is first
        assert (first.poll_interval, first.late_accept_window) == (0.05, 0.2)
        row = await desk.row(ref)
        async with desk.deps.db.begin() as session:
            await providers.note_validation(session, ref, "accepted", datetime.now(UTC), seen=row.updated_at)
        assert await cloud_of(desk.deps, "transip") is first
        await desk.set(ref, configuration={"base_url": desk.cloud.url, "username": "acme", "poll_seconds": 3})
        second = await cloud_of(desk.deps, "transip")
        assert second is not first
        assert second.poll_interval == 3
        assert len(desk.maker.made) == 2

    async def test_a_replaced_client_is_closed_once_nobody_can_be_using_it(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ref = await desk.account()
        first = await cloud_of(desk.deps, "transip")
        await desk.set(ref, configuration={"base_url": desk.cloud.url, "username": "acme"})
        await cloud_of(desk.deps, "transip")
        await first.list()  # a call that was under way goes on
        monkeypatch.setattr(_clouds, "LONGEST_TRY", -1.0)
        await cloud_of(desk.deps, "transip")
        with pytest.raises(RuntimeError, match="closed"):
            await first.list()

    async def test_two_accounts_at_one_cloud_have_two_clients(self, desk: Desk) -> None:
        oldest, second = await desk.account(), await desk.account()
        assert await cloud_of(desk.deps, "transip") is await cloud_of(desk.deps, "transip", oldest)
        assert await cloud_of(desk.deps, "transip", second) is not await cloud_of(desk.deps, "transip", oldest)


class TestRefusals:
    async def test_what_is_not_there_is_named(self, desk: Desk) -> None:
        kind, code, message = await refusal(desk, "linode")
        assert (kind, code) == (Trouble.MISSING_SETTING, "PROVIDER_NOT_FOUND")
        assert "linode" in message
        ref = await desk.account()
        for asked in (("transip", uuid.uuid4()), ("linode", ref), ("transip", "no-id")):
            assert (await refusal(desk, *asked))[:2] == (Trouble.MISSING_SETTING, "PROVIDER_NOT_FOUND")

    async def test_disabled_accounts_and_clouds_without_a_client_are_inactive(self, desk: Desk) -> None:
        ref = await desk.account(active=False)
        await desk.account(kind="aws")
        for asked in (("transip", ref), ("transip",), ("aws",)):
            assert (await refusal(desk, *asked))[:2] == (Trouble.PROVIDER_INACTIVE, "PROVIDER_INACTIVE")
        assert Trouble.PROVIDER_INACTIVE in FINAL_TROUBLES

    async def test_an_account_that_cannot_be_used_is_named_without_its_key(self, desk: Desk) -> None:
        await desk.account(name="Broken", api_key="-----BEGIN not a key")
        kind, code, message = await refusal(desk, "transip")
        assert (kind, code) == (Trouble.MISSING_SETTING, "INVALID_CREDENTIALS")
        assert "Broken" in message
        assert "BEGIN" not in message


class TestServersOfAnAccount:
    async def test_a_disabled_account_takes_no_order_and_still_destroys(self, desk: Desk) -> None:
        ref = await desk.account()
        await desk.open()
        assert (await desk.facts()).server.provider_id == ref
        await desk.set(ref, active=False)
        with pytest.raises(ApplicationError) as refused:
            await desk.once(desk.servers.create_server)
        assert refused.value.type == Trouble.PROVIDER_INACTIVE
        assert await desk.orders() == 0
        await desk.set(ref, active=True)
        await desk.retried(desk.servers.create_server)
        await desk.set(ref, active=False)
        await desk.retried(desk.servers.create_server)
        await desk.retried(desk.servers.await_server)
        await desk.retried(desk.servers.destroy_server, DestroyCall(deployment_id=desk.call.deployment_id))
        assert "404" in (await desk.retried(desk.servers.prove_server_absent)).evidence
        assert await desk.orders() == 1

    async def test_a_quote_asks_the_account_that_is_named(self, desk: Desk) -> None:
        await desk.account(configuration={"base_url": "http://127.0.0.1:1", "username": "acme"})
        second = await desk.account()
        inputs = RunInputs(provider_id=str(second))
        assert (
            await desk.once(desk.servers.quote_server, QuoteCall(tier=Tier.STARTER, inputs=inputs))
        ).price_cents_month

    async def test_a_lost_answer_is_looked_for_where_the_order_went(self, desk: Desk, tmp_path: Path) -> None:
        """Not where orders go by now: there it would never be found, and a second server would be bought."""
        first = await desk.account()
        await desk.open()
        await desk.cloud.fault("lose_answer", method="POST", path=".*/vps$", times=1)
        with pytest.raises(ApplicationError) as lost:
            await desk.once(desk.servers.create_server)
        assert lost.value.type == Trouble.UNCONFIRMED
        await desk.set(first, active=False)
        await desk.account(configuration={"base_url": "http://127.0.0.1:1", "username": "acme"})
        await desk.retried(desk.servers.create_server)
        assert await desk.orders() == 1
        assert (await desk.facts()).server.provider_id == first


class TestSweeps:
    async def test_a_cloud_without_an_account_is_not_swept(self, desk: Desk) -> None:
        report = await desk.sweep()
        assert (report.outcome, report.reason) == (SweepOutcome.SKIPPED, "no account at transip is set up")
        async with desk.deps.db.begin() as session:
            assert (await session.execute(select(InventorySweep))).first() is None

    async def test_all_accounts_together_are_one_list_and_one_set_up_twice_counts_once(self, desk: Desk) -> None:
        first = await desk.account()
        await desk.account(active=False)  # the same account under another key
        await desk.in_service(first)
        report = await desk.sweep()
        assert (report.outcome, report.listed, report.unexplained) == (SweepOutcome.COMPLETE, 1, 0)

    async def test_an_account_that_fails_makes_nobodys_servers_missing(self, desk: Desk) -> None:
        first = await desk.account()
        await desk.in_service(first)
        assert (await desk.sweep()).outcome is SweepOutcome.COMPLETE
        await desk.set(first, configuration={"base_url": "http://127.0.0.1:1", "username": "acme"})
        await desk.account()
        report = await desk.sweep()
        assert (report.outcome, report.listed) == (SweepOutcome.REFUSED, None)
        assert "the list failed" in report.reason
        async with desk.deps.db.begin() as session:
            assert (await session.execute(select(CloudResource.state))).scalars().all() == ["explained"]

    async def test_an_account_that_lists_nothing_is_not_believed_beside_one_that_does(
        self, desk: Desk, tmp_path: Path
    ) -> None:
        (tmp_path / "empty").mkdir()
        first = await desk.account()
        await desk.in_service(first)
        async with emulator(tmp_path / "empty") as empty:
            second = await desk.account(empty)
            assert (await desk.sweep()).outcome is SweepOutcome.COMPLETE
            async with desk.deps.db.begin() as session:
                await session.execute(update(VpsInstance).values(provider_id=second))
            report = await desk.sweep()
        assert report.outcome is SweepOutcome.REFUSED
        assert "lists no server at all" in report.reason

    async def test_servers_whose_account_was_removed_stop_the_sweep(self, desk: Desk) -> None:
        first = await desk.account()
        await desk.in_service(first)
        await desk.set(first, deleted_at=text("now()"), active=False, api_key_encrypted=None)
        await desk.account()
        report = await desk.sweep()
        assert (report.outcome, report.reason) == (
            SweepOutcome.REFUSED, "servers of accounts that cannot be asked any more: 1")  # fmt: skip


async def test_a_server_of_a_removed_account_cannot_be_reached_and_says_so(desk: Desk) -> None:
    ref = await desk.account()
    await desk.open()
    await desk.set(ref, deleted_at=text("now()"), active=False, api_key_encrypted=None)
    with pytest.raises(ApplicationError) as refused:
        await cloud_of_server(desk.deps, (await desk.facts()).server)
    assert refused.value.details[0]["code"] == "PROVIDER_NOT_FOUND"


class TestLimits:
    """All calls pass the account's one budget, those that somebody waits for too."""

    async def limited(self, desk: Desk, count: int) -> uuid.UUID:
        told = {"base_url": desk.cloud.url, "username": "acme", "limits": {"requests": count}}
        return await desk.account(configuration=told)

    async def test_a_look_is_refused_when_the_budget_is_gone(self, desk: Desk) -> None:
        ref = await self.limited(desk, 1)
        await desk.open()
        async with desk.deps.db.begin() as session:
            vps = (await desk.facts()).server
            gone = {"provider_id": ref, "provider_instance_id": "acme-vps", "power_state": "running"}
            await session.execute(update(VpsInstance).where(VpsInstance.id == vps.id).values(**gone))
        await (await cloud_of(desk.deps, "transip")).list()  # what the budget holds
        call = LookCall(vps_id=str(vps.id), provider="transip", provider_id=str(ref))
        before = len((await desk.cloud.state())["calls"])
        with pytest.raises(ApplicationError) as refused:
            # A try of its own, as every activity's is: the list above was another's.
            await asyncio.create_task(
                ActivityEnvironment().run(ServerActionActivities(desk.deps).look_at_server, call),
                context=contextvars.Context())  # fmt: skip
        assert refused.value.type == Trouble.RATE_LIMITED
        assert refused.value.details[0]["code"] == "RATE_LIMIT_EXCEEDED"
        assert refused.value.next_retry_delay is not None
        assert len((await desk.cloud.state())["calls"]) == before
        assert (await desk.facts()).server.power_state == "running"  # what was seen last stands

    async def test_offers_are_refused_and_the_older_ones_stay(self, desk: Desk) -> None:
        ref = await self.limited(desk, 1)
        await keep(desk.deps.db, ref, Offer.REGIONS, [Region(id="old0")], stale=True)
        await asyncio.create_task((await cloud_of(desk.deps, "transip")).list(), context=contextvars.Context())
        call = OffersCall(provider="transip", provider_id=str(ref), resource=Offer.REGIONS)
        with pytest.raises(ApplicationError) as refused:
            await asyncio.create_task(
                ActivityEnvironment().run(OfferActivities(desk.deps).read_offers, call),
                context=contextvars.Context())  # fmt: skip
        assert refused.value.type == Trouble.RATE_LIMITED
        row = await kept(desk.deps.db, ref, Offer.REGIONS)
        assert row is not None
        assert [item["id"] for item in row.value] == ["old0"]
        assert "limit of calls" in row.failure

    async def test_a_limit_that_is_changed_counts_at_once(self, desk: Desk) -> None:
        ref = await self.limited(desk, 1)
        cloud = await cloud_of(desk.deps, "transip")
        await asyncio.create_task(cloud.list(), context=contextvars.Context())
        with pytest.raises(RateLimited):
            await asyncio.create_task(cloud.list(), context=contextvars.Context())
        told = {"base_url": desk.cloud.url, "username": "acme", "limits": {"requests": 10**6}}
        await desk.set(ref, configuration=told)
        for _ in range(5):
            await asyncio.create_task((await cloud_of(desk.deps, "transip")).list(), context=contextvars.Context())

    async def test_a_limit_of_nothing_makes_the_account_unusable_and_says_so(self, desk: Desk) -> None:
        await self.limited(desk, 0)
        assert "lets nothing through" in (await refusal(desk, "transip"))[2]


class TestValidating:
    async def validated(self, desk: Desk, ref: uuid.UUID, kind: str = "transip") -> AccountChecked:
        call = AccountCall(provider=kind, provider_id=str(ref))
        return await ActivityEnvironment().run(AccountActivities(desk.deps).validate_account, call)

    async def test_accepted_credentials_are_noted_of_a_disabled_account_too(self, desk: Desk) -> None:
        ref = await desk.account(active=False)
        checked = await self.validated(desk, ref)
        assert (checked.valid, checked.code) == (True, None)
        row = await desk.row(ref)
        assert row.validation == checked.message
        assert row.validated_at is not None

    async def test_refused_credentials_say_so(self, desk: Desk) -> None:
        ref = await desk.account(configuration={"base_url": desk.cloud.url, "username": "somebody"})
        checked = await self.validated(desk, ref)
        assert (checked.valid, checked.code) == (False, ErrorCode.INVALID_CREDENTIALS)
        assert (await desk.row(ref)).validation == checked.message

    async def test_a_cloud_that_is_away_or_busy_is_told_apart(self, desk: Desk) -> None:
        away = await desk.account(configuration={"base_url": "http://127.0.0.1:1", "username": "acme"})
        assert (await self.validated(desk, away)).code is ErrorCode.API_ERROR
        ref = await desk.account()
        await desk.cloud.fault("rate_limit", path=".*", times=5)
        checked = await self.validated(desk, ref)
        assert checked.code is ErrorCode.RATE_LIMIT_EXCEEDED
        assert checked.retry_after is not None

    async def test_what_cannot_be_asked_is_told_apart(self, desk: Desk) -> None:
        aws = await desk.account(kind="aws")
        assert (await self.validated(desk, aws, "aws")).code is ErrorCode.PROVIDER_INACTIVE
        assert (await self.validated(desk, uuid.uuid4())).code is ErrorCode.PROVIDER_NOT_FOUND
        broken = await desk.account(api_key="no key")
        assert (await self.validated(desk, broken)).code is ErrorCode.INVALID_CREDENTIALS

    async def test_an_answer_about_the_old_key_is_not_noted_of_the_new_one(self, desk: Desk) -> None:
        ref = await desk.account()
        verify = TransIP.verify_credentials

        async def change_meanwhile(client: TransIP) -> None:
            await verify(client)
            await desk.set(ref, api_key_encrypted="another")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(TransIP, "verify_credentials", change_meanwhile)
            assert (await self.validated(desk, ref)).valid
        assert (await desk.row(ref)).validation == ""
