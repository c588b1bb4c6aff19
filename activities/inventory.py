"""One sweep of one cloud: list all its accounts, lay that beside our rows, write it down, and touch what is proven to
be lost.

The rule of this file: evidence that is missing or fails never leads to an act. Whatever the list or the database does
not say for certain ends the sweep with a reason; before each act both are asked again, about that one server.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity

from activities._context import Deps
from activities._errors import mapped
from activities._heartbeat import beating
from activities._listing import Listing, NotListed, every_account
from db.models_inventory import CloudResource
from db.queries import audit, inventory
from domain.ids import OWNER_TAG, QUARANTINE_TAG
from domain.inventory import (
    Act,
    ResourceState,
    Rows,
    Seen,
    SweepCall,
    SweepOutcome,
    SweepReport,
)
from domain.inventory_rules import Judgement, Sweep, judge, may_delete, may_quarantine, verdict_of
from providers.cloud.base import Cloud, CloudServer
from providers.errors import NotFound, ProviderError

ACTOR = audit.Actor("inventory")


class InventoryActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @activity.defn
    @mapped
    async def sweep_inventory(self, call: SweepCall) -> SweepReport:
        """Lay a cloud's complete list, of every account there, beside our rows.

        Effect: the ledger and the sweep's row; at most a few quarantines and deletions of servers proven to be lost.
        Idempotency: a sweep counts a sighting once and ends once; quarantine and deletion are safe to repeat, and the
            hourly cap counts what was begun.
        Undo: a quarantine is taken back when an operator adopts the server or a row explains it again.
        Heartbeat: while at work.
        """
        clouds = await self._deps.clouds.of_kind(call.provider)
        if not clouds:
            nobody = f"no account at {call.provider} is set up"
            return SweepReport(sweep_id=call.sweep_id, outcome=SweepOutcome.SKIPPED, reason=nobody)
        async with beating():
            async with self._deps.db.begin() as session:
                report = await inventory.open_sweep(session, call, datetime.now(UTC))
                before = await inventory.rows_of(session, call.provider)
                expected = await inventory.expected_by_account(session, call.provider)
            if report.outcome is not SweepOutcome.RUNNING:
                return report
            try:
                listing = await every_account(clouds, expected, vouched=call.vouched)
            except NotListed as refused:
                return await self._end(report, SweepOutcome.REFUSED, str(refused))
            judgement = await self._judged(call, listing, before)
            report.listed = len(listing.servers)
            if judgement.outcome is SweepOutcome.REFUSED:
                return await self._end(report, SweepOutcome.REFUSED, judgement.reason)
            lost = (ResourceState.UNEXPLAINED, ResourceState.QUARANTINED)
            report.unexplained = sum(entry.state in lost for entry in judgement.entries)
            await self._price(listing)
            trouble = await self._carry_out(listing, call, judgement, report)
            return await self._end(report, judgement.outcome, judgement.reason or trouble)

    async def _judged(self, call: SweepCall, listing: Listing, before: Rows) -> Judgement:
        """Read the rows again, after the list, judge, and write it down, in one transaction."""
        now = datetime.now(UTC)
        async with self._deps.db.begin() as session:
            if not await inventory.still_ours(session, call.sweep_id):
                return Judgement(SweepOutcome.REFUSED, "another sweep took this one for dead")
            after = await inventory.rows_of(session, call.provider)
            # What was adopted or given up while the list was read is expected by one of the two only.
            rows = Rows(after.placed, after.ordered, after.expected & before.expected)
            ledger = await inventory.ledger_of(session, call.provider)
            sweep = await self._circumstances(session, call, listing, now)
            judgement = judge([seen_of(server) for server in listing.servers], rows, ledger, sweep)
            if judgement.outcome is not SweepOutcome.REFUSED:
                shown = {server.provider_ref: _shown(server) for server in listing.servers}
                await inventory.write(session, call.provider, judgement.entries, shown, now)
                await inventory.note_sweep(session, call.sweep_id, complete=True, listed=len(listing.servers))
        return judgement

    async def _circumstances(self, session: AsyncSession, call: SweepCall, listing: Listing, now: datetime) -> Sweep:
        rules = self._deps.config.inventory
        quarantines, deletions = await inventory.acts_of_the_hour(session, call.provider, now)
        return Sweep(
            id=call.sweep_id, now=now, vouched=call.vouched,
            settle=timedelta(seconds=listing.late_accept_window),
            quarantines_left=rules.acts_per_hour - quarantines, deletions_left=rules.acts_per_hour - deletions,
        )  # fmt: skip

    async def _price(self, listing: Listing) -> None:
        """What nobody has a price for yet. A price that cannot be had is no reason to stop."""
        cloud = listing.any_cloud  # accounts of one kind have one price list
        async with self._deps.db.begin() as session:
            products = await inventory.unpriced(session, cloud.name)
        for product in products:
            try:
                price = await cloud.price(product)
            except ProviderError as error:
                activity.logger.info("no price of %s: %s", product, error.message)
                continue
            async with self._deps.db.begin() as session:
                await inventory.note_product_price(
                    session, cloud.name, product, cents_month=price.cents_month, currency=price.currency)  # fmt: skip

    async def _carry_out(self, listing: Listing, call: SweepCall, judgement: Judgement, report: SweepReport) -> str:
        """One act after the other. The first one that fails is the last one: a cloud that fails is left alone."""
        for act, ref in judgement.acts:
            cloud = listing.cloud_of(ref)
            try:
                server = await cloud.get(ref)
                if not await self._claimed(call, act, seen_of(server), listing):
                    continue
                note = await _touch(cloud, act, ref)
            except NotFound:
                continue  # the next list says so too
            except ProviderError as error:
                return f"stopped at the {act} of {ref}: {error.message}"
            await self._done(call, act, ref, note)
            report.quarantined += act is Act.QUARANTINE
            report.deleted += act is Act.DELETE
        return ""

    async def _claimed(self, call: SweepCall, act: Act, seen: Seen, listing: Listing) -> bool:
        """The second look at everything, under locks: only what still holds is begun, and begun means counted."""
        now = datetime.now(UTC)
        async with self._deps.db.begin() as session:
            if not await inventory.still_ours(session, call.sweep_id):
                return False
            row = await inventory.locked(session, call.provider, seen.ref)
            if row is None or seen.locked:
                return False
            if act is Act.RESTORE:
                if row.quarantined_at is None or row.state not in (ResourceState.EXPLAINED, ResourceState.ADOPTED):
                    return False
            elif not await self._still_lost(session, call, row, act, seen, listing, now):
                return False
            if act is Act.QUARANTINE:
                row.quarantine_tried_at = now
            elif act is Act.DELETE:
                row.deleted_at = now
            await audit.record(
                session, ACTOR, f"inventory.{act}", "cloud_resource", str(row.id), provider=call.provider,
                provider_ref=seen.ref, sweep=call.sweep_id, verdict=row.verdict)  # fmt: skip
        return True

    async def _still_lost(
        self, session: AsyncSession, call: SweepCall, row: CloudResource, act: Act, seen: Seen,
        listing: Listing, now: datetime,
    ) -> bool:  # fmt: skip
        verdict, _ = verdict_of(seen, await inventory.rows_of(session, call.provider), listing.refs)
        if verdict != row.verdict or row.correlation != seen.token:
            return False
        sweep, entry = await self._circumstances(session, call, listing, now), inventory.entry_of(row)
        if act is Act.QUARANTINE:
            return sweep.quarantines_left > 0 and may_quarantine(entry, sweep)
        undisturbed = entry.state is ResourceState.RELEASED or (seen.quarantined and not seen.running)
        return sweep.deletions_left > 0 and undisturbed and may_delete(entry, sweep)

    async def _done(self, call: SweepCall, act: Act, ref: str, note: str) -> None:
        now = datetime.now(UTC)
        async with self._deps.db.begin() as session:
            row = await inventory.locked(session, call.provider, ref)
            if row is None:
                return
            if act is Act.RESTORE:
                row.quarantined_at = None
            elif act is Act.DELETE:
                row.note = note
            elif row.state == ResourceState.UNEXPLAINED:
                row.state, row.quarantined_at = ResourceState.QUARANTINED, now
                row.delete_after = now + timedelta(hours=self._deps.config.inventory.grace_hours)
            else:
                row.quarantined_at = now  # an operator decided meanwhile; an adopted one is restored by the next sweep

    async def _end(self, report: SweepReport, outcome: SweepOutcome, reason: str) -> SweepReport:
        report.outcome, report.reason = outcome, reason
        async with self._deps.db.begin() as session:
            await inventory.note_sweep(
                session, report.sweep_id, outcome=outcome, reason=reason, ended_at=datetime.now(UTC),
                listed=report.listed, unexplained=report.unexplained, quarantined=report.quarantined,
                deleted=report.deleted)  # fmt: skip
        log = activity.logger.info if outcome is SweepOutcome.COMPLETE and not reason else activity.logger.warning
        log("inventory: %s %s", outcome, reason, extra={"sweep": report.sweep_id, "unexplained": report.unexplained})
        return report


async def _touch(cloud: Cloud, act: Act, ref: str) -> str:
    if act is Act.QUARANTINE:
        await cloud.quarantine(ref)
    elif act is Act.RESTORE:
        await cloud.restore(ref)
    else:
        return (await cloud.cancel(ref, immediately=True)).note
    return ""


def seen_of(server: CloudServer) -> Seen:
    return Seen(
        ref=server.provider_ref, token=server.correlation, owned=OWNER_TAG in server.tags, running=server.running,
        locked=server.locked or server.blocked, quarantined=QUARANTINE_TAG in server.tags,
    )  # fmt: skip


def _shown(server: CloudServer) -> dict[str, str | None]:
    return {"label": server.label[:255], "product": server.product[:100], "status": server.status[:50],
            "address": server.address}  # fmt: skip
