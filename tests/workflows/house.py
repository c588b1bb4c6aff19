"""The outside of paid orders, scripted like the rest: what happens on the house's servers, by name. Rows are real."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from temporalio import activity
from temporalio.client import Client, WorkflowHandle

from activities.deliveries import DeliveryActivities
from db.base import new_id
from db.models import Organization
from db.models_hosting import Server
from db.models_jobs import Job, JobEvent
from db.models_sales import Customer, Order, Subscription, Tenant
from db.models_shop import Price, Product
from db.queries import delivery, refunds
from domain import ids
from domain.fulfilment import FulfilmentInputs, FulfilmentOrder, JobCall, SiteCsr
from domain.provisioning import Absence, CertificateIssued, RunPolicy
from domain.sales import PARTS, JobType
from domain.starting import fulfilment_start
from tests.workflows.world import World
from workflows.fulfilment import Fulfilment

EFFECTS = (
    "publish_zone", "publish_records", "withdraw_zone", "create_account", "create_site", "configure_site_tls",
    "remove_account", "create_mailbox", "remove_mailbox", "check_site",
)  # fmt: skip
PROOFS = ("prove_zone_absent", "prove_account_absent", "prove_mailbox_absent")


class HouseWorld(World):
    deliveries_class: type[DeliveryActivities] = DeliveryActivities

    def more_rows(self) -> list[Callable[..., Any]]:
        rows = self.deliveries_class(self.deps)
        return [rows.claim_names, rows.release_names, rows.hand_over_order, rows.call_back_order, rows.open_refund]

    def more_remote(self) -> list[Callable[..., Any]]:
        return [*map(self._effect, EFFECTS), *map(self._proof, PROOFS), self.make_site_csr,
                self.issue_site_certificate, self.send_refund]  # fmt: skip

    def _effect(self, name: str) -> Callable[..., Any]:
        @activity.defn(name=name)
        async def run(call: JobCall) -> None:
            await self._act(name)

        return run

    def _proof(self, name: str) -> Callable[..., Any]:
        @activity.defn(name=name)
        async def run(call: JobCall) -> Absence:
            await self._act(name)
            return Absence(what=name, evidence="nothing", at=datetime.now(UTC))

        return run

    @activity.defn
    async def make_site_csr(self, call: JobCall) -> SiteCsr:
        await self._act("make_site_csr")
        return SiteCsr(job_id=call.job_id, subscription_id=call.subscription_id, csr_pem="CSR", inputs=call.inputs)

    @activity.defn
    async def issue_site_certificate(self, call: SiteCsr) -> CertificateIssued:
        await self._act("issue_site_certificate")
        return CertificateIssued(certificate_id="c", serial="1", not_after=datetime.now(UTC) + timedelta(days=90))

    @activity.defn
    async def send_refund(self, call: JobCall) -> None:
        await self._act("send_refund")
        async with self.db.begin() as session:
            held = await delivery.load(session, call.subscription_id)
            refund = await refunds.living(session, held.order.id)
            assert refund is not None
            reference = call.inputs.refund_reference or f"re_{refund.id}"
            await refunds.end(session, refund, succeeded=True, reference=reference)

    # ---- rows

    async def retire_servers(self) -> None:
        """What an earlier test has registered takes nothing more."""
        async with self.db.begin() as session:
            await session.execute(update(Server).values(status="DRAINING"))

    async def server(self, kind: str = "web", *, places: int = 10) -> Server:
        made = new_id()
        async with self.db.begin() as session:
            row = Server(id=made, hostname=f"srv-{kind}-{made}.slipway.test", ip_address="192.0.2.80", type=kind,
                         status="ACTIVE", host_key="ssh-ed25519 AAAA", max_accounts=places)  # fmt: skip
            session.add(row)
        return row

    async def paid(
        self, name: str, *, domain: str | None = None, amount: int = 1200, **policy: float
    ) -> FulfilmentOrder:
        """Commit the rows of a paid order, as the front door does."""
        payment = f"pi_{name}"
        async with self.db.begin() as session:
            tenant = Tenant(id=new_id(), slug=name, name=name)
            product = Product(id=new_id(), name=name, slug=name, type="hosting")
            session.add_all([tenant, product])
            await session.flush()
            organization = Organization(id=new_id(), name=name, slug=name, tenant_id=tenant.id)
            price = Price(id=new_id(), product_id=product.id, interval="month", amount_cents=amount)
            session.add_all([organization, price])
            await session.flush()
            customer = Customer(id=new_id(), tenant_id=tenant.id, organization_id=organization.id,
                                email=f"{name}@example.com")  # fmt: skip
            session.add(customer)
            await session.flush()
            order = Order(id=new_id(), tenant_id=tenant.id, customer_id=customer.id, price_id=price.id,
                          total_amount_cents=amount, currency="EUR", stripe_payment_intent_id=payment,
                          domain_name=domain, source="marketing")  # fmt: skip
            session.add(order)
            await session.flush()
            subscription = Subscription(id=new_id(), tenant_id=tenant.id, order_id=order.id, customer_id=customer.id,
                                        price_id=price.id, current_period_start=datetime.now(UTC))  # fmt: skip
            session.add(subscription)
            await session.flush()
            parent = Job(id=new_id(), type=JobType.FULFIL_ORDER, subscription_id=subscription.id,
                         workflow_id=ids.order_workflow_id(payment))  # fmt: skip
            session.add(parent)
            await session.flush()
            parts = {
                kind: Job(id=new_id(), type=kind, subscription_id=subscription.id, parent_id=parent.id,
                          workflow_id=ids.part_workflow_id(payment, kind))
                for kind in PARTS
            }  # fmt: skip
            session.add_all(parts.values())
        return FulfilmentOrder(
            order_id=str(order.id), subscription_id=str(subscription.id), job_id=str(parent.id), payment_intent=payment,
            label=name, parts={kind: str(job.id) for kind, job in parts.items()}, inputs=FulfilmentInputs(),
            policy=RunPolicy(**policy),
        )  # fmt: skip

    async def begin(self, client: Client, order: FulfilmentOrder) -> WorkflowHandle[Fulfilment, str]:
        return await client.start_workflow(Fulfilment.run, order, **fulfilment_start(order))

    async def held(self, order: FulfilmentOrder) -> delivery.Delivery:
        async with self.db.begin() as session:
            return await delivery.load(session, order.subscription_id)

    async def job(self, job_id: str) -> Job:
        async with self.db.begin() as session:
            return await session.get_one(Job, uuid.UUID(job_id))

    async def told(self, job_id: str) -> list[tuple[str, str]]:
        """(step, state) of a job's story, in order."""
        query = select(JobEvent).where(JobEvent.job_id == uuid.UUID(job_id)).order_by(JobEvent.position)
        async with self.db.begin() as session:
            return [(event.step, event.state) for event in (await session.execute(query)).scalars()]
