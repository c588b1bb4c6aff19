"""Scheduled sweeps: short workflows that pick up what a crash left lying."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

from activities.inventory import InventoryActivities
from activities.lifecycle_sweeps import LifecycleActivities
from activities.payment_events import PaymentEventActivities
from activities.renewal_sweeps import RenewalSweepActivities
from activities.sweeps import SweepActivities
from activities.windows import WindowActivities
from domain import ids
from domain.certificates import CertificatesSwept
from domain.inventory import SweepCall, SweepReport
from domain.lifecycle import LifecycleReport
from domain.payments import EventsFetched
from domain.provisioning import RunPolicy
from workflows._options import activity_options


@workflow.defn
class StartSweep:
    """Starts the runs whose rows were committed and whose start was lost between database and Temporal."""

    @workflow.run
    async def run(self) -> int:
        return await workflow.execute_activity_method(
            SweepActivities.start_unstarted,
            task_queue=ids.RUNS_QUEUE,
            start_to_close_timeout=timedelta(seconds=60),
            schedule_to_close_timeout=timedelta(minutes=5),
        )


@workflow.defn
class InventorySweep:
    """Lays a cloud's list beside our rows. The same for the schedule and for an operator who asks for it."""

    @workflow.run
    async def run(self, call: SweepCall) -> SweepReport:
        if not call.sweep_id:
            call = call.model_copy(update={"sweep_id": str(workflow.uuid4())})
        return await workflow.execute_activity_method(
            InventoryActivities.sweep_inventory,
            call,
            summary=f"Inventory of {call.provider}",
            **activity_options("sweep_inventory", call.provider, RunPolicy()),
        )


@workflow.defn
class LifecycleSweep:
    """Asks for what is due of subscriptions; the runs that do it are started by StartSweep."""

    @workflow.run
    async def run(self) -> LifecycleReport:
        return await workflow.execute_activity_method(
            LifecycleActivities.sweep_lifecycles,
            task_queue=ids.RUNS_QUEUE,
            start_to_close_timeout=timedelta(minutes=5),
            schedule_to_close_timeout=timedelta(minutes=15),
        )


@workflow.defn
class PaymentSweep:
    """Asks the payment service for what it has told while nobody here listened."""

    @workflow.run
    async def run(self) -> EventsFetched:
        options = activity_options("fetch_payment_events", "", RunPolicy(automatic_minutes=8))
        return await workflow.execute_activity_method(PaymentEventActivities.fetch_payment_events, **options)


@workflow.defn
class CertificateSweep:
    """Starts the renewals that are due, and asks the CAs for the windows that are due to be asked for."""

    @workflow.run
    async def run(self) -> CertificatesSwept:
        started = await workflow.execute_activity_method(
            RenewalSweepActivities.start_renewals,
            task_queue=ids.RUNS_QUEUE,
            start_to_close_timeout=timedelta(seconds=120),
            heartbeat_timeout=timedelta(seconds=20),
            schedule_to_close_timeout=timedelta(minutes=5),
        )
        options = activity_options("poll_windows", "", RunPolicy(automatic_minutes=5))
        polled = await workflow.execute_activity_method(WindowActivities.poll_windows, **options)
        return CertificatesSwept(started=started, polled=polled)
