"""Termination: an active instance goes away, in order, with proof, and with what is still billed written down."""

from __future__ import annotations

from temporalio import workflow

from activities.health import HealthActivities
from activities.hosts import HostActivities
from activities.names import NameActivities
from activities.records import RecordActivities
from activities.servers import ServerActivities
from domain.provisioning import AbsenceReport, DestroyCall, Destroyed, StepCall, TerminationOrder
from domain.statuses import DeploymentStatus, DeploymentType, Phase, StepState
from domain.steps import TERMINATION
from workflows._cancelling import uninterrupted
from workflows._journal import Journal
from workflows._server_run import ServerRun, about


@workflow.defn
class Termination(ServerRun):
    """There is no way back once it has begun: a parked step can be retried, not rolled back, and nothing cancels it."""

    reversible = False

    @workflow.init
    def __init__(self, order: TerminationOrder) -> None:
        super().__init__()
        self.order = order
        self.inputs = order.inputs
        self.policy = order.policy
        self.journal = Journal(about(order), "termination", TERMINATION, DeploymentStatus.ACTIVE)
        self.journal.show(phase=Phase.TERMINATING)

    @workflow.run
    async def run(self, order: TerminationOrder) -> None:
        await uninterrupted(self._tell(order))

    async def _tell(self, order: TerminationOrder) -> None:
        if order.deployment_type is not DeploymentType.SERVER:
            await self.step("withdraw_dns", lambda: self.effect(NameActivities.withdraw_dns, self._call()))
        if order.deployment_type is DeploymentType.SHARED:
            await self.step(
                "remove_application", lambda: self.effect(HostActivities.remove_application, self._call()))  # fmt: skip
        destroyed = await self._destroy_server()
        report = await self._prove_absence(destroyed)
        await self.step("release", lambda: self.journal.execute(RecordActivities.release, self._call()))
        await self._end(report)

    async def _destroy_server(self) -> Destroyed:
        call = DestroyCall(deployment_id=self.order.deployment_id, immediately=self.order.immediately)
        return await self.step("destroy_server", lambda: self.effect(ServerActivities.destroy_server, call))

    async def _prove_absence(self, destroyed: Destroyed) -> AbsenceReport:
        report = AbsenceReport(still_billed=destroyed.still_billed, billed_until=destroyed.billed_until)
        gone = not destroyed.kept and self.order.immediately

        async def prove() -> None:
            bare = self.order.deployment_type is DeploymentType.SERVER
            report.proofs = [] if bare else [await self.effect(NameActivities.prove_name_absent, self._call())]
            if gone:
                report.proofs.append(await self.effect(ServerActivities.prove_server_absent, self._call()))
                if not bare:  # which ports a customer had open, nobody knows
                    report.proofs.append(await self.effect(HealthActivities.prove_host_silent, self._call()))

        await self.step("prove_absence", prove)
        return report

    async def _end(self, report: AbsenceReport) -> None:
        self.journal.show(phase=Phase.TERMINATED, status_message="Terminated", absence=report)
        self.journal.note("release", StepState.ENDED, "Terminated; nothing of it is left")
        await self.journal.written()

    def _call(self) -> StepCall:
        return StepCall(deployment_id=self.order.deployment_id, inputs=self.inputs)
