"""What is done to a subscription that stands: one readable story for each kind of change. Read `_tell` and on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from temporalio import workflow

from activities.access import AccessActivities
from activities.billing import BillingActivities
from activities.change_records import ChangeActivities
from activities.deliveries import DeliveryActivities
from activities.discards import DiscardActivities
from activities.hosting import HostingActivities
from activities.last_backups import LastBackupActivities
from activities.limits import LimitActivities
from activities.mailboxes import MailboxActivities
from activities.refunds import RefundActivities
from activities.removals import RemovalActivities
from activities.suspensions import SuspensionActivities
from activities.zones import ZoneActivities
from domain.change_steps import CHANGE_STEPS
from domain.fulfilment import ChangeOrder, JobCall
from domain.journal import JournalBatch
from domain.provisioning import Absence, AbsenceReport
from domain.sales import JobType
from workflows._cancelling import uninterrupted
from workflows._job_run import JobRun

Effect = Callable[[Any, JobCall], Awaitable[None]]
Row = Callable[[Any, JobCall, JournalBatch], Awaitable[None]]


SAID = {
    JobType.SUSPEND: "Suspended; the site says so",
    JobType.RESUME: "Everything is on again",
    JobType.CHANGE_LIMITS: "The new limits hold",
    JobType.TERMINATE: "Ended; the last backup is kept",
    JobType.REFUND: "Paid back",
    JobType.CANCEL: "Ends with the paid period",
    JobType.KEEP: "Goes on",
    JobType.DISCARD_BACKUPS: "Backups whose time was over are deleted",
    JobType.MAILBOX_PASSWORD: "The mailbox's password is set",
    JobType.SFTP_KEYS: "The keys for file access are set",
    JobType.SFTP_PASSWORD: "The password for file access is set",
}


@workflow.defn
class SubscriptionChange(JobRun):
    order: ChangeOrder

    @workflow.init
    def __init__(self, order: ChangeOrder) -> None:
        super().__init__()
        kind = JobType(order.job_type)
        self._begin(order, kind.lower(), CHANGE_STEPS[kind])

    @workflow.run
    async def run(self, order: ChangeOrder) -> str:
        return await self._deliver(self._tell)

    async def _tell(self) -> str:
        kind = JobType(self.order.job_type)
        match kind:
            case JobType.SUSPEND:
                await self._suspend()
            case JobType.RESUME:
                await self._resume()
            case JobType.CHANGE_LIMITS:
                await self._change_limits()
            case JobType.TERMINATE:
                await self._terminate()
            case JobType.REFUND:
                await self._pay_back()
            case JobType.CANCEL:
                await self._cancel_at_period_end()
            case JobType.KEEP:
                await self._keep()
            case JobType.DISCARD_BACKUPS:
                await self._do("discard_backups", DiscardActivities.discard_backups)
            case _:
                await self._set_access()
        return SAID[kind]

    async def _handed_over(self) -> str | None:
        kind = JobType(self.order.job_type)
        recorded = await self.call_back(CHANGE_STEPS[kind][-1].name, lambda: self.journal.execute(
            ChangeActivities.call_back_change, self._call()))  # fmt: skip
        return None if recorded is None else SAID[kind]

    # ---- off and on -------------------------------------------------------------------------------------------------

    async def _suspend(self) -> None:
        await self._switch_off()
        await self._row("record_suspension", ChangeActivities.record_suspension)

    async def _switch_off(self) -> None:
        await self.together(
            self._do("suspend_site", SuspensionActivities.suspend_site, SuspensionActivities.reopen_site),
            self._do("suspend_mail", SuspensionActivities.suspend_mail, SuspensionActivities.reopen_mail),
        )

    async def _resume(self) -> None:
        await self.together(
            self._do("resume_site", SuspensionActivities.resume_site, SuspensionActivities.suspend_site),
            self._do("resume_mail", SuspensionActivities.resume_mail, SuspensionActivities.suspend_mail),
        )
        await self._row("record_resumption", ChangeActivities.record_resumption)

    # ---- another price ----------------------------------------------------------------------------------------------

    async def _change_limits(self) -> None:
        await self._do("check_limits", LimitActivities.check_limits)
        await self.together(
            self._do("change_disk", LimitActivities.change_disk, LimitActivities.restore_disk),
            self._do("change_mailbox_size", LimitActivities.change_mailbox_size, LimitActivities.restore_mailbox_size),
        )
        if workflow.patched("charges-for-the-new-price"):
            await self._do("change_price", BillingActivities.change_price, BillingActivities.restore_price)
        await self._row("record_limits", ChangeActivities.record_limits)

    # ---- the end ----------------------------------------------------------------------------------------------------

    async def _terminate(self) -> None:
        await self._switch_off()  # nothing changes any more behind the backup
        await self._back_up()
        self._burn_bridges()
        await uninterrupted(self._remove())

    async def _remove(self) -> None:
        await self._do("end_billing", BillingActivities.end_billing)
        await self._do("withdraw_names", ZoneActivities.withdraw_zone)
        await self.together(
            self._do("end_account", RemovalActivities.end_account),
            self._do("end_mailbox", RemovalActivities.end_mailbox),
        )
        proofs: list[Absence] = await self.step("prove_removal", self._prove)
        self.journal.show(absence=AbsenceReport(proofs=proofs))
        await self._row("end_subscription", ChangeActivities.end_subscription)

    async def _back_up(self) -> None:
        await self.together(
            self.step("back_up_site", lambda: self.effect(LastBackupActivities.back_up_site, self._call()),
                      undo=lambda: self.journal.execute(ChangeActivities.abandon_backups, self._call())),
            self._do("back_up_mail", LastBackupActivities.back_up_mail),
            self._do("export_zone", LastBackupActivities.export_zone),
        )  # fmt: skip

    def _burn_bridges(self) -> None:
        """What goes from here on comes back from the backup only: nobody may roll back, and nothing cancels it."""
        self._check_leaving()
        self.reversible = False
        self._undos.clear()

    async def _prove(self) -> list[Absence]:
        checks = (ZoneActivities.prove_zone_absent, HostingActivities.prove_account_absent,
                  MailboxActivities.prove_mailbox_absent)  # fmt: skip
        return [await self.effect(check, self._call()) for check in checks]

    # ---- money ------------------------------------------------------------------------------------------------------

    async def _pay_back(self) -> None:
        self.reversible = False  # the payment service may have been asked already
        await uninterrupted(self.step("refund_order", self._refund))

    async def _refund(self) -> None:
        if await self.journal.execute(DeliveryActivities.open_refund, self._call()):
            await self.effect(RefundActivities.send_refund, self._call())

    async def _cancel_at_period_end(self) -> None:
        await self._do("stop_renewal", BillingActivities.stop_renewal, BillingActivities.go_on_renewing)
        await self._row("record_cancellation", ChangeActivities.record_cancellation)

    async def _keep(self) -> None:
        await self._do("go_on_renewing", BillingActivities.go_on_renewing, BillingActivities.stop_renewal)
        await self._row("record_keeping", ChangeActivities.record_keeping)

    # ---- ways in ----------------------------------------------------------------------------------------------------

    async def _set_access(self) -> None:
        name, do = {
            JobType.MAILBOX_PASSWORD: ("set_mailbox_password", AccessActivities.set_mailbox_password),
            JobType.SFTP_KEYS: ("set_sftp_keys", AccessActivities.set_sftp_keys),
            JobType.SFTP_PASSWORD: ("set_sftp_password", AccessActivities.set_sftp_password),
        }[JobType(self.order.job_type)]
        await self.step(name, lambda: self.effect(do, self._call()),
                        undo=lambda: self.journal.execute(ChangeActivities.forget_access, self._call()))  # fmt: skip

    # ---- a step with one activity -----------------------------------------------------------------------------------

    async def _do(self, name: str, do: Effect, undo: Effect | None = None) -> None:
        # The inputs are read at each try: an operator may have corrected them.
        back = None if undo is None else lambda: self.effect(undo, self._call())
        await self.step(name, lambda: self.effect(do, self._call()), undo=back)

    async def _row(self, name: str, do: Row) -> None:
        await self.step(name, lambda: self.journal.execute(do, self._call()))
