"""The outside of a subscription's changes, scripted like the rest. Rows are real, those of backups too."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from temporalio import activity
from temporalio.client import Client, WorkflowHandle

from activities.change_records import ChangeActivities
from activities.lifecycle_sweeps import LifecycleActivities
from db.base import new_id
from db.models_hosting import BackupJob
from db.models_mail import OutgoingMail
from db.models_sales import Subscription
from db.models_shop import Price, Product
from db.queries import backups, delivery, jobs
from db.queries.backups import Copy
from domain.fulfilment import ChangeOrder, FulfilmentOrder, JobCall
from domain.provisioning import RunPolicy
from domain.sales import KEPT_LAST_BACKUP, JobType
from domain.starting import change_start
from tests.workflows.house import HouseWorld
from workflows.subscription_changes import SubscriptionChange

CHANGES = (
    "suspend_site", "suspend_mail", "resume_site", "resume_mail", "reopen_site", "reopen_mail", "check_limits",
    "change_disk", "restore_disk", "change_mailbox_size", "restore_mailbox_size", "export_zone", "end_billing",
    "end_account", "end_mailbox", "stop_renewal", "go_on_renewing", "discard_backups", "set_mailbox_password",
    "set_sftp_keys", "set_sftp_password", "change_price", "restore_price",
)  # fmt: skip


class ChangeWorld(HouseWorld):
    def more_rows(self) -> list[Callable[..., Any]]:
        rows = ChangeActivities(self.deps)
        return [*super().more_rows(), rows.call_back_change, rows.record_suspension, rows.record_resumption,
                rows.record_limits, rows.record_cancellation, rows.record_keeping, rows.abandon_backups,
                rows.end_subscription, rows.forget_access, LifecycleActivities(self.deps).sweep_lifecycles]  # fmt: skip

    def more_remote(self) -> list[Callable[..., Any]]:
        return [*super().more_remote(), *map(self._effect, CHANGES), self.back_up_site, self.back_up_mail]

    @activity.defn
    async def back_up_site(self, call: JobCall) -> None:
        await self._back_up("back_up_site", call)

    @activity.defn
    async def back_up_mail(self, call: JobCall) -> None:
        await self._back_up("back_up_mail", call)

    async def _back_up(self, name: str, call: JobCall) -> None:
        """The row is opened before anything can go wrong, and is whole after it did not."""
        async with self.db.begin() as session:
            held = await delivery.load(session, call.subscription_id)
            what = held.account if name == "back_up_site" else held.mailbox
            assert what is not None
            row = await backups.opened(session, call.job_id, what)
        await self._act(name)
        async with self.db.begin() as session:
            copy = Copy(f"ssh:srv/{row.id}", 1024, "a" * 64)
            await backups.succeeded(session, row.id, copy, datetime.now(UTC) + KEPT_LAST_BACKUP)

    # ---- rows

    async def live(self, client: Client, name: str, **paid: Any) -> FulfilmentOrder:
        """A subscription that was delivered, at servers of its own."""
        await self.retire_servers()
        await self.server()
        await self.server("mail")
        order = await self.paid(name, **paid)
        await (await self.begin(client, order)).result()
        self.calls.clear()
        return order

    async def asked(self, order: FulfilmentOrder, kind: JobType, *, reason: str = "", **details: Any) -> ChangeOrder:
        """Commit the row of a change, as the front door does."""
        async with self.db.begin() as session:
            job = await jobs.request(session, uuid.UUID(order.subscription_id), kind, reason=reason,
                                     requested_by="ada", **details)  # fmt: skip
            assert job is not None, "another change is under way"
            return await jobs.change_of(session, job, RunPolicy())

    async def change(
        self, client: Client, order: FulfilmentOrder, kind: JobType, **asked: Any
    ) -> WorkflowHandle[SubscriptionChange, str]:
        change = await self.asked(order, kind, **asked)
        self.last = change.job_id
        return await client.start_workflow(SubscriptionChange.run, change, **change_start(change))

    async def price(self, **limits: int) -> str:
        """The id of another price of hosting."""
        ref = new_id()
        async with self.db.begin() as session:
            product = Product(id=new_id(), name="Bigger", slug=f"p-{ref.hex}", type="hosting")
            session.add(product)
            await session.flush()
            session.add(Price(id=ref, product_id=product.id, interval="month", amount_cents=2400, limits_json=limits))
        return str(ref)

    async def set_row(self, order: FulfilmentOrder, **columns: Any) -> None:
        async with self.db.begin() as session:
            row = await session.get_one(Subscription, uuid.UUID(order.subscription_id))
            for name, value in columns.items():
                setattr(row, name, value)

    async def letters(self, order: FulfilmentOrder) -> list[str]:
        """Templates of what its customer was sent, in order; the first one tells that the site is live."""
        query = select(OutgoingMail).where(OutgoingMail.recipient == f"{order.label}@example.com")
        async with self.db.begin() as session:
            return [mail.template for mail in (await session.execute(query.order_by(OutgoingMail.id))).scalars()]

    async def backup_rows(self, order: FulfilmentOrder) -> list[BackupJob]:
        query = select(BackupJob).where(BackupJob.subscription_id == uuid.UUID(order.subscription_id))
        async with self.db.begin() as session:
            return list((await session.execute(query.order_by(BackupJob.id))).scalars())
