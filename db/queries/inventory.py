"""The ledger of cloud resources as a sweep reads and writes it. Every function works in the caller's transaction."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import Deployment, ServerIntent, VpsInstance
from db.models_inventory import CloudResource, InventorySweep
from domain.inventory import (
    Entry,
    Ordered,
    Placed,
    ResourceState,
    Rows,
    SweepCall,
    SweepOutcome,
    SweepReport,
    Verdict,
)
from domain.statuses import IntentState, Lifecycle, Phase

LEASE = timedelta(minutes=15)  # longer than a sweep may take with all its repeats
HOUR = timedelta(hours=1)
UNDER_WAY = (Phase.RUNNING, Phase.ROLLING_BACK, Phase.TERMINATING)
LIVING = (Lifecycle.PENDING, Lifecycle.PROVISIONING, Lifecycle.ACTIVE, Lifecycle.FAILED)
EXTRA = "second server with one order's token"


# ---- sweeps


async def open_sweep(session: AsyncSession, call: SweepCall, now: datetime) -> SweepReport:
    """RUNNING where the caller holds the cloud's one open sweep; else SKIPPED, or how the same sweep ended earlier."""
    sweep_id = uuid.UUID(call.sweep_id)
    late = update(InventorySweep).where(
        InventorySweep.provider == call.provider, InventorySweep.ended_at.is_(None), InventorySweep.id != sweep_id,
        InventorySweep.began_at < now - LEASE,
    )  # fmt: skip
    await session.execute(late.values(outcome=SweepOutcome.ABANDONED, ended_at=now, reason="its worker went away"))
    values = {"id": sweep_id, "provider": call.provider, "requested_by": call.requested_by, "vouched": call.vouched,
              "began_at": now}  # fmt: skip
    # Without a target any conflict counts: the same sweep again, or another one that is still open.
    await session.execute(insert(InventorySweep).values(**values).on_conflict_do_nothing())
    row = await session.get(InventorySweep, sweep_id)
    if row is None:
        row = InventorySweep(**values, ended_at=now, outcome=SweepOutcome.SKIPPED,
                             reason="another sweep of this cloud is under way")  # fmt: skip
        session.add(row)
        await session.flush()
    return SweepReport(
        sweep_id=call.sweep_id, outcome=SweepOutcome(row.outcome), reason=row.reason, listed=row.listed,
        unexplained=row.unexplained, quarantined=row.quarantined, deleted=row.deleted,
    )  # fmt: skip


async def still_ours(session: AsyncSession, sweep_id: str) -> bool:
    """Whether the sweep is open, under its row's lock: one that was taken for dead must not act any more."""
    query = select(InventorySweep.outcome).where(InventorySweep.id == uuid.UUID(sweep_id)).with_for_update()
    return (await session.execute(query)).scalar_one_or_none() == SweepOutcome.RUNNING


async def note_sweep(session: AsyncSession, sweep_id: str, **values: object) -> None:
    """Only of a sweep that is open; the end of one that was taken for dead stays as it is."""
    query = update(InventorySweep).where(InventorySweep.id == uuid.UUID(sweep_id), InventorySweep.ended_at.is_(None))
    await session.execute(query.values(**values))


# ---- what our rows say


async def rows_of(session: AsyncSession, provider: str) -> Rows:
    """Servers and intents of a provider. `expected` is what these rows alone expect."""
    servers = await session.execute(
        select(VpsInstance.id, VpsInstance.provider_instance_id, VpsInstance.lifecycle)
        .where(VpsInstance.provider_type == provider, VpsInstance.provider_instance_id.is_not(None))
    )  # fmt: skip
    placed = {str(ref): Placed(str(vps_id), Lifecycle(lifecycle)) for vps_id, ref, lifecycle in servers}
    intents = await session.execute(
        select(ServerIntent, VpsInstance.lifecycle, Deployment.phase)
        .join(VpsInstance, VpsInstance.id == ServerIntent.vps_id)
        .outerjoin(Deployment, Deployment.id == ServerIntent.deployment_id)
        .where(ServerIntent.provider == provider)
    )
    ordered = {
        intent.correlation: Ordered(
            vps_id=str(intent.vps_id), state=IntentState(intent.state), lifecycle=Lifecycle(lifecycle),
            ref=intent.provider_ref, under_way=None if phase is None else phase in UNDER_WAY,
        )
        for intent, lifecycle, phase in intents
    }  # fmt: skip
    expected = frozenset(ref for ref, row in placed.items() if row.lifecycle in LIVING)
    return Rows(placed=placed, ordered=ordered, expected=expected)


async def expected_by_account(session: AsyncSession, provider: str) -> dict[uuid.UUID | None, int]:
    """How many servers with a name at the cloud should be there, for each account they live at."""
    query = (
        select(VpsInstance.provider_id, func.count())
        .where(VpsInstance.provider_type == provider, VpsInstance.provider_instance_id.is_not(None),
               VpsInstance.lifecycle.in_(LIVING))
        .group_by(VpsInstance.provider_id)
    )  # fmt: skip
    return {account: int(count) for account, count in await session.execute(query)}


