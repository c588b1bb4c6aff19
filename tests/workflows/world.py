"""A scripted outside for workflow tests: every remote activity by name, with failures to order. Rows are real."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.worker import Worker

from activities._context import Deps
from activities.house_records import HouseRecordActivities
from activities.records import RecordActivities
from activities.sweeps import SweepActivities
from activities.zone_records import ZoneRecordActivities
from db.base import new_id
from db.keyring import KeyRing
from db.models import Deployment, Organization, ServerIntent, VpsInstance
from db.models_dns import DnsChange
from db.models_hosting import DnsZone, Server
from db.models_jobs import Job
from db.queries import mails, servers, set_ups, zone_changes, zone_rows
from db.queries.reservation import note_price
from db.queries.runs import load
from db.session import Database
from domain import ids
from domain.accounts import AccountCall, AccountChecked
from domain.config import RunConfig
from domain.dns_records import RecordKey
from domain.house_servers import HouseCall, SetUpServerOrder
from domain.inventory import SweepCall, SweepOutcome, SweepReport
from domain.mails import PASSWORD_RESET, MailCall
from domain.offers import OffersCall
from domain.payments import EventsFetched
from domain.provisioning import (
    Absence,
    CertificateIssued,
    CertificateRequest,
    DestroyCall,
    Destroyed,
    Parked,
    ProvisionOrder,
    QuoteCall,
    RunInputs,
    RunPolicy,
    ServerFound,
    ServerQuote,
    StepCall,
)
from domain.servers import ActionCall, LookCall, PowerAction, Seen
from domain.starting import provisioning_start
from domain.statuses import DeploymentType, IntentState, Lifecycle, Tier
from domain.zones import ChangeCall, ChangeKind, ChangeState, ZoneCall, ZoneSeen
from providers.acme.client import AcmeClient
from temporal import sandbox_runner
from tests.clouds import FixedClouds
from tests.workflows import certificates
from workers.pools import WORKFLOWS
from workflows.provisioning import Provisioning

Script = Callable[[int], Exception | None]
# Heartbeats, by which an activity hears of its cancellation, are put together for many seconds otherwise.
HEARS = timedelta(seconds=0.1)


class World:
    """Counts calls, fails on demand, and holds an activity until it is told to go on."""

    records_class: type[RecordActivities] = RecordActivities

    def __init__(self, db: Database, keys: KeyRing) -> None:
        self.db = db
        self.deps = Deps(
            config=RunConfig(base_domain="slipway.test", shared_places=2), db=db, keys=keys,
            clouds=FixedClouds(), dns=None, acme=AcmeClient("https://127.0.0.1:9/dir"),
            blueprints=None,  # type: ignore[arg-type] - rows only
        )  # fmt: skip
        self.calls: list[str] = []
        self.inputs: dict[str, RunInputs] = {}
        self.scripts: dict[str, Script] = {}
        self.holds: dict[str, asyncio.Event] = {}
        self.reached: dict[str, asyncio.Event] = {}
        self.unstoppable: set[str] = set()
        self.servers: set[str] = set()

    # ---- scripting

    def fail(self, name: str, trouble: str, message: str = "no", *, times: int = 10**6, final: bool = True) -> None:
        def script(call: int) -> Exception | None:
            return ApplicationError(message, type=trouble, non_retryable=final) if call <= times else None

        self.scripts[name] = script

    def heal(self, name: str) -> None:
        self.scripts.pop(name, None)

    def hold(self, name: str) -> asyncio.Event:
        self.reached[name] = asyncio.Event()
        self.holds[name] = asyncio.Event()
        return self.reached[name]

    def put_on_the_wire(self, name: str) -> asyncio.Event:
        """Hold an activity that a cancellation cannot call back: its request has left this machine."""
        self.unstoppable.add(name)
        return self.hold(name)

    @property
    def count(self) -> Counter[str]:
        return Counter(self.calls)

    async def _act(self, name: str, inputs: RunInputs | None = None) -> None:
        self.calls.append(name)
        if inputs is not None:
            self.inputs[name] = inputs
        if name in self.holds:
            self.reached[name].set()
            while not self.holds[name].is_set():
                activity.heartbeat()
                try:
                    await asyncio.sleep(0.05)
                except asyncio.CancelledError:
                    if name not in self.unstoppable:
                        raise
            if name in self.unstoppable:
                self.calls.append(f"{name} landed")
        error = self.scripts.get(name, lambda call: None)(self.count[name])
        if error is not None:
            raise error

    # ---- the remote activities

    async def _server(self, deployment_id: str, **values: object) -> None:
        placed = select(Deployment.vps_id).where(Deployment.id == uuid.UUID(deployment_id)).scalar_subquery()
        async with self.db.begin() as session:
            await session.execute(update(VpsInstance).where(VpsInstance.id == placed).values(**values))

    @activity.defn
    async def quote_server(self, call: QuoteCall) -> ServerQuote:
        await self._act("quote_server", call.inputs)
        quote = ServerQuote(product=call.inputs.product or "bladevps-x4", availability_zone="ams0",
                            operating_system="debian-13", price_cents_month=2000)  # fmt: skip
        if call.deployment_id is not None:
            async with self.db.begin() as session:
                await note_price(session, uuid.UUID(call.deployment_id), quote)
        return quote

    @activity.defn
    async def create_server(self, call: StepCall) -> ServerFound:
        await self._act("create_server", call.inputs)
        self.servers.add(call.deployment_id)
        ours = ServerIntent.deployment_id == uuid.UUID(call.deployment_id)
        async with self.db.begin() as session:
            await session.execute(update(ServerIntent).where(ours).values(state=IntentState.ADOPTED, sends=1))
        await self._server(call.deployment_id, provider_instance_id=f"demo-{call.deployment_id}")
        return ServerFound(vps_id="", provider_ref="demo-vps1")

    @activity.defn
    async def await_server(self, call: StepCall) -> ServerFound:
        await self._act("await_server")
        await self._server(call.deployment_id, vps_ip="192.0.2.10")
        return ServerFound(vps_id="", provider_ref="demo-vps1", address="192.0.2.10")

    @activity.defn
    async def set_up_server(self, call: StepCall) -> None:
        await self._act("set_up_server", call.inputs)
        await self._server(call.deployment_id, lifecycle=Lifecycle.ACTIVE)

    @activity.defn
    async def destroy_server(self, call: DestroyCall) -> Destroyed:
        await self._act("destroy_server")
        self.servers.discard(call.deployment_id)
        await self._server(call.deployment_id, lifecycle=Lifecycle.TERMINATED)
        return Destroyed(provider_ref="demo-vps1")

    @activity.defn
    async def sweep_inventory(self, call: SweepCall) -> SweepReport:
        await self._act("sweep_inventory")
        return SweepReport(sweep_id=call.sweep_id, outcome=SweepOutcome.COMPLETE, listed=0)

    @activity.defn
    async def fetch_payment_events(self) -> EventsFetched:
        await self._act("fetch_payment_events")
        return EventsFetched(listed=2, fetched=1, complete=True)

    @activity.defn
    async def send_action(self, call: ActionCall) -> None:
        await self._act("send_action")

    @activity.defn
    async def await_action(self, call: ActionCall) -> None:
        await self._act("await_action")
        async with self.db.begin() as session:
            await servers.end_action(session, uuid.UUID(call.action_id), "done")

    @activity.defn
    async def look_at_server(self, call: LookCall) -> Seen:
        await self._act("look_at_server")
        return Seen(power_state="running")

    @activity.defn
    async def read_offers(self, call: OffersCall) -> None:
        await self._act("read_offers")

    @activity.defn
    async def validate_account(self, call: AccountCall) -> AccountChecked:
        await self._act("validate_account")
        return AccountChecked(valid=True, message=f"accepted at {call.provider}")

    @activity.defn
    async def prove_server_absent(self, call: StepCall) -> Absence:
        await self._act("prove_server_absent")
        return Absence(what="server", evidence="404", at=datetime.now(UTC))

    @activity.defn
    async def prove_name_absent(self, call: StepCall) -> Absence:
        await self._act("prove_name_absent")
        return Absence(what="name", evidence="NXDOMAIN", at=datetime.now(UTC))

    @activity.defn
    async def prove_host_silent(self, call: StepCall) -> Absence:
        await self._act("prove_host_silent")
        return Absence(what="ports", evidence="closed", at=datetime.now(UTC))

    @activity.defn
    async def make_csr(self, call: StepCall) -> CertificateRequest:
        await self._act("make_csr")
        return CertificateRequest(deployment_id=call.deployment_id, csr_pem="CSR")

    @activity.defn
    async def issue_certificate(self, call: CertificateRequest) -> CertificateIssued:
        await self._act("issue_certificate", call.inputs)
        return CertificateIssued(certificate_id="c", serial="1", not_after=datetime.now(UTC) + timedelta(days=90))

    @activity.defn
    async def send_mail(self, call: MailCall) -> None:
        await self._act("send_mail")
        async with self.db.begin() as session:
            await mails.sent(session, uuid.UUID(call.mail_id))

    @activity.defn
    async def change_zone(self, call: ChangeCall) -> None:
        await self._act("change_zone")
        async with self.db.begin() as session:
            await zone_changes.end(session, uuid.UUID(call.change_id), ChangeState.PUBLISHED, "seen everywhere")

    @activity.defn
    async def look_at_zone(self, call: ZoneCall) -> ZoneSeen:
        await self._act("look_at_zone")
        return ZoneSeen(serial=7, published="seen everywhere")

    def at_the_house(self) -> list[Callable[..., Any]]:
        def make(name: str) -> Callable[..., Any]:
            @activity.defn(name=name)
            async def run(call: HouseCall) -> None:
                await self._act(name)

            return run

        return [make(name) for name in ("await_house_ssh", "set_up_house_server", "check_house_server")]

    def plain(self) -> list[Callable[..., Any]]:
        names = ("publish_dns", "withdraw_dns", "await_ssh", "transfer_files", "write_env",
                 "start_services", "configure_tls", "run_migrations", "remove_application", "health_check")  # fmt: skip

        def make(name: str) -> Callable[..., Any]:
            @activity.defn(name=name)
            async def run(call: StepCall) -> None:
                await self._act(name, call.inputs)

            return run

        return [make(name) for name in names]

    # ---- running

    def more_rows(self) -> list[Callable[..., Any]]:
        """Local activities of families that a world of their own tells of."""
        return []

    def more_remote(self) -> list[Callable[..., Any]]:
        return []

    def workers(self, client: Client, **runs: Any) -> list[Worker]:
        records, sweeps = self.records_class(self.deps), SweepActivities(self.deps)
        house, zones = HouseRecordActivities(self.deps), ZoneRecordActivities(self.deps)
        rows = [zones.next_change, zones.fail_change, records.record, records.reserve, records.move, records.preview,
                records.activate, records.call_back, records.release, records.end_action, records.end_mail,
                house.activate_house_server, house.stand_down_house_server, sweeps.start_unstarted,
                *certificates.rows(self.deps), *self.more_rows()]  # fmt: skip
        remote = [self.quote_server, self.create_server, self.await_server, self.set_up_server, self.destroy_server,
                  self.sweep_inventory, self.fetch_payment_events, self.send_action, self.await_action,
                  self.look_at_server, self.read_offers,
                  self.validate_account, self.prove_server_absent,
                  self.prove_name_absent,
                  self.prove_host_silent, self.make_csr, self.issue_certificate, self.send_mail,
                  self.change_zone, self.look_at_zone,
                  *self.at_the_house(), *self.plain(), *certificates.outside(self.db, self._act),
                  *self.more_remote()]  # fmt: skip
        return [
            Worker(client, task_queue=ids.RUNS_QUEUE, workflows=list(WORKFLOWS), activities=rows,
                   workflow_runner=sandbox_runner(), **runs),
            *(Worker(client, task_queue=queue, activities=remote, max_heartbeat_throttle_interval=HEARS)
              for queue in (ids.cloud_queue("transip"), ids.cloud_queue("digitalocean"), ids.HOSTS_QUEUE,
                            ids.EDGE_QUEUE)),
        ]  # fmt: skip

    async def order(
        self, slug: str, kind: str = "dedicated", inputs: RunInputs | None = None, **policy: float
    ) -> ProvisionOrder:
        """Commit the rows of an order, as the front door does."""
        async with self.db.begin() as session:
            organization = Organization(id=new_id(), name=slug.title(), slug=slug)
            session.add(organization)
            await session.flush()
            row = Deployment(
                id=new_id(), organization_id=organization.id, deployment_type=kind, tier="professional", slug=slug,
                assigned_subdomain=f"{slug}.slipway.test", inputs={"policy": policy}, admin_email="a@example.com",
                admin_name="A",
            )  # fmt: skip
            session.add(row)
        return ProvisionOrder(
            deployment_id=str(row.id), slug=slug, fqdn=row.assigned_subdomain, deployment_type=DeploymentType(kind),
            tier=Tier.PROFESSIONAL, policy=RunPolicy(**policy), inputs=inputs or RunInputs(),
        )  # fmt: skip

    async def ask(self, order: ProvisionOrder, action: PowerAction) -> ActionCall:
        """Commit what is asked of an order's server, as the front door does."""
        vps = await self.vps(order)
        assert vps is not None
        async with self.db.begin() as session:
            row = await servers.ask(session, vps.id, action, "ada")
        assert row is not None
        return servers.call_of(row, vps.provider_type, vps.provider_id)

    async def mail(self) -> MailCall:
        """Commit a mail with a link in it, as the front door does."""
        values = {"name": "Ada", "portal": "https://slipway.test", "minutes": "60"}
        async with self.db.begin() as session:
            return await mails.queue(session, self.deps.keys, "ada@example.com", PASSWORD_RESET, values,
                                     token="t0ken")  # fmt: skip

    async def zone(self, name: str) -> DnsZone:
        """Commit a zone, as the front door does; nothing is asked of it yet."""
        async with self.db.begin() as session:
            return await zone_rows.create(session, name, "Native", None)

    async def zone_change(
        self, zone: DnsZone, kind: ChangeKind = ChangeKind.ZONE, key: RecordKey | None = None
    ) -> DnsChange:
        """Commit what is asked of a zone, as the front door does."""
        async with self.db.begin() as session:
            return await zone_changes.ask(session, zone, kind, "ada", key=key)

    async def house_server(self, hostname: str, kind: str = "web", status: str = "PENDING") -> SetUpServerOrder:
        """Commit a registered server and its set-up, as the front door does."""
        async with self.db.begin() as session:
            server = Server(id=new_id(), hostname=hostname, ip_address="192.0.2.20", type=kind, status=status,
                            host_key="" if kind == "dns" else "ssh-ed25519 AAAA")  # fmt: skip
            session.add(server)
            await session.flush()
            job = await set_ups.ask(session, server, "ada")
        return set_ups.order_of(job, server, RunPolicy())

    async def house_rows(self, order: SetUpServerOrder) -> tuple[Server, Job]:
        async with self.db.begin() as session:
            return (await session.get_one(Server, uuid.UUID(order.server_id)),
                    await session.get_one(Job, uuid.UUID(order.job_id)))  # fmt: skip

    async def start(self, client: Client, order: ProvisionOrder, **options: Any) -> WorkflowHandle[Provisioning, str]:
        return await client.start_workflow(Provisioning.run, order, **provisioning_start(order) | options)

    async def row(self, order: ProvisionOrder) -> Deployment:
        async with self.db.begin() as session:
            return (await load(session, order.deployment_id)).deployment

    async def vps(self, order: ProvisionOrder) -> VpsInstance | None:
        async with self.db.begin() as session:
            return (await load(session, order.deployment_id)).vps


async def until_parked(handle: WorkflowHandle[Any, Any], *steps: str) -> None:
    """Wait until exactly these steps wait for an operator."""
    parked: list[Parked] = []
    for _ in range(400):
        # A child's run begins some time after its parent's.
        with contextlib.suppress(RPCError):
            parked = (await handle.query(Provisioning.progress)).parked
        if {wait.step for wait in parked} == set(steps):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"parked are {parked}, expected {steps}")
