"""Each change of a subscription: what it leaves when it goes well, when it waits, and when it is taken back."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError

from db.models_sales import Refund
from db.queries import access
from domain.fulfilment import FulfilmentOrder
from domain.provisioning import RetryRequest, RollbackRequest
from domain.sales import JobType
from tests.workflows.changes import ChangeWorld
from tests.workflows.world import until_parked
from workflows.subscription_changes import SubscriptionChange


class TestSuspension:
    async def test_site_and_mail_go_off_and_the_customer_is_told_why(
        self, changes: ChangeWorld, client: Client
    ) -> None:
        order = await changes.live(client, "offline", domain="offline.example")
        handle = await changes.change(client, order, JobType.SUSPEND, reason="spam was sent")
        assert await handle.result() == "Suspended; the site says so"
        held = await changes.held(order)
        assert held.subscription.status == "SUSPENDED"
        assert held.subscription.suspended_for == "spam was sent"
        assert held.account is not None
        assert held.mailbox is not None
        assert (held.account.status, held.mailbox.status) == ("SUSPENDED", "SUSPENDED")
        assert await changes.letters(order) == ["site-live", "site-suspended"]
        assert changes.count["suspend_site"] == changes.count["suspend_mail"] == 1
        assert (await changes.job(changes.last)).status == "SUCCESS"

    async def test_what_fails_waits_for_an_operator_and_goes_on(self, changes: ChangeWorld, client: Client) -> None:
        order = await changes.live(client, "stuck")
        changes.fail("suspend_mail", "Conflict", times=1)
        handle = await changes.change(client, order, JobType.SUSPEND)
        await until_parked(handle, "suspend_mail")
        assert (await changes.job(changes.last)).status == "WAITING"
        assert (await changes.held(order)).subscription.status == "ACTIVE"
        await handle.execute_update(SubscriptionChange.retry_step, RetryRequest())
        await handle.result()
        assert (await changes.held(order)).subscription.status == "SUSPENDED"

    async def test_taken_back_everything_is_on_again(self, changes: ChangeWorld, client: Client) -> None:
        order = await changes.live(client, "mistake")
        changes.fail("suspend_mail", "Conflict")
        handle = await changes.change(client, order, JobType.SUSPEND)
        await until_parked(handle, "suspend_mail")
        await handle.execute_update(SubscriptionChange.roll_back_run, RollbackRequest(reason="the wrong one"))
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        assert changes.count["reopen_site"] == changes.count["reopen_mail"] == 1
        assert (await changes.held(order)).subscription.status == "ACTIVE"
        assert await changes.letters(order) == ["site-live"]


class TestResumption:
    async def suspended(self, changes: ChangeWorld, client: Client, name: str) -> FulfilmentOrder:
        order = await changes.live(client, name)
        await (await changes.change(client, order, JobType.SUSPEND)).result()
        return order

    async def test_everything_is_on_again(self, changes: ChangeWorld, client: Client) -> None:
        order = await self.suspended(changes, client, "again")
        await (await changes.change(client, order, JobType.RESUME, reason="paid")).result()
        held = await changes.held(order)
        assert (held.subscription.status, held.subscription.suspended_at) == ("ACTIVE", None)
        assert held.account is not None
        assert held.account.status == "ACTIVE"
        assert await changes.letters(order) == ["site-live", "site-suspended", "site-resumed"]

    async def test_taken_back_it_stays_suspended(self, changes: ChangeWorld, client: Client) -> None:
        order = await self.suspended(changes, client, "notyet")
        changes.fail("resume_mail", "HostKeyMismatch")
        handle = await changes.change(client, order, JobType.RESUME)
        await until_parked(handle, "resume_mail")
        await handle.signal("rollback", "not paid after all")
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        assert changes.count["suspend_site"] == 2
        assert (await changes.held(order)).subscription.status == "SUSPENDED"


class TestLimits:
    async def test_price_and_sizes_change_in_the_end(self, changes: ChangeWorld, client: Client) -> None:
        order = await changes.live(client, "grown")
        price = await changes.price(disk_mb=5000, mailbox_mb=3000)
        await (await changes.change(client, order, JobType.CHANGE_LIMITS, price_id=price)).result()
        held = await changes.held(order)
        assert held.account is not None
        assert held.mailbox is not None
        assert str(held.subscription.price_id) == price
        assert (held.account.quota_mb, held.mailbox.quota_mb) == (5000, 3000)
        assert await changes.letters(order) == ["site-live", "plan-changed"]

    async def test_too_small_waits_and_goes_on_with_another_price(self, changes: ChangeWorld, client: Client) -> None:
        order = await changes.live(client, "shrunk")
        small, enough = await changes.price(disk_mb=100), await changes.price(disk_mb=2000)
        changes.fail("check_limits", "InvalidInput", "900 MB are used", times=1)
        handle = await changes.change(client, order, JobType.CHANGE_LIMITS, price_id=small)
        await until_parked(handle, "check_limits")
        (wait,) = (await changes.job(changes.last)).parked
        assert (wait["editable"], wait["current"]) == (["price_id"], {"price_id": small})
        await handle.execute_update(SubscriptionChange.retry_step, RetryRequest(changes={"price_id": enough}))
        await handle.result()
        assert str((await changes.held(order)).subscription.price_id) == enough

    async def test_taken_back_the_old_limits_hold(self, changes: ChangeWorld, client: Client) -> None:
        order = await changes.live(client, "sameold")
        before = (await changes.held(order)).subscription.price_id
        changes.fail("change_mailbox_size", "CommandFailed")
        handle = await changes.change(client, order, JobType.CHANGE_LIMITS, price_id=await changes.price(disk_mb=2000))
        await until_parked(handle, "change_mailbox_size")
        await handle.execute_update(SubscriptionChange.roll_back_run, RollbackRequest())
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        assert changes.count["restore_disk"] == changes.count["restore_mailbox_size"] == 1
        assert (await changes.held(order)).subscription.price_id == before

    async def test_money_follows_the_limits_and_goes_back_with_them(self, changes: ChangeWorld, client: Client) -> None:
        order = await changes.live(client, "refused")
        changes.fail("change_price", "NotFound")
        handle = await changes.change(client, order, JobType.CHANGE_LIMITS, price_id=await changes.price(disk_mb=2000))
        await until_parked(handle, "change_price")
        assert changes.count["change_disk"] == changes.count["change_mailbox_size"] == 1
        (wait,) = (await changes.job(changes.last)).parked
        assert wait["owner"] == "billing"
        await handle.execute_update(SubscriptionChange.roll_back_run, RollbackRequest())
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        undone = [name for name in changes.calls if name.startswith("restore_")]
        assert undone[0] == "restore_price"
        assert sorted(undone) == ["restore_disk", "restore_mailbox_size", "restore_price"]
        assert await changes.letters(order) == ["site-live"]


class TestRefund:
    async def test_money_goes_back_and_the_site_stays(self, changes: ChangeWorld, client: Client) -> None:
        order = await changes.live(client, "goodwill")
        await (await changes.change(client, order, JobType.REFUND, reason="goodwill")).result()
        held = await changes.held(order)
        assert (held.order.status, held.subscription.status) == ("REFUNDED", "ACTIVE")
        assert changes.count["send_refund"] == 1

    async def test_one_that_fails_waits_for_billing_and_cannot_be_taken_back(
        self, changes: ChangeWorld, client: Client
    ) -> None:
        order = await changes.live(client, "byhand")
        changes.fail("send_refund", "MissingSetting", times=1)
        handle = await changes.change(client, order, JobType.REFUND, reason="goodwill")
        await until_parked(handle, "refund_order")
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update(SubscriptionChange.roll_back_run, RollbackRequest())
        retry = RetryRequest(changes={"refund_reference": "re_by_hand_too"})
        await handle.execute_update(SubscriptionChange.retry_step, retry)
        await handle.result()
        async with changes.db.begin() as session:
            query = select(Refund).where(Refund.stripe_refund_id == "re_by_hand_too")
            assert (await session.execute(query)).scalar_one().status == "SUCCEEDED"


class TestPeriodEnd:
    async def test_a_cancellation_is_a_flag_and_is_taken_back_as_one(
        self, changes: ChangeWorld, client: Client
    ) -> None:
        order = await changes.live(client, "leaving")
        await (await changes.change(client, order, JobType.CANCEL)).result()
        assert (await changes.held(order)).subscription.cancel_at_period_end is True
        await (await changes.change(client, order, JobType.KEEP)).result()
        held = await changes.held(order)
        assert (held.subscription.cancel_at_period_end, held.subscription.status) == (False, "ACTIVE")
        assert await changes.letters(order) == ["site-live", "subscription-cancelled", "subscription-kept"]
        assert changes.count["stop_renewal"] == changes.count["go_on_renewing"] == 1

    async def test_without_the_payment_service_it_waits_and_nothing_is_flagged(
        self, changes: ChangeWorld, client: Client
    ) -> None:
        order = await changes.live(client, "unheard")
        changes.fail("stop_renewal", "MissingSetting")
        handle = await changes.change(client, order, JobType.CANCEL)
        await until_parked(handle, "stop_renewal")
        assert (await changes.held(order)).subscription.cancel_at_period_end is False
        await handle.execute_update(SubscriptionChange.roll_back_run, RollbackRequest())
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        assert changes.count["go_on_renewing"] == 1


class TestAccess:
    @pytest.mark.parametrize("kind", [JobType.MAILBOX_PASSWORD, JobType.SFTP_PASSWORD, JobType.SFTP_KEYS])
    async def test_it_is_one_step(self, changes: ChangeWorld, client: Client, kind: JobType) -> None:
        order = await changes.live(client, f"way-{kind.lower().replace('_', '-')}")
        assert await (await changes.change(client, order, kind)).result()
        assert changes.count[f"set_{kind.lower()}"] == 1

    async def test_taken_back_the_secret_is_destroyed(self, changes: ChangeWorld, client: Client) -> None:
        order = await changes.live(client, "nosecret")
        changes.fail("set_mailbox_password", "NotFound")
        handle = await changes.change(client, order, JobType.MAILBOX_PASSWORD)
        async with changes.db.begin() as session:
            await access.keep(session, changes.deps.keys, changes.last, "$2b$12$hash")
        await until_parked(handle, "set_mailbox_password")
        await handle.execute_update(SubscriptionChange.roll_back_run, RollbackRequest())
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        async with changes.db.begin() as session:
            assert await access.read(session, changes.deps.keys, changes.last) is None
        history = await handle.fetch_history()
        assert "$2b$12$hash" not in history.to_json()