async def ledger_of(session: AsyncSession, provider: str) -> list[Entry]:
    rows = await session.execute(_living(provider))
    return [entry_of(row) for row in rows.scalars()]


async def locked(session: AsyncSession, provider: str, ref: str) -> CloudResource | None:
    """The living line of one server, locked."""
    query = _living(provider).where(CloudResource.provider_ref == ref).with_for_update()
    return (await session.execute(query)).scalar_one_or_none()


def entry_of(row: CloudResource) -> Entry:
    return Entry(
        ref=row.provider_ref, token=row.correlation, state=ResourceState(row.state), verdict=Verdict(row.verdict),
        vps_id=str(row.vps_id) if row.vps_id else None, sightings=row.sightings, sweep=str(row.sweep_id or ""),
        since=row.unexplained_since, quarantined_at=row.quarantined_at, delete_after=row.delete_after,
        deleted_at=row.deleted_at, note=row.note,
    )  # fmt: skip


async def acts_of_the_hour(session: AsyncSession, provider: str, now: datetime) -> tuple[int, int]:
    """(quarantines, deletions) that were begun within the last hour, by whichever sweep; lines that are gone count."""
    counts = select(
        func.count().filter(CloudResource.quarantine_tried_at > now - HOUR),
        func.count().filter(CloudResource.deleted_at > now - HOUR),
    ).where(CloudResource.provider == provider)
    quarantines, deletions = (await session.execute(counts)).one()
    return int(quarantines), int(deletions)


# ---- writing


async def write(
    session: AsyncSession, provider: str, entries: Iterable[Entry], shown: Mapping[str, dict[str, Any]], now: datetime
) -> None:
    """Bring the ledger to a judgement. `shown`: label, product, status and address of each listed server."""
    known = {row.provider_ref: row for row in (await session.execute(_living(provider))).scalars()}
    prices = {
        str(vps_id): (cents, currency)
        for vps_id, cents, currency in await session.execute(
            select(VpsInstance.id, VpsInstance.price_cents_month, VpsInstance.currency)
            .where(VpsInstance.provider_type == provider)
        )
    }  # fmt: skip
    for entry in entries:
        row = known.get(entry.ref)
        if row is None:
            row = CloudResource(provider=provider, provider_ref=entry.ref, currency="EUR")
            session.add(row)
        row.correlation, row.state, row.verdict = (entry.token or "")[:255] or None, entry.state, entry.verdict
        row.vps_id = uuid.UUID(entry.vps_id) if entry.vps_id else None
        row.sightings, row.sweep_id = entry.sightings, uuid.UUID(entry.sweep) if entry.sweep else None
        row.unexplained_since, row.quarantined_at = entry.since, entry.quarantined_at
        row.delete_after, row.deleted_at, row.note = entry.delete_after, entry.deleted_at, entry.note
        if (
            entry.state is ResourceState.EXPLAINED
            and (price := prices.get(entry.vps_id or ""))
            and price[0] is not None
        ):
            row.price_cents_month, row.currency = price
        if entry.ref in shown:
            row.last_seen = now
            for name, value in shown[entry.ref].items():
                if getattr(row, name, None) != value:
                    setattr(row, name, value)
    await session.flush()


async def unpriced(session: AsyncSession, provider: str) -> list[str]:
    """Products of servers whose price nobody has written down yet."""
    query = (
        select(CloudResource.product).distinct().where(
            CloudResource.provider == provider, CloudResource.state != ResourceState.GONE, CloudResource.product != "",
            CloudResource.price_cents_month.is_(None))
    )  # fmt: skip
    return list((await session.execute(query)).scalars())


async def note_product_price(
    session: AsyncSession, provider: str, product: str, *, cents_month: int, currency: str
) -> None:
    query = update(CloudResource).where(
        CloudResource.provider == provider, CloudResource.product == product,
        CloudResource.price_cents_month.is_(None), CloudResource.state != ResourceState.GONE)  # fmt: skip
    await session.execute(query.values(price_cents_month=cents_month, currency=currency))


async def note_extra(
    session: AsyncSession, provider: str, vps_id: uuid.UUID, *, ref: str, correlation: str, **shown: str | None
) -> bool:
    """A run met a second server with its token. Explained while the run is under way; a sweep finds it afterwards.

    True where the ledger did not have it yet.
    """
    values = {"provider": provider, "provider_ref": ref, "correlation": correlation, "state": ResourceState.EXPLAINED,
              "verdict": Verdict.EXPLAINED, "vps_id": vps_id, "sightings": 0, "note": EXTRA, "currency": "EUR",
              "decided_by": "", "last_seen": func.now(), **shown}  # fmt: skip
    made = insert(CloudResource).values(**values).on_conflict_do_nothing().returning(CloudResource.id)
    return (await session.execute(made)).scalar_one_or_none() is not None


def _living(provider: str) -> Select[CloudResource]:
    return select(CloudResource).where(CloudResource.provider == provider, CloudResource.state != ResourceState.GONE)
