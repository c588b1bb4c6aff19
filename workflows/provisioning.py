"""Provisioning: from an order to a running, proven server. Read `run` and `_tell`; the rest is one line a step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

from activities.certificates import CertificateActivities
from activities.health import HealthActivities
from activities.hosts import HostActivities
from activities.names import NameActivities
from activities.records import RecordActivities
from activities.servers import ServerActivities
from domain.errors import Trouble
from domain.provisioning import (
    AbsenceReport,
    CertificateRequest,
    DestroyCall,
    Destroyed,
    MoveCall,
    ProvisionOrder,
    QuoteCall,
    Reservation,
    StepCall,
)
from domain.statuses import DeploymentStatus, DeploymentType, Phase, StepState
from domain.steps import steps_for
from workflows._cancelling import RollbackRequested, uninterrupted
from workflows._journal import Journal
from workflows._server_run import ServerRun, about
from workflows._steps import describe


@workflow.defn
class Provisioning(ServerRun):
    @workflow.init
    def __init__(self, order: ProvisionOrder) -> None:
        super().__init__()
        self.order = order
        self.inputs = order.inputs
        self.policy = order.policy
        self.destroyed = Destroyed()
        steps = steps_for(order.deployment_type, new_server=True)
        self.journal = Journal(about(order), "provisioning", steps, DeploymentStatus.PROVISIONING)

    @workflow.run
    async def run(self, order: ProvisionOrder) -> str:
        try:
            return await self._tell()
        except BaseException as error:
            # Only an operator's decision or a cancellation undoes a customer's server; a bug fails the workflow task.
            if not isinstance(error, RollbackRequested) and not is_cancelled_exception(error):
                raise
            cancelled = is_cancelled_exception(error)
            url = await self.taking_back(self._take_back(Phase.CANCELLED if cancelled else Phase.ROLLED_BACK))
            if url is not None:
                return url
            if cancelled:
                raise
            raise ApplicationError("rolled back", type="RolledBack", non_retryable=True) from None

    async def _tell(self) -> str:
        place = await self._reserve()
        if place.new_server:
            await self._create_server()
            await self._await_server()
        if self.order.deployment_type is DeploymentType.SERVER:
            return await self._activate()
        await self.together(self._publish_dns(), self._prepare_host())
        await self._health_check()
        return await self._activate()

    async def _prepare_host(self) -> None:
        await self._await_ssh()
        await self._set_up_server()
        await self.together(self._deploy_application(), self._secure())

    async def _deploy_application(self) -> None:
        await self.step(
            "transfer_files", lambda: self.effect(HostActivities.transfer_files, self._call()),
            undo=self._remove_application if self.order.deployment_type is DeploymentType.SHARED else None)  # fmt: skip
        await self.step("write_env", lambda: self.effect(HostActivities.write_env, self._call()))
        await self.step("start_services", lambda: self.effect(HostActivities.start_services, self._call()))
        await self.step("run_migrations", lambda: self.effect(HostActivities.run_migrations, self._call()))

    async def _secure(self) -> None:
        request: CertificateRequest = await self.step(
            "make_csr", lambda: self.effect(HostActivities.make_csr, self._call()))  # fmt: skip
        await self.step("issue_certificate", lambda: self.effect(
            CertificateActivities.issue_certificate, request.model_copy(update={"inputs": self.inputs})))  # fmt: skip
        await self.step("configure_tls", lambda: self.effect(HostActivities.configure_tls, self._call()))

    # ---- the steps --------------------------------------------------------------------------------------------------

    async def _reserve(self) -> Reservation:
        return await self.step("reserve", self._reserve_rows, undo=self._release)

    async def _reserve_rows(self) -> Reservation:
        place = await self.journal.execute(RecordActivities.reserve, self._call())
        if place.new_server:
            await self._where_there_is_room(self._quote)
        return place

    async def _quote(self) -> None:
        call = QuoteCall(tier=self.order.tier, inputs=self.inputs, deployment_id=self.order.deployment_id)
        await self.effect(ServerActivities.quote_server, call, summary="Ask the price")

    async def _create_server(self) -> None:
        await self.step("create_server", lambda: self._where_there_is_room(self._order),
                        undo=self._destroy_server)  # fmt: skip

    async def _order(self) -> None:
        await self.effect(ServerActivities.create_server, self._call())

    async def _where_there_is_room(self, ask: Callable[[], Awaitable[None]]) -> None:
        """Ask, and where a cloud has no room, ask the next place that the order names: for its price first."""
        priced = True
        while True:
            try:
                if not priced:
                    await self._quote()
                return await ask()
            except ActivityError as error:
                if describe(error)[0] != Trouble.QUOTA_EXCEEDED or not self.inputs.fallbacks:
                    raise
                await self._move(describe(error)[1])
                priced = ask == self._quote

    async def _move(self, why: str) -> None:
        there, *others = self.inputs.fallbacks
        await self.journal.execute(RecordActivities.move, MoveCall(deployment_id=self.order.deployment_id, to=there))
        before, self.inputs = self.inputs, self.inputs.model_copy(update={**there.model_dump(), "fallbacks": others})
        self.journal.note("create_server", StepState.NOTE,
                          f"No room at {before.provider} {before.availability_zone}: {why}; now at {there.provider} "
                          f"{there.availability_zone}")  # fmt: skip

    async def _await_server(self) -> None:
        await self.step("await_server", lambda: self.effect(ServerActivities.await_server, self._call()))

    async def _publish_dns(self) -> None:
        await self.step("publish_dns", lambda: self.effect(NameActivities.publish_dns, self._call()),
                        undo=lambda: self.effect(NameActivities.withdraw_dns, self._call()))  # fmt: skip

    async def _await_ssh(self) -> None:
        await self.step("await_ssh", lambda: self.effect(HostActivities.await_ssh, self._call()))
        # Requirement R548: ready means running, with an address, and answering over SSH with its own key.
        self.journal.show(status=DeploymentStatus.VPS_READY, status_message="VPS ready, starting deployment")
        self.journal.note("await_ssh", StepState.NOTE, "VPS ready, starting deployment")

    async def _set_up_server(self) -> None:
        self.journal.show(status=DeploymentStatus.DEPLOYING)
        await self.step("set_up_server", lambda: self.effect(HostActivities.set_up_server, self._call()))

    async def _health_check(self) -> None:
        await self.step("health_check", lambda: self.effect(HealthActivities.health_check, self._call()))

    async def _activate(self) -> str:
        url = await self.step("activate", lambda: self.journal.execute(RecordActivities.activate, self._call()))
        return await uninterrupted(self._end_active(url))

    async def _end_active(self, url: str) -> str:
        self.journal.show(status=DeploymentStatus.ACTIVE, phase=Phase.ACTIVE, status_message=f"Active at {url}")
        self.journal.note("activate", StepState.ENDED, f"Deployment complete: {url}")
        await self.journal.written()
        return url

    # ---- taking it back ---------------------------------------------------------------------------------------------

    async def _take_back(self, phase: Phase) -> str | None:
        """Undo everything. Returns the address where that came too late, because it was handed over before."""
        url = await self.call_back(
            "activate", lambda: self.journal.execute(RecordActivities.call_back, self._call()))  # fmt: skip
        if url is not None:
            self.journal.note("activate", StepState.NOTE, "Handed over before it could be taken back; terminate it")
            return await self._end_active(url)
        why = (
            "cancelled" if phase is Phase.CANCELLED else (self._rollback.reason if self._rollback else "") or "decided"
        )
        await self.roll_back(why)
        report = await self._prove_absence()
        self.journal.show(status=DeploymentStatus.FAILED, phase=phase, absence=report)
        self.journal.show(status_message="Everything was taken back")
        self.journal.note("rollback", StepState.ENDED, f"Everything was taken back ({why})")
        await self.journal.written()
        return None

    async def _prove_absence(self) -> AbsenceReport:
        report = AbsenceReport(still_billed=self.destroyed.still_billed, billed_until=self.destroyed.billed_until)
        bare = self.order.deployment_type is DeploymentType.SERVER
        for check in (
            *(() if bare else (NameActivities.prove_name_absent,)),
            *(() if self.destroyed.kept else (ServerActivities.prove_server_absent,)),
            *(() if bare or self.destroyed.kept else (HealthActivities.prove_host_silent,)),
        ):
            proof = await self.undo("prove_absence", lambda check=check: self.effect(check, self._call()))  # type: ignore[misc]
            report.proofs.append(proof)
        return report

    async def _destroy_server(self) -> None:
        call = DestroyCall(deployment_id=self.order.deployment_id, immediately=True)
        self.destroyed = await self.effect(ServerActivities.destroy_server, call, summary="Cancel the server")

    async def _remove_application(self) -> None:
        await self.effect(HostActivities.remove_application, self._call(), summary="Remove the application")

    async def _release(self) -> None:
        await self.journal.execute(RecordActivities.release, self._call())

    def _call(self) -> StepCall:
        return StepCall(deployment_id=self.order.deployment_id, inputs=self.inputs)
