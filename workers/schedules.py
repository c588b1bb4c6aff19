"""Schedules of the sweeps, made when the first worker starts. Safe to run by every worker, every time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from domain import ids
from domain.inventory import SweepCall
from workflows.sweeps import CertificateSweep, InventorySweep, LifecycleSweep, PaymentSweep, StartSweep

START_SWEEP = "start-sweep"
CERTIFICATE_SWEEP = "certificate-sweep"
LIFECYCLE_SWEEP = "lifecycle-sweep"
PAYMENT_SWEEP = "payment-sweep"


async def ensure_schedules(client: Client, providers: Iterable[str], *, inventory_every: timedelta) -> None:
    """`providers`: kinds of clouds; each has a sweep of its own, which ends at once while no account is set up."""
    start = ScheduleActionStartWorkflow(StartSweep.run, id=START_SWEEP, task_queue=ids.RUNS_QUEUE)
    await _ensure(client, START_SWEEP, start, timedelta(minutes=1))
    lives = ScheduleActionStartWorkflow(LifecycleSweep.run, id=LIFECYCLE_SWEEP, task_queue=ids.RUNS_QUEUE)
    await _ensure(client, LIFECYCLE_SWEEP, lives, timedelta(minutes=10))
    events = ScheduleActionStartWorkflow(PaymentSweep.run, id=PAYMENT_SWEEP, task_queue=ids.RUNS_QUEUE)
    await _ensure(client, PAYMENT_SWEEP, events, timedelta(minutes=10))
    renewals = ScheduleActionStartWorkflow(CertificateSweep.run, id=CERTIFICATE_SWEEP, task_queue=ids.RUNS_QUEUE)
    await _ensure(client, CERTIFICATE_SWEEP, renewals, timedelta(minutes=1))
    for provider in providers:
        name = inventory_schedule(provider)
        call = SweepCall(provider=provider, requested_by="schedule")
        sweep = ScheduleActionStartWorkflow(InventorySweep.run, call, id=name, task_queue=ids.RUNS_QUEUE)
        await _ensure(client, name, sweep, inventory_every)


def inventory_schedule(provider: str) -> str:
    return f"inventory-sweep-{provider}"


async def _ensure(client: Client, name: str, action: ScheduleActionStartWorkflow, every: timedelta) -> None:
    """Make the schedule, or bring the one that is there to this version's action and interval; a pause stays."""
    schedule = Schedule(
        action=action,
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=every)]),
        # After an outage one sweep is enough: it sees everything that was missed.
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(minutes=10)),
    )

    def renewed(there: ScheduleUpdateInput) -> ScheduleUpdate:
        schedule.state = there.description.schedule.state
        return ScheduleUpdate(schedule=schedule)

    try:
        await client.create_schedule(name, schedule)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(name).update(renewed)
