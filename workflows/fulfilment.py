"""Fulfilment: from a paid order to a live site with mail. Read `_tell`; the three parts are children of their own."""

from __future__ import annotations

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, ChildWorkflowError
from temporalio.workflow import ChildWorkflowCancellationType, ParentClosePolicy

from activities.deliveries import DeliveryActivities
from activities.hosting import HostingActivities
from activities.mailboxes import MailboxActivities
from activities.refunds import RefundActivities
from activities.site_certificates import SiteCertificateActivities
from activities.site_checks import SiteCheckActivities
from activities.zones import ZoneActivities
from domain import ids
from domain.fulfilment import FulfilmentOrder, PartOrder, SiteCsr
from domain.fulfilment_steps import FULFILMENT
from domain.provisioning import Absence, RollbackRequest
from domain.sales import JobStatus, JobType
from domain.statuses import Attention
from domain.visibility import HOSTING, at_start
from workflows._cancelling import RollbackRequested
from workflows._job_run import JobRun

CHILDREN = {
    JobType.PROVISION_DNS: "ProvisionDns",
    JobType.PROVISION_HOSTING: "ProvisionHosting",
    JobType.PROVISION_MAIL: "ProvisionMail",
}


@workflow.defn
class Fulfilment(JobRun):
    order: FulfilmentOrder

    @workflow.init
    def __init__(self, order: FulfilmentOrder) -> None:
        super().__init__()
        self._begin(order, "fulfilment", FULFILMENT)

    @workflow.run
    async def run(self, order: FulfilmentOrder) -> str:
        return await self._deliver(self._tell)

    async def _tell(self) -> str:
        await self._claim_names()
        await self.together(
            self._part(JobType.PROVISION_DNS),
            self._part(JobType.PROVISION_HOSTING),
            self._part(JobType.PROVISION_MAIL),
        )
        await self._secure()
        await self._check_site()
        return await self._hand_over()

    # ---- the steps --------------------------------------------------------------------------------------------------

    async def _claim_names(self) -> None:
        await self.step(
            "claim_names", lambda: self.journal.execute(DeliveryActivities.claim_names, self._call()),
            undo=lambda: self.journal.execute(DeliveryActivities.release_names, self._call()))  # fmt: skip

    async def _part(self, job_type: JobType) -> None:
        await self.step(job_type.lower(), lambda: self._child(job_type), undo=lambda: self._withdraw(job_type))

    async def _child(self, job_type: JobType) -> None:
        """A part is a run of its own: operators retry it, or roll it back and with it the whole order."""
        part = PartOrder(
            job_id=self.order.parts[job_type],
            subscription_id=self.order.subscription_id,
            label=self.order.label,
            inputs=self.inputs,
            policy=self.policy,
        )
        try:
            await workflow.execute_child_workflow(
                CHILDREN[job_type],
                part,
                id=ids.part_workflow_id(self.order.payment_intent, job_type),
                cancellation_type=ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
                parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                search_attributes=at_start(JobStatus.RUNNING, Attention.NONE, self.order.label, HOSTING),
                static_summary=f"{self.order.label}: {job_type}",
            )
        except ChildWorkflowError as error:
            if isinstance(error.cause, ApplicationError) and error.cause.type == "RolledBack":
                self._rollback = self._rollback or RollbackRequest(reason=f"{job_type} was rolled back")
                raise RollbackRequested from None
            raise

    async def _withdraw(self, job_type: JobType) -> None:
        # Also where the child has taken it back itself: absent is success.
        match job_type:
            case JobType.PROVISION_DNS:
                await self.effect(ZoneActivities.withdraw_zone, self._call(), summary="Withdraw zone and records")
            case JobType.PROVISION_HOSTING:
                await self.effect(HostingActivities.remove_account, self._call(), summary="Remove the site")
            case JobType.PROVISION_MAIL:
                await self.effect(MailboxActivities.remove_mailbox, self._call(), summary="Remove the mailbox")

    async def _secure(self) -> None:
        request: SiteCsr = await self.step(
            "make_site_csr", lambda: self.effect(HostingActivities.make_site_csr, self._call()))  # fmt: skip
        await self.step("issue_site_certificate", lambda: self.effect(
            SiteCertificateActivities.issue_site_certificate,
            request.model_copy(update={"inputs": self.inputs})))  # fmt: skip
        await self.step(
            "configure_site_tls", lambda: self.effect(HostingActivities.configure_site_tls, self._call()))  # fmt: skip

    async def _check_site(self) -> None:
        await self.step("check_site", lambda: self.effect(SiteCheckActivities.check_site, self._call()))

    async def _hand_over(self) -> str:
        url: str = await self.step("hand_over_order", lambda: self.journal.execute(
            DeliveryActivities.hand_over_order, self._call()))  # fmt: skip
        return f"Live at {url}"

    # ---- taking it back ---------------------------------------------------------------------------------------------

    async def _handed_over(self) -> str | None:
        url = await self.call_back("hand_over_order", lambda: self.journal.execute(
            DeliveryActivities.call_back_order, self._call()))  # fmt: skip
        return None if url is None else f"Live at {url}"

    async def _prove_absence(self) -> list[Absence]:
        proofs: list[Absence] = []
        for check in (
            ZoneActivities.prove_zone_absent,
            HostingActivities.prove_account_absent,
            MailboxActivities.prove_mailbox_absent,
        ):
            proofs.append(await self.undo("prove_absence", lambda check=check: self.effect(check, self._call())))  # type: ignore[misc]
        return proofs

    async def _after_taking_back(self, why: str) -> None:
        """Paid and not delivered: the money goes back, or an operator knows that it has not."""
        await self.undo("refund_order", self._refund)

    async def _refund(self) -> None:
        refund_id = await self.journal.execute(DeliveryActivities.open_refund, self._call())
        if refund_id:
            await self.effect(RefundActivities.send_refund, self._call())
