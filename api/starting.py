"""Starting runs: the one place where the API names workflows. Started by name, so that no workflow code is loaded.

A started run is found again by its id (domain/ids.py); starting it twice is starting it once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from temporalio.client import Client, RPCTimeoutOrCancelledError, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from api.errors import ApiError
from api.services import Services
from api.temporal_link import CALL_SECONDS, answered
from db.models import VpsInstance
from db.models_clouds import ServerAction, ServiceProvider
from db.models_hosting import DnsZone
from db.queries import jobs, mails, orders, zone_changes
from db.queries.ordering import mark_started
from db.queries.servers import action_started, call_of
from domain.accounts import AccountCall, AccountChecked
from domain.certificates import RenewalCall
from domain.errors import ErrorCode
from domain.fulfilment import ChangeOrder, FulfilmentOrder
from domain.house_servers import SetUpServerOrder
from domain.ids import (
    RUNS_QUEUE,
    account_check_workflow_id,
    change_workflow_id,
    plan_workflow_id,
    provisioning_workflow_id,
    termination_workflow_id,
)
from domain.inventory import SweepCall
from domain.mails import MailCall
from domain.offers import OffersCall
from domain.provisioning import Plan, PlanOrder, ProvisionOrder, RetryRequest, TerminationOrder
from domain.servers import LookCall, Seen
from domain.starting import (
    RPC_TIMEOUT,
    action_start,
    change_start,
    fulfilment_start,
    inventory_start,
    look_start,
    mail_start,
    offers_start,
    provisioning_start,
    renewal_start,
    set_up_start,
    termination_start,
    zone_look_start,
    zone_start,
)
from domain.zones import ZoneCall, ZoneSeen

log = logging.getLogger("slipway.api")

PROVISIONING = "Provisioning"
TERMINATION = "Termination"
PLANNING = "Planning"
INVENTORY = "InventorySweep"
SERVER_ACTIONS = "ServerActions"
LOOK_AT_SERVER = "LookAtServer"
OFFERS = "ReadOffers"
ACCOUNT_CHECK = "AccountCheck"
SEND_MAIL = "SendMail"
FULFILMENT = "Fulfilment"
SUBSCRIPTION_CHANGE = "SubscriptionChange"
SET_UP_SERVER = "SetUpServer"
RENEW_CERTIFICATE = "RenewCertificate"
CHANGE_ZONE = "ChangeZone"
LOOK_AT_ZONE = "LookAtZone"

# A plan asks the cloud for prices; its answer is waited for that long.
PLAN_SECONDS = 20
# A page waits for a look; a slow cloud is said to be slow, and the row is shown.
LOOK_SECONDS = 10
# A list that takes longer is read on without anybody waiting, and is there for the next request.
OFFERS_SECONDS = 10
CHECK_SECONDS = 20


async def start_provisioning(client: Client, order: ProvisionOrder) -> None:
    """Start the run of an order whose row is committed. A run that exists, or existed, is a success."""
    try:
        await client.start_workflow(PROVISIONING, order, **provisioning_start(order))
    except WorkflowAlreadyStartedError:
        log.info("run exists already", extra={"deployment_id": order.deployment_id})


@contextlib.asynccontextmanager
async def _or_by_the_sweep(services: Services, what: str, **about: str) -> AsyncIterator[None]:
    """Around a start whose answer is out already: what fails is counted, and done by the sweep of unstarted rows."""
    try:
        yield
    except (ApiError, DBAPIError, PoolExhausted, OSError) as error:
        services.metrics.starts_failed.inc()
        reason = error.message if isinstance(error, ApiError) else type(error).__name__
        log.warning("%s not started yet", what, extra={**about, "reason": reason})


async def start_ordered(services: Services, order: ProvisionOrder) -> None:
    """Right behind the 202: start the run and note it. What fails here, the sweep of unstarted rows does."""
    async with _or_by_the_sweep(services, "run", deployment_id=order.deployment_id):
        async with answered():
            await start_provisioning(await services.temporal.client(), order)
        async with services.db.begin() as session:
            await mark_started(session, uuid.UUID(order.deployment_id))


async def start_termination(services: Services, order: TerminationOrder) -> None:
    """503 when Temporal is away: nothing is recorded then, and the deployment stays as it is.

    One termination at a time. One that somebody ended in Temporal may be started again, one that ended well may not.
    """
    async with answered():
        client = await services.temporal.client()
        try:
            await client.start_workflow(TERMINATION, order, **termination_start(order))
        except WorkflowAlreadyStartedError:
            log.info("termination exists already", extra={"deployment_id": order.deployment_id})


async def plan(services: Services, order: PlanOrder) -> Plan:
    """What an order would do, by the code that would do it. Nothing is written or ordered."""
    async with answered(seconds=PLAN_SECONDS, provider=order.inputs.provider):
        client = await services.temporal.client()
        made: Plan = await client.execute_workflow(
            PLANNING,
            order,
            id=plan_workflow_id(str(uuid.uuid4())),
            task_queue=RUNS_QUEUE,
            result_type=Plan,
            static_summary=f"Plan {order.fqdn}",
            execution_timeout=timedelta(minutes=2),
        )
        return made


async def start_action(services: Services, action: ServerAction, server: VpsInstance) -> None:
    """Start what a committed row asks of a server. What fails here, the sweep of unstarted rows does."""
    call = call_of(action, server.provider_type, server.provider_id)
    async with _or_by_the_sweep(services, "action", action_id=call.action_id):
        async with answered(provider=call.provider):
            client = await services.temporal.client()
            with contextlib.suppress(WorkflowAlreadyStartedError):
                await client.start_workflow(SERVER_ACTIONS, call, **action_start(call))
        async with services.db.begin() as session:
            await action_started(session, action.id)


async def start_mail(services: Services, call: MailCall) -> None:
    """Start the sending of a committed row. What fails here, the sweep of unstarted rows does."""
    async with _or_by_the_sweep(services, "mail", mail_id=call.mail_id):
        async with answered():
            client = await services.temporal.client()
            with contextlib.suppress(WorkflowAlreadyStartedError):
                await client.start_workflow(SEND_MAIL, call, **mail_start(call))
        async with services.db.begin() as session:
            await mails.started(session, uuid.UUID(call.mail_id))


async def start_queued_mail(services: Services, call: MailCall | None) -> None:
    """For the end of a request that may have written a mail."""
    if call is not None:
        await start_mail(services, call)


async def start_fulfilment(services: Services, order: FulfilmentOrder) -> None:
    """Start the delivery of a committed order. What fails here, the sweep of unstarted rows does."""
    async with _or_by_the_sweep(services, "order", order_id=order.order_id):
        async with answered():
            client = await services.temporal.client()
            with contextlib.suppress(WorkflowAlreadyStartedError):
                await client.start_workflow(FULFILMENT, order, **fulfilment_start(order))
        async with services.db.begin() as session:
            await orders.mark_started(session, order)


async def start_change(services: Services, change: ChangeOrder) -> None:
    """Start what a committed row asks of a subscription. What fails here, the sweep of unstarted rows does."""
    async with _or_by_the_sweep(services, "change", job_id=change.job_id):
        async with answered():
            client = await services.temporal.client()
            with contextlib.suppress(WorkflowAlreadyStartedError):
                await client.start_workflow(SUBSCRIPTION_CHANGE, change, **change_start(change))
        async with services.db.begin() as session:
            await jobs.started(session, uuid.UUID(change.job_id))


async def start_renewal(services: Services, call: RenewalCall) -> None:
    """503 when Temporal is away: nothing is recorded then. One that is under way is a success."""
    async with answered():
        client = await services.temporal.client()
        with contextlib.suppress(WorkflowAlreadyStartedError):
            await client.start_workflow(RENEW_CERTIFICATE, call, **renewal_start(call))


async def start_due_renewals(services: Services, certificate_ids: Sequence[uuid.UUID], by: str) -> None:
    """Right behind the answer: what committed rows call due. What fails here, the sweep of renewals does."""
    async with _or_by_the_sweep(services, "renewals", requested_by=by):
        for certificate_id in certificate_ids:
            call = RenewalCall(certificate_id=str(certificate_id), requested_by=by, policy=services.policy())
            await start_renewal(services, call)


async def start_set_up(services: Services, order: SetUpServerOrder) -> None:
    """Start the set-up of a committed job. What fails here, the sweep of unstarted rows does."""
    async with _or_by_the_sweep(services, "set-up", job_id=order.job_id):
        async with answered():
            client = await services.temporal.client()
            with contextlib.suppress(WorkflowAlreadyStartedError):
                await client.start_workflow(SET_UP_SERVER, order, **set_up_start(order))
        async with services.db.begin() as session:
            await jobs.started(session, uuid.UUID(order.job_id))


async def retry_set_up(services: Services, job_id: uuid.UUID, asked: RetryRequest) -> None:
    """Retry what waits for an operator. Where nothing does any more the set-up goes on, which is what was asked for."""
    try:
        async with answered():
            run = (await services.temporal.client()).get_workflow_handle(change_workflow_id(str(job_id)))
            await run.execute_update("retry_step", asked, id=f"retry/{asked.request_id}", result_type=str,
                                     rpc_timeout=RPC_TIMEOUT)  # fmt: skip
    except ApiError as error:
        if error.code is not ErrorCode.CONFLICT:
            raise


async def cancel_set_up(services: Services, job_id: uuid.UUID) -> None:
    async with answered():
        run = (await services.temporal.client()).get_workflow_handle(change_workflow_id(str(job_id)))
        await run.cancel(rpc_timeout=RPC_TIMEOUT)


async def start_zone_change(services: Services, zone: DnsZone, upto: int) -> None:
    """Tell the zone's run of committed changes, the last one's number being `upto`. What fails here, the sweep does."""
    call = ZoneCall(zone_id=str(zone.id), zone_name=zone.zone_name)
    try:
        async with answered():
            client = await services.temporal.client()
            with contextlib.suppress(WorkflowAlreadyStartedError):
                await client.start_workflow(CHANGE_ZONE, call, **zone_start(call))
        async with services.db.begin() as session:
            await zone_changes.started(session, zone.id, upto)
    except ApiError as error:
        services.metrics.starts_failed.inc()
        log.warning("zone change not started yet", extra={"zone_id": call.zone_id, "reason": error.message})


async def look_at_zone(services: Services, call: ZoneCall) -> ZoneSeen:
    """What the name servers hold now; whoever asks meanwhile gets the same answer."""
    async with answered(seconds=LOOK_SECONDS, provider="dns"):
        client = await services.temporal.client()
        seen: ZoneSeen = await client.execute_workflow(
            LOOK_AT_ZONE, call, result_type=ZoneSeen, **zone_look_start(call))  # fmt: skip
        return seen


async def look(services: Services, call: LookCall) -> Seen:
    """What the cloud says of a server now; whoever asks meanwhile gets the same answer."""
    async with answered(seconds=LOOK_SECONDS, provider=call.provider):
        client = await services.temporal.client()
        seen: Seen = await client.execute_workflow(LOOK_AT_SERVER, call, result_type=Seen, **look_start(call))
        return seen


async def check_account(services: Services, row: ServiceProvider) -> AccountChecked:
    """Whether the cloud accepts the account's credentials. Who asks twice at once gets one answer."""
    version = int(row.updated_at.timestamp() * 1000)
    async with answered(seconds=CHECK_SECONDS, provider=row.type):
        client = await services.temporal.client()
        checked: AccountChecked = await client.execute_workflow(
            ACCOUNT_CHECK,
            AccountCall(provider=row.type, provider_id=str(row.id)),
            id=account_check_workflow_id(str(row.id), version),
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            task_queue=RUNS_QUEUE,
            result_type=AccountChecked,
            static_summary=f"Check the account {row.name}",
            execution_timeout=timedelta(minutes=1),
        )
        return checked


