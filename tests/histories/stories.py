"""The runs whose histories are kept: every family, every terminal and parked state that changes commands."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import exists, select, update
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle

from db.base import new_id
from db.models import Deployment, DeploymentEvent
from domain import ids
from domain.accounts import AccountCall
from domain.certificates import RenewalCall
from domain.dns_records import RecordKey
from domain.inventory import SweepCall
from domain.offers import Offer, OffersCall
from domain.provisioning import (
    Placement,
    PlanOrder,
    ProvisionOrder,
    RetryRequest,
    RollbackRequest,
    RunInputs,
    TerminationOrder,
)
from domain.servers import LookCall, PowerAction
from domain.starting import (
    action_start,
    look_start,
    mail_start,
    offers_start,
    renewal_start,
    set_up_start,
    termination_start,
    zone_look_start,
    zone_start,
)
from domain.statuses import DeploymentType, StepState, Tier
from domain.zones import ChangeKind, ZoneCall
from tests.histories.hosting_stories import HOSTING_STORIES
from tests.workflows import certificates
from tests.workflows.changes import ChangeWorld
from tests.workflows.world import World, until_parked
from workflows.accounts import AccountCheck
from workflows.house_servers import SetUpServer
from workflows.mails import SendMail
from workflows.offers import ReadOffers
from workflows.planning import Planning
from workflows.provisioning import Provisioning
from workflows.renewals import RenewCertificate
from workflows.server_actions import LookAtServer, ServerActions
from workflows.sweeps import CertificateSweep, InventorySweep, PaymentSweep, StartSweep
from workflows.termination import Termination
from workflows.zones import ChangeZone, LookAtZone

Story = Callable[[ChangeWorld, Client], Awaitable[WorkflowHandle[Any, Any]]]
SOON = 1 / 3600  # hours until a wait escalates: these stories run in real time


async def ended(handle: WorkflowHandle[Any, Any]) -> WorkflowHandle[Any, Any]:
    with contextlib.suppress(WorkflowFailureError):  # rolled back and cancelled runs end as failures
        await handle.result()
    return handle


async def until_noted(world: World, order: ProvisionOrder, state: StepState) -> None:
    told = exists().where(DeploymentEvent.deployment_id == order.deployment_id, DeploymentEvent.state == state)
    for _ in range(400):
        async with world.db.begin() as session:
            if (await session.execute(select(told))).scalar_one():
                return
        await asyncio.sleep(0.05)
    raise AssertionError(f"the run never told of {state}")


# ---- provisioning: the ways through


async def happy(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    return await ended(await world.start(client, await world.order("happy")))


async def shared_on_new(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    return await ended(await world.start(client, await world.order("founder", "shared")))


async def shared_on_existing(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    await ended(await world.start(client, await world.order("neighbour", "shared")))
    return await ended(await world.start(client, await world.order("tenant", "shared")))


async def parked_and_retried(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    world.fail("run_migrations", "MigrationFailed", times=1)
    handle = await world.start(client, await world.order("retried"))
    await until_parked(handle, "run_migrations")
    await handle.execute_update(
        Provisioning.retry_step, RetryRequest(changes={"migration_command": ["npm", "run", "migrate"]}))  # fmt: skip
    return await ended(handle)


async def escalated_and_retried(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    world.fail("health_check", "ExposedPort", times=1)
    order = await world.order("overdue", park_hours=SOON)
    handle = await world.start(client, order)
    await until_noted(world, order, StepState.ESCALATED)
    await handle.signal("retry")
    return await ended(handle)


# ---- provisioning: the waits, as they stand when a new version is rolled out


async def parked(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    world.fail("create_server", "QuotaExceeded")
    handle = await world.start(client, await world.order("waiting"))
    await until_parked(handle, "create_server")
    return handle


async def parked_in_two_branches(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    world.fail("publish_dns", "Conflict")
    world.fail("issue_certificate", "RateLimited")
    world.fail("start_services", "CommandFailed")
    handle = await world.start(client, await world.order("branches"))
    await until_parked(handle, "publish_dns", "issue_certificate", "start_services")
    return handle


async def parked_in_undo(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    world.fail("start_services", "CommandFailed")
    world.fail("destroy_server", "Unauthorized")
    handle = await world.start(client, await world.order("half"))
    await until_parked(handle, "start_services")
    await handle.execute_update(Provisioning.roll_back_run, RollbackRequest(reason="not wanted"))
    await until_parked(handle, "create_server")
    return handle


async def parked_and_escalated(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    world.fail("set_up_server", "DiskFull")
    order = await world.order("forgotten", park_hours=SOON)
    handle = await world.start(client, order)
    await until_noted(world, order, StepState.ESCALATED)
    return handle


# ---- provisioning: the ways back


async def rolled_back(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    world.fail("run_migrations", "MigrationFailed")
    handle = await world.start(client, await world.order("undone"))
    await until_parked(handle, "run_migrations")
    await handle.execute_update(Provisioning.roll_back_run, RollbackRequest(reason="by request"))
    return await ended(handle)


async def rolled_back_after_stuck_undo(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    world.fail("start_services", "CommandFailed")
    world.fail("destroy_server", "Unauthorized", times=1)
    handle = await world.start(client, await world.order("stuck"))
    await until_parked(handle, "start_services")
    await handle.signal("rollback", {"reason": "signal"})
    await until_parked(handle, "create_server")
    await handle.signal("retry")
    return await ended(handle)


async def shared_rolled_back(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    await ended(await world.start(client, await world.order("settled", "shared")))
    world.fail("issue_certificate", "RateLimited")
    handle = await world.start(client, await world.order("leaver", "shared"))
    await until_parked(handle, "issue_certificate")
    await handle.execute_update(Provisioning.roll_back_run, RollbackRequest(reason="by request"))
    return await ended(handle)


async def cancelled(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    reached = world.hold("start_services")
    handle = await world.start(client, await world.order("cancelled"))
    await asyncio.wait_for(reached.wait(), 30)
    await handle.cancel()
    world.holds["start_services"].set()
    return await ended(handle)


async def cancelled_while_parked(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    world.fail("await_ssh", "HostKeyMismatch")
    handle = await world.start(client, await world.order("givenup"))
    await until_parked(handle, "await_ssh")
    await handle.cancel()
    return await ended(handle)


async def cancelled_and_called_back(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    """As above, by a run that asks first whether it has handed over; those above were recorded before that."""
    world.fail("await_ssh", "HostKeyMismatch")
    handle = await world.start(client, await world.order("calledback"))
    await until_parked(handle, "await_ssh")
    await handle.cancel()
    return await ended(handle)


async def cancelled_too_late(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    world.fail("health_check", "ExposedPort")
    order = await world.order("toolate")
    handle = await world.start(client, order)
    await until_parked(handle, "health_check")
    async with world.db.begin() as session:  # as a workflow task does that is given up afterwards
        await session.execute(
            update(Deployment).where(Deployment.id == order.deployment_id)
            .values(activated_at=datetime.now(UTC), access_url=f"https://{order.fqdn}"))  # fmt: skip
    await handle.cancel()
    return await ended(handle)


# ---- termination, planning, sweeps


async def terminate(world: World, client: Client, order: ProvisionOrder, **more: Any) -> WorkflowHandle[Any, Any]:
    """Provision, then begin to terminate."""
    await ended(await world.start(client, order))
    return await client.start_workflow(
        Termination.run,
        TerminationOrder(deployment_id=order.deployment_id, slug=order.slug, fqdn=order.fqdn,
                         deployment_type=order.deployment_type, **more),
        id=ids.termination_workflow_id(order.deployment_id), task_queue=ids.RUNS_QUEUE)  # fmt: skip


async def terminated(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    world.fail("withdraw_dns", "Transient", times=1)
    termination = await terminate(world, client, await world.order("terminated"))
    await until_parked(termination, "withdraw_dns")
    await termination.signal("retry")
    return await ended(termination)


async def terminated_later(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    return await ended(await terminate(world, client, await world.order("later"), immediately=False))


async def terminated_shared(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    await ended(await world.start(client, await world.order("stays", "shared")))
    return await ended(await terminate(world, client, await world.order("leaves", "shared")))


async def termination_parked(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    world.fail("destroy_server", "Unauthorized")
    handle = await terminate(world, client, await world.order("sticky"))
    await until_parked(handle, "destroy_server")
    return handle


async def planned(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    return await ended(await plan(client, "planned", DeploymentType.DEDICATED))


async def planned_on_existing(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    await ended(await world.start(client, await world.order("resident", "shared")))
    return await ended(await plan(client, "newcomer", DeploymentType.SHARED))


# ---- bare servers


async def bare_server(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    return await ended(await world.start(client, await world.order("bare", "server")))


async def bare_server_taken_back(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    world.fail("await_server", "Conflict")
    handle = await world.start(client, await world.order("bareback", "server"))
    await until_parked(handle, "await_server")
    await handle.execute_update(Provisioning.roll_back_run, RollbackRequest(reason="story"))
    return await ended(handle)


async def bare_server_deleted(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    order = await world.order("baredel", "server")
    await ended(await world.start(client, order))
    end = TerminationOrder(deployment_id=order.deployment_id, slug=order.slug, fqdn="",
                           deployment_type=DeploymentType.SERVER)  # fmt: skip
    return await ended(await client.start_workflow(Termination.run, end, **termination_start(end)))


async def moved_elsewhere(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    world.fail("create_server", "QuotaExceeded", times=1)
    inputs = RunInputs(fallbacks=[Placement(provider="digitalocean")])
    return await ended(await world.start(client, await world.order("moved", inputs=inputs)))


async def action(world: World, client: Client, slug: str) -> WorkflowHandle[Any, Any]:
    order = await world.order(slug, "server")
    await ended(await world.start(client, order))
    call = await world.ask(order, PowerAction.REBOOT)
    return await ended(await client.start_workflow(ServerActions.run, call, **action_start(call)))


async def action_done(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    return await action(world, client, "acted")


async def action_failed(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    world.fail("send_action", "Unconfirmed")
    return await action(world, client, "failed")


async def looked_at(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    call = LookCall(vps_id=str(new_id()), provider="transip")
    return await ended(await client.start_workflow(LookAtServer.run, call, **look_start(call)))


async def plan(client: Client, slug: str, kind: DeploymentType) -> WorkflowHandle[Any, Any]:
    order = PlanOrder(slug=slug, fqdn=f"{slug}.slipway.test", deployment_type=kind, tier=Tier.PROFESSIONAL)
    return await client.start_workflow(
        Planning.run, order, id=ids.plan_workflow_id(slug), task_queue=ids.RUNS_QUEUE)  # fmt: skip


async def swept(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    order = await world.order("lost")
    async with world.db.begin() as session:
        old = datetime.now(UTC) - timedelta(minutes=2)
        await session.execute(update(Deployment).where(Deployment.id == order.deployment_id).values(created_at=old))
    sweep = await ended(await client.start_workflow(StartSweep.run, id="sweep", task_queue=ids.RUNS_QUEUE))
    await ended(client.get_workflow_handle(ids.provisioning_workflow_id(order.deployment_id)))
    return sweep


async def inventory_swept(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    return await ended(await client.start_workflow(
        InventorySweep.run, SweepCall(provider="transip"), id="inventory", task_queue=ids.RUNS_QUEUE))  # fmt: skip


async def offers_read(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    world.fail("read_offers", "Transient", times=1, final=False)
    call = OffersCall(provider="transip", provider_id=str(new_id()), resource=Offer.IMAGES)
    return await ended(await client.start_workflow(ReadOffers.run, call, **offers_start(call)))


async def mail_sent(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    world.fail("send_mail", "Transient", times=1, final=False)
    call = await world.mail()
    return await ended(await client.start_workflow(SendMail.run, call, **mail_start(call)))


async def mail_given_up(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    world.fail("send_mail", "InvalidInput", "the mail server refused the recipient (550)")
    call = await world.mail()
    return await ended(await client.start_workflow(SendMail.run, call, **mail_start(call)))


async def account_checked(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    call = AccountCall(provider="transip", provider_id="0198c0de-0000-7000-8000-000000000001")
    return await ended(await client.start_workflow(
        AccountCheck.run, call, id="account-check", task_queue=ids.RUNS_QUEUE))  # fmt: skip


async def house_server_set_up(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    world.fail("check_house_server", "Unhealthy", times=1, final=False)
    order = await world.house_server("web1.example.com")
    return await ended(await client.start_workflow(SetUpServer.run, order, **set_up_start(order)))


async def name_server_set_up(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    order = await world.house_server("ns1.example.com", "dns")
    return await ended(await client.start_workflow(SetUpServer.run, order, **set_up_start(order)))


async def house_server_parked(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    world.fail("await_house_ssh", "HostKeyMismatch")
    order = await world.house_server("web2.example.com")
    handle = await client.start_workflow(SetUpServer.run, order, **set_up_start(order))
    await until_parked(handle, "await_house_ssh")
    return handle


async def house_server_given_up(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    world.fail("set_up_house_server", "InvalidInput")
    order = await world.house_server("web3.example.com")
    handle = await client.start_workflow(SetUpServer.run, order, **set_up_start(order))
    await until_parked(handle, "set_up_house_server")
    await handle.execute_update(SetUpServer.roll_back_run, RollbackRequest(reason="another system"))
    return await ended(handle)


async def zone_changed(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    zone = await world.zone("changed.example")
    await world.zone_change(zone)
    await world.zone_change(zone, ChangeKind.SET, RecordKey(name="www.changed.example", type="A"))
    world.fail("change_zone", "NotReady", times=1, final=False)
    call = ZoneCall(zone_id=str(zone.id), zone_name=zone.zone_name)
    return await ended(await client.start_workflow(ChangeZone.run, call, **zone_start(call)))


async def zone_change_failed(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    zone = await world.zone("refused.example")
    await world.zone_change(zone)
    world.fail("change_zone", "Conflict", "the zone is somebody else's")
    call = ZoneCall(zone_id=str(zone.id), zone_name=zone.zone_name)
    return await ended(await client.start_workflow(ChangeZone.run, call, **zone_start(call)))


async def zone_looked_at(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    call = ZoneCall(zone_id=str(new_id()), zone_name="seen.example")
    return await ended(await client.start_workflow(LookAtZone.run, call, **zone_look_start(call)))


async def certificate_renewed(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    return await _renewal(world, client, "renewed")


async def certificate_rehearsed(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    certificates.ANSWERS.append(None)
    return await _renewal(world, client, "rehearsed")


async def certificate_limited(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    certificates.ANSWERS.append(certificates.limited(datetime.now(UTC) + timedelta(hours=3)))
    return await _renewal(world, client, "limited")


async def certificate_put_back(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    world.fail("verify_renewal", "Unhealthy")
    return await _renewal(world, client, "putback")


async def certificate_uploaded(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    row = await certificates.uploaded(world, "uploaded")
    call = RenewalCall(certificate_id=str(row.id))
    return await ended(await client.start_workflow(RenewCertificate.run, call, **renewal_start(call)))


async def certificate_not_due(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    return await _renewal(world, client, "young", age=timedelta(days=2))


async def _renewal(world: World, client: Client, slug: str, **columns: Any) -> WorkflowHandle[Any, Any]:
    row = await certificates.served(world, slug, **{"age": timedelta(days=70)} | columns)
    call = RenewalCall(certificate_id=str(row.id))
    return await ended(await client.start_workflow(RenewCertificate.run, call, **renewal_start(call)))


async def certificates_swept(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    return await ended(await client.start_workflow(CertificateSweep.run, id="sweep/certificates", task_queue="runs"))


async def payments_swept(world: World, client: Client) -> WorkflowHandle[Any, Any]:
    world.fail("fetch_payment_events", "Transient", times=1, final=False)
    return await ended(await client.start_workflow(PaymentSweep.run, id="sweep/payments", task_queue="runs"))


STORIES: dict[str, Story] = {
    story.__name__: story
    for story in (
        *HOSTING_STORIES.values(),
        happy, shared_on_new, shared_on_existing, parked_and_retried, escalated_and_retried,
        parked, parked_in_two_branches, parked_in_undo, parked_and_escalated,
        rolled_back, rolled_back_after_stuck_undo, shared_rolled_back, cancelled, cancelled_while_parked,
        cancelled_and_called_back, cancelled_too_late,
        terminated, terminated_later, terminated_shared, termination_parked,
        planned, planned_on_existing, swept, inventory_swept, offers_read, account_checked,
        bare_server, bare_server_taken_back, bare_server_deleted, moved_elsewhere, action_done, action_failed,
        looked_at, mail_sent, mail_given_up,
        house_server_set_up, name_server_set_up, house_server_parked, house_server_given_up,
        certificate_renewed, certificate_rehearsed, certificate_limited, certificate_put_back, certificate_not_due,
        certificate_uploaded,
        certificates_swept, payments_swept,
        zone_changed, zone_change_failed, zone_looked_at,
    )
}  # fmt: skip
