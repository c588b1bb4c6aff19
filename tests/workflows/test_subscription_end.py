"""The end of a subscription: the backup first, then the removal, in order, and no way back behind it."""

from __future__ import annotations

import contextlib

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment

from db.keyring import KeyRing
from db.session import Database
from domain.provisioning import RetryRequest, RollbackRequest
from domain.sales import JobType
from tests.workflows.changes import ChangeWorld
from tests.workflows.world import until_parked
from workflows.subscription_changes import SubscriptionChange

BACKUPS = ("back_up_site", "back_up_mail", "export_zone")
REMOVALS = ("end_billing", "withdraw_zone", "end_account", "end_mailbox")


async def test_nothing_is_removed_before_everything_is_backed_up(changes: ChangeWorld, client: Client) -> None:
    order = await changes.live(client, "farewell", domain="farewell.example")
    handle = await changes.change(client, order, JobType.TERMINATE, reason="by request")
    assert await handle.result() == "Ended; the last backup is kept"
    when = {name: changes.calls.index(name) for name in (*BACKUPS, *REMOVALS, "suspend_site", "prove_account_absent")}
    assert max(when["suspend_site"], *(when[name] for name in BACKUPS)) < when["end_billing"] < when["withdraw_zone"]
    assert when["withdraw_zone"] < min(when["end_account"], when["end_mailbox"]) < when["prove_account_absent"]
    held = await changes.held(order)
    assert held.domain is not None
    assert held.zone is not None
    assert held.account is not None
    assert held.mailbox is not None
    assert (held.subscription.status, held.subscription.ended_at is not None) == ("TERMINATED", True)
    assert {held.domain.status, held.zone.status, held.account.status, held.mailbox.status} == {"REMOVED"}
    job = await changes.job(changes.last)
    assert job.status == "SUCCESS"
    assert job.absence is not None
    assert len(job.absence["proofs"]) == 3
    rows = await changes.backup_rows(order)
    assert {row.status for row in rows} == {"SUCCESS"}
    assert all(row.keep_until is not None and row.job_id == job.id for row in rows)
    assert await changes.letters(order) == ["site-live", "subscription-ended"]


@pytest.mark.parametrize("step", ["back_up_site", "back_up_mail", "export_zone"])
async def test_a_backup_that_fails_removes_nothing_and_can_be_taken_back(
    changes: ChangeWorld, client: Client, step: str
) -> None:
    order = await changes.live(client, f"kept-{step.replace('_', '-')}", domain=f"{step.replace('_', '-')}.example")
    changes.fail(step, "DiskFull")
    handle = await changes.change(client, order, JobType.TERMINATE)
    await until_parked(handle, step)
    await handle.execute_update(SubscriptionChange.roll_back_run, RollbackRequest(reason="they stay"))
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    assert not set(REMOVALS) & set(changes.calls)
    assert changes.count["reopen_site"] == changes.count["reopen_mail"] == 1
    assert (await changes.held(order)).subscription.status == "ACTIVE"
    assert "PENDING" not in {row.status for row in await changes.backup_rows(order)}
    assert (await changes.job(changes.last)).status == "FAILED"


async def test_once_removal_has_begun_it_is_retried_and_never_taken_back(changes: ChangeWorld, client: Client) -> None:
    order = await changes.live(client, "noway")
    changes.fail("end_account", "Transient", times=1)
    handle = await changes.change(client, order, JobType.TERMINATE)
    await until_parked(handle, "end_account")
    with pytest.raises(WorkflowUpdateFailedError):
        await handle.execute_update(SubscriptionChange.roll_back_run, RollbackRequest())
    await handle.execute_update(SubscriptionChange.retry_step, RetryRequest())
    await handle.result()
    assert "reopen_site" not in changes.calls
    assert (await changes.held(order)).subscription.status == "TERMINATED"


async def test_once_removal_has_begun_nothing_cancels_it(changes: ChangeWorld, client: Client) -> None:
    order = await changes.live(client, "halfway")
    reached = changes.hold("end_account")
    handle = await changes.change(client, order, JobType.TERMINATE)
    await reached.wait()
    await handle.cancel()
    changes.holds["end_account"].set()
    assert await handle.result() == "Ended; the last backup is kept"
    assert "reopen_site" not in changes.calls
    assert (await changes.job(changes.last)).status == "SUCCESS"
    assert (await changes.held(order)).subscription.status == "TERMINATED"


async def test_cancelled_before_removal_everything_is_on_again(changes: ChangeWorld, client: Client) -> None:
    order = await changes.live(client, "early")
    reached = changes.hold("back_up_site")
    handle = await changes.change(client, order, JobType.TERMINATE)
    await reached.wait()
    await handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    assert changes.count["reopen_site"] == 1
    assert not set(REMOVALS) & set(changes.calls)
    assert (await changes.held(order)).subscription.status == "ACTIVE"


async def test_with_its_workers_killed_half_way_it_ends_once(
    temporal_env: WorkflowEnvironment, db: Database, keys: KeyRing, client: Client
) -> None:
    first = ChangeWorld(db, keys)
    async with contextlib.AsyncExitStack() as stack:
        for worker in first.workers(client):
            await stack.enter_async_context(worker)
        order = await first.live(client, "killed")
        reached = first.hold("end_account")
        handle = await first.change(client, order, JobType.TERMINATE)
        await reached.wait()
    second = ChangeWorld(db, keys)
    async with contextlib.AsyncExitStack() as stack:
        for worker in second.workers(client):
            await stack.enter_async_context(worker)
        await handle.result()
    assert second.count["end_account"] == 1
    assert not {"suspend_site", "back_up_site", "end_billing"} & set(second.calls)
    assert (await second.held(order)).subscription.status == "TERMINATED"
    assert await second.letters(order) == ["site-live", "subscription-ended"]
