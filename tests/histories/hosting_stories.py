"""Stories of orders and subscriptions whose histories are kept: each family and kind, how it ends, where it waits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle

from domain import ids
from domain.fulfilment import FulfilmentOrder
from domain.provisioning import RetryRequest, RollbackRequest
from domain.sales import JobType
from tests.workflows.changes import ChangeWorld
from tests.workflows.world import until_parked
from workflows.fulfilment import Fulfilment
from workflows.subscription_changes import SubscriptionChange
from workflows.sweeps import LifecycleSweep

Handle = WorkflowHandle[Any, Any]
Story = Callable[[ChangeWorld, Client], Awaitable[Handle]]


async def ended(handle: Handle) -> Handle:
    with contextlib.suppress(WorkflowFailureError):  # taken back and cancelled runs end as failures
        await handle.result()
    return handle


# ---- orders ---------------------------------------------------------------------------------------------------------


async def ordered(world: ChangeWorld, client: Client, name: str) -> tuple[FulfilmentOrder, Handle]:
    await world.server()
    await world.server("mail")
    order = await world.paid(name, domain=f"{name}.example")
    return order, await world.begin(client, order)


def part(client: Client, order: FulfilmentOrder, kind: JobType) -> Handle:
    return client.get_workflow_handle(ids.part_workflow_id(order.payment_intent, kind))


async def order_delivered(world: ChangeWorld, client: Client) -> Handle:
    return await ended((await ordered(world, client, "delivered"))[1])


async def zone_part(world: ChangeWorld, client: Client) -> Handle:
    order, run = await ordered(world, client, "zonepart")
    await ended(run)
    return part(client, order, JobType.PROVISION_DNS)


async def site_part(world: ChangeWorld, client: Client) -> Handle:
    order, run = await ordered(world, client, "sitepart")
    await ended(run)
    return part(client, order, JobType.PROVISION_HOSTING)


async def mail_part(world: ChangeWorld, client: Client) -> Handle:
    order, run = await ordered(world, client, "mailpart")
    await ended(run)
    return part(client, order, JobType.PROVISION_MAIL)


async def order_with_a_part_parked(world: ChangeWorld, client: Client) -> Handle:
    world.fail("create_site", "CommandFailed")
    order, run = await ordered(world, client, "halfdone")
    await until_parked(part(client, order, JobType.PROVISION_HOSTING), "create_site")
    return run


async def part_parked(world: ChangeWorld, client: Client) -> Handle:
    world.fail("publish_zone", "Conflict")
    order, _ = await ordered(world, client, "waits")
    zone = part(client, order, JobType.PROVISION_DNS)
    await until_parked(zone, "publish_zone")
    return zone


async def order_taken_back(world: ChangeWorld, client: Client) -> Handle:
    world.fail("check_site", "Unhealthy")
    _, run = await ordered(world, client, "takenback")
    await until_parked(run, "check_site")
    await run.execute_update(Fulfilment.roll_back_run, RollbackRequest(reason="by request"))
    return await ended(run)


async def order_taken_back_by_a_part(world: ChangeWorld, client: Client) -> Handle:
    world.fail("create_mailbox", "Conflict")
    order, run = await ordered(world, client, "partback")
    mail = part(client, order, JobType.PROVISION_MAIL)
    await until_parked(mail, "create_mailbox")
    await mail.signal("rollback", "by request")
    return await ended(run)


async def order_cancelled(world: ChangeWorld, client: Client) -> Handle:
    reached = world.hold("create_site")
    _, run = await ordered(world, client, "orderstop")
    await asyncio.wait_for(reached.wait(), 30)
    await run.cancel()
    return await ended(run)


# ---- subscriptions --------------------------------------------------------------------------------------------------


async def changed(world: ChangeWorld, client: Client, name: str, kind: JobType, **asked: Any) -> Handle:
    return await world.change(client, await world.live(client, name, domain=f"{name}.example"), kind, **asked)


async def site_suspended(world: ChangeWorld, client: Client) -> Handle:
    return await ended(await changed(world, client, "suspended", JobType.SUSPEND, reason="spam"))


async def suspension_parked(world: ChangeWorld, client: Client, name: str = "stuckoff") -> Handle:
    world.fail("suspend_mail", "Conflict")
    run = await changed(world, client, name, JobType.SUSPEND)
    await until_parked(run, "suspend_mail")
    return run


async def suspension_taken_back(world: ChangeWorld, client: Client) -> Handle:
    run = await suspension_parked(world, client, "offagain")
    await run.execute_update(SubscriptionChange.roll_back_run, RollbackRequest(reason="by request"))
    return await ended(run)


async def site_resumed(world: ChangeWorld, client: Client) -> Handle:
    order = await world.live(client, "resumed")
    await ended(await world.change(client, order, JobType.SUSPEND))
    return await ended(await world.change(client, order, JobType.RESUME))


async def limits_changed(world: ChangeWorld, client: Client) -> Handle:
    world.fail("check_limits", "InvalidInput", times=1)
    price = await world.price(disk_mb=3000)
    run = await changed(world, client, "limits", JobType.CHANGE_LIMITS, price_id=price)
    await until_parked(run, "check_limits")
    await run.execute_update(SubscriptionChange.retry_step, RetryRequest(changes={"price_id": price}))
    return await ended(run)


async def limits_taken_back(world: ChangeWorld, client: Client) -> Handle:
    world.fail("change_mailbox_size", "CommandFailed")
    run = await changed(world, client, "oldlimits", JobType.CHANGE_LIMITS, price_id=await world.price(disk_mb=3000))
    await until_parked(run, "change_mailbox_size")
    await run.execute_update(SubscriptionChange.roll_back_run, RollbackRequest(reason="by request"))
    return await ended(run)


async def subscription_ended(world: ChangeWorld, client: Client) -> Handle:
    return await ended(await changed(world, client, "endedsub", JobType.TERMINATE))


async def end_parked_in_backup(world: ChangeWorld, client: Client, name: str = "nobackup") -> Handle:
    world.fail("back_up_site", "DiskFull")
    run = await changed(world, client, name, JobType.TERMINATE)
    await until_parked(run, "back_up_site")
    return run


async def end_taken_back(world: ChangeWorld, client: Client) -> Handle:
    run = await end_parked_in_backup(world, client, "backagain")
    await run.execute_update(SubscriptionChange.roll_back_run, RollbackRequest(reason="by request"))
    return await ended(run)


async def end_parked_in_removal(world: ChangeWorld, client: Client, name: str = "halfgone") -> Handle:
    world.fail("end_account", "HostKeyMismatch")
    run = await changed(world, client, name, JobType.TERMINATE)
    await until_parked(run, "end_account")
    return run


async def end_cancelled_too_late(world: ChangeWorld, client: Client) -> Handle:
    run = await end_parked_in_removal(world, client, "stopped")
    await run.cancel()
    world.heal("end_account")
    await run.signal("retry")
    return await ended(run)


async def paid_back(world: ChangeWorld, client: Client) -> Handle:
    return await ended(await changed(world, client, "paidback", JobType.REFUND))


async def cancelled_at_period_end(world: ChangeWorld, client: Client) -> Handle:
    return await ended(await changed(world, client, "leaves", JobType.CANCEL))


async def kept_after_all(world: ChangeWorld, client: Client) -> Handle:
    order = await world.live(client, "stays")
    await ended(await world.change(client, order, JobType.CANCEL))
    return await ended(await world.change(client, order, JobType.KEEP))


async def backups_discarded(world: ChangeWorld, client: Client) -> Handle:
    return await ended(await changed(world, client, "discarded", JobType.DISCARD_BACKUPS))


async def password_set(world: ChangeWorld, client: Client) -> Handle:
    return await ended(await changed(world, client, "password", JobType.MAILBOX_PASSWORD))


async def keys_taken_back(world: ChangeWorld, client: Client) -> Handle:
    world.fail("set_sftp_keys", "NotFound")
    run = await changed(world, client, "nokeys", JobType.SFTP_KEYS)
    await until_parked(run, "set_sftp_keys")
    await run.execute_update(SubscriptionChange.roll_back_run, RollbackRequest(reason="by request"))
    return await ended(run)


async def lifecycles_swept(world: ChangeWorld, client: Client) -> Handle:
    return await ended(await client.start_workflow(LifecycleSweep.run, id="lifecycles", task_queue=ids.RUNS_QUEUE))


HOSTING_STORIES: dict[str, Story] = {
    story.__name__: story
    for story in (
        order_delivered, zone_part, site_part, mail_part, order_with_a_part_parked, part_parked, order_taken_back,
        order_taken_back_by_a_part, order_cancelled, site_suspended, suspension_parked, suspension_taken_back,
        site_resumed, limits_changed, limits_taken_back, subscription_ended, end_parked_in_backup, end_taken_back,
        end_parked_in_removal, end_cancelled_too_late, paid_back, cancelled_at_period_end, kept_after_all,
        backups_discarded, password_set, keys_taken_back, lifecycles_swept,
    )
}  # fmt: skip
