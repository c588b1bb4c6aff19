"""Row work of a subscription's changes: what was done outside is written down. Local activities, short ones."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities._context import Deps
from activities._errors import mapped
from db.models_jobs import Job
from db.queries import access, backups, changes, delivery, journal
from db.queries.changes import Letters
from db.queries.delivery import Delivery
from domain.errors import Trouble
from domain.fulfilment import JobCall
from domain.journal import JournalBatch
from domain.statuses import Phase


class ChangeActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @activity.defn
    @mapped
    async def call_back_change(self, call: JobCall, batch: JournalBatch) -> str | None:
        """Close the way to what a change records, before anything is undone. Returns its state where it was too late.

        Effect: the job's phase, which keeps the others of this file from recording.
        Idempotency: whichever of the two came first stays.
        Undo: none.
        Heartbeat: none, one short transaction.
        """
        async with self._deps.db.begin() as session:
            await journal.record(session, batch)
            held = await delivery.load(session, call.subscription_id, lock=True)
            job = await session.get_one(Job, uuid.UUID(call.job_id))
            if changes.is_recorded(job, held, call.inputs.price_id):
                return held.subscription.status
            job.phase = Phase.ROLLING_BACK
            return None

    @activity.defn
    @mapped
    async def record_suspension(self, call: JobCall, batch: JournalBatch) -> None:
        """The subscription is SUSPENDED, and its customer is told why.

        Effect: states of the subscription and its services; one mail.
        Idempotency: the first time is kept, and only it sends a mail.
        Undo: record_resumption.
        Heartbeat: none, one short transaction.
        """
        async with self._held(call, batch) as (session, held, letters):
            await changes.suspended(session, held, call.reason or "by request", letters)

    @activity.defn
    @mapped
    async def record_resumption(self, call: JobCall, batch: JournalBatch) -> None:
        """The subscription is ACTIVE again, and its customer is told.

        Effect: states of the subscription and its services; one mail.
        Idempotency: the first time is kept, and only it sends a mail.
        Undo: record_suspension.
        Heartbeat: none, one short transaction.
        """
        async with self._held(call, batch) as (session, held, letters):
            await changes.resumed(session, held, letters)

    @activity.defn
    @mapped
    async def record_limits(self, call: JobCall, batch: JournalBatch) -> None:
        """The subscription has the new price, and its customer is told.

        Effect: the price, the sizes of the site and the mailbox; one mail.
        Idempotency: the first time is kept, and only it sends a mail.
        Undo: none; a change back is a change.
        Heartbeat: none, one short transaction.
        """
        async with self._held(call, batch) as (session, held, letters):
            await changes.limited(session, held, call.inputs.price_id, letters)

    @activity.defn
    @mapped
    async def record_cancellation(self, call: JobCall, batch: JournalBatch) -> None:
        """The subscription ends with its paid period, and its customer is told when.

        Effect: `cancel_at_period_end`; one mail.
        Idempotency: the first time is kept, and only it sends a mail.
        Undo: record_keeping.
        Heartbeat: none, one short transaction.
        """
        async with self._held(call, batch) as (_, held, letters):
            await changes.cancelled(held, letters)

    @activity.defn
    @mapped
    async def record_keeping(self, call: JobCall, batch: JournalBatch) -> None:
        """The subscription goes on, and its customer is told.

        Effect: `cancel_at_period_end` taken back; one mail.
        Idempotency: the first time is kept, and only it sends a mail.
        Undo: record_cancellation.
        Heartbeat: none, one short transaction.
        """
        async with self._held(call, batch) as (_, held, letters):
            await changes.kept(held, letters)

    @activity.defn
    @mapped
    async def abandon_backups(self, call: JobCall, batch: JournalBatch) -> None:
        """Of a termination that is taken back: backups it had not finished are FAILED; finished ones are kept.

        Effect: states of the job's backups.
        Idempotency: the same again.
        Undo: none.
        Heartbeat: none, one short transaction.
        """
        async with self._deps.db.begin() as session:
            await journal.record(session, batch)
            await backups.abandoned(session, call.job_id)

    @activity.defn
    @mapped
    async def end_subscription(self, call: JobCall, batch: JournalBatch) -> None:
        """The subscription is TERMINATED, its names are free, and its customer is told until when a backup is kept.

        Effect: states of the subscription and its services; one mail.
        Idempotency: the first time is kept, and only it sends a mail.
        Undo: none.
        Heartbeat: none, one short transaction.
        """
        async with self._held(call, batch) as (session, held, letters):
            await changes.terminated(session, held, call.job_id, letters)

    @activity.defn
    @mapped
    async def forget_access(self, call: JobCall, batch: JournalBatch) -> None:
        """Undo of a password that was asked for and is not to be set: our encrypted copy is destroyed.

        Effect: the job's secret.
        Idempotency: the same again.
        Undo: none.
        Heartbeat: none, one short transaction.
        """
        async with self._deps.db.begin() as session:
            await journal.record(session, batch)
            await access.forget(session, call.job_id)

    @contextlib.asynccontextmanager
    async def _held(self, call: JobCall, batch: JournalBatch) -> AsyncIterator[tuple[AsyncSession, Delivery, Letters]]:
        async with self._deps.db.begin() as session:
            await journal.record(session, batch)
            held = await delivery.load(session, call.subscription_id, lock=True)
            job = await session.get_one(Job, uuid.UUID(call.job_id))
            recorded = changes.is_recorded(job, held, call.inputs.price_id)
            if not recorded and job.phase != Phase.RUNNING:  # a try of a workflow task that was given up may come late
                raise ApplicationError(f"it is {job.phase}", type=Trouble.CONFLICT, non_retryable=True)
            letters = Letters(session, self._deps.keys, self._deps.config.portal_url, datetime.now(UTC))
            yield session, held, letters