async def run_handle(
    services: Services, deployment_id: uuid.UUID, *, terminating: bool
) -> WorkflowHandle[object, object]:
    make_id = termination_workflow_id if terminating else provisioning_workflow_id
    return (await services.temporal.client()).get_workflow_handle(make_id(str(deployment_id)))


async def start_inventory(services: Services, call: SweepCall) -> None:
    """409 while one that somebody asked for is under way; the schedule's own are settled by the sweep itself."""
    async with answered():
        client = await services.temporal.client()
        try:
            await client.start_workflow(INVENTORY, call, **inventory_start(call))
        except WorkflowAlreadyStartedError:
            raise ApiError(
                ErrorCode.CONFLICT, f"A sweep of {call.provider} is under way already; see GET /api/admin/inventory."
            ) from None


async def read_offers(services: Services, call: OffersCall) -> None:
    """Have a cloud asked, or wait for the flight that is under way; afterwards the answer is in the cache.

    API_ERROR 502 with Retry-After where that takes too long; the flight goes on.
    """
    async with answered(seconds=OFFERS_SECONDS + CALL_SECONDS, provider=call.provider):
        client = await services.temporal.client()
        try:
            async with asyncio.timeout(OFFERS_SECONDS):
                await client.execute_workflow(OFFERS, call, **offers_start(call))
        except (RPCTimeoutOrCancelledError, TimeoutError):
            raise ApiError(
                ErrorCode.API_ERROR, "The cloud did not answer in time; try again shortly.", provider=call.provider,
                headers={"Retry-After": "5"}) from None  # fmt: skip
