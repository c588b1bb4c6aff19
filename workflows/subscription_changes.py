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
from domain.sales import JobStatus, JobType
from domain.statuses import Phase
from workflows._job_run import JobRun

Effect = Callable[[Any, JobCall], Awaitable[None]]
Row = Callable[[Any, JobCall, JournalBatch], Awaitable[None]]


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
        match JobType(self.order.job_type):
            case JobType.SUSPEND:
                return await self._suspend()
            case JobType.RESUME:
                return await self._resume()
            case JobType.CHANGE_LIMITS:
                return await self._change_limits()
            case JobType.TERMINATE:
                return await self._terminate()
            case JobType.REFUND:
                return await self._pay_back()
            case JobType.CANCEL:
                return await self._cancel_at_period_end()
            case JobType.KEEP:
                return await self._keep()
            case JobType.DISCARD_BACKUPS:
                return await self._discard_backups()
            case _:
                return await self._set_access()

    # ---- off and on -------------------------------------------------------------------------------------------------

    async def _suspend(self) -> str:
        await self._switch_off()
        await self._row("record_suspension", ChangeActivities.record_suspension)
        return "Suspended; the site says so"

    async def _switch_off(self) -> None:
        await self.together(
            self._do("suspend_site", SuspensionActivities.suspend_site, SuspensionActivities.reopen_site),
            self._do("suspend_mail", SuspensionActivities.suspend_mail, SuspensionActivities.reopen_mail),
        )

    async def _resume(self) -> str:
        await self.together(
            self._do("resume_site", SuspensionActivities.resume_site, SuspensionActivities.suspend_site),
            self._do("resume_mail", SuspensionActivities.resume_mail, SuspensionActivities.suspend_mail),
        )
        await self._row("record_resumption", ChangeActivities.record_resumption)
        return "Everything is on again"

    # ---- another price ----------------------------------------------------------------------------------------------

    async def _change_limits(self) -> str:
        await self._do("check_limits", LimitActivities.check_limits)
        await self.together(
            self._do("change_disk", LimitActivities.change_disk, LimitActivities.restore_disk),
            self._do("change_mailbox_size", LimitActivities.change_mailbox_size, LimitActivities.restore_mailbox_size),
        )
        await self._row("record_limits", ChangeActivities.record_limits)
        return "The new limits hold"

    # ---- the end ----------------------------------------------------------------------------------------------------

    async def _terminate(self) -> str:
        await self._switch_off()  # nothing changes any more behind the backup
        await self._back_up()
        self._burn_bridges()
        await self._do("end_billing", BillingActivities.end_billing)
        await self._do("withdraw_names", ZoneActivities.withdraw_zone)
        await self.together(
            self._do("end_account", RemovalActivities.end_account),
            self._do("end_mailbox", RemovalActivities.end_mailbox),
        )
        proofs: list[Absence] = await self.step("prove_removal", self._prove)
        self.journal.show(absence=AbsenceReport(proofs=proofs))
        await self._row("end_subscription", ChangeActivities.end_subscription)
        return "Ended; the last backup is kept"

    async def _back_up(self) -> None:
        await self.together(
            self.step("back_up_site", lambda: self.effect(LastBackupActivities.back_up_site, self._call()),
                      undo=lambda: self.journal.execute(ChangeActivities.abandon_backups, self._call())),
            self._do("back_up_mail", LastBackupActivities.back_up_mail),
            self._do("export_zone", LastBackupActivities.export_zone),
        )  # fmt: skip

    def _burn_bridges(self) -> None:
        """What is removed from here on comes back from the backup only, so nobody may roll back."""
        self._check_leaving()
        self.reversible = False
        self._undos.clear()

    async def _prove(self) -> list[Absence]:
        checks = (ZoneActivities.prove_zone_absent, HostingActivities.prove_account_absent,
                  MailboxActivities.prove_mailbox_absent)  # fmt: skip
        return [await self.effect(check, self._call()) for check in checks]

    async def _take_back(self, cancelled: bool) -> None:
        if self.reversible:
            await super()._take_back(cancelled)
            return
        self._leaving = True
        await self._end(JobStatus.CANCELLED, Phase.CANCELLED, "Stopped half way; ask for it again to finish it")

    # ---- money ------------------------------------------------------------------------------------------------------

    async def _pay_back(self) -> str:
        self.reversible = False  # the payment service may have been asked already; cancelling the run ends its tries
        await self.step("refund_order", self._refund)
        return "Paid back"

    async def _refund(self) -> None:
        if await self.journal.execute(DeliveryActivities.open_refund, self._call()):
            await self.effect(RefundActivities.send_refund, self._call())

    async def _cancel_at_period_end(self) -> str:
        await self._do("stop_renewal", BillingActivities.stop_renewal, BillingActivities.go_on_renewing)
        await self._row("record_cancellation", ChangeActivities.record_cancellation)
        return "Ends with the paid period"

    async def _keep(self) -> str:
        await self._do("go_on_renewing", BillingActivities.go_on_renewing, BillingActivities.stop_renewal)
        await self._row("record_keeping", ChangeActivities.record_keeping)
        return "Goes on"

    # ---- the rest ---------------------------------------------------------------------------------------------------

    async def _discard_backups(self) -> str:
        await self._do("discard_backups", DiscardActivities.discard_backups)
        return "Backups whose time was over are deleted"

    async def _set_access(self) -> str:
        name, do = {
            JobType.MAILBOX_PASSWORD: ("set_mailbox_password", AccessActivities.set_mailbox_password),
            JobType.SFTP_KEYS: ("set_sftp_keys", AccessActivities.set_sftp_keys),
            JobType.SFTP_PASSWORD: ("set_sftp_password", AccessActivities.set_sftp_password),
        }[JobType(self.order.job_type)]
        await self.step(name, lambda: self.effect(do, self._call()),
                        undo=lambda: self.journal.execute(ChangeActivities.forget_access, self._call()))  # fmt: skip
        return "Set"

    # ---- a step with one activity -----------------------------------------------------------------------------------

    async def _do(self, name: str, do: Effect, undo: Effect | None = None) -> None:
        # The inputs are read at each try: an operator may have corrected them.
        back = None if undo is None else lambda: self.effect(undo, self._call())
        await self.step(name, lambda: self.effect(do, self._call()), undo=back)

    async def _row(self, name: str, do: Row) -> None:
        await self.step(name, lambda: self.journal.execute(do, self._call()))
