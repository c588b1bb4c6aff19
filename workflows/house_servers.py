"""Setting up a server of the house: from a registered address to one that customers can be put on. Read `_tell`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError, is_cancelled_exception

from activities.house_records import HouseRecordActivities
from activities.house_servers import HouseServerActivities
from domain.house_servers import HouseCall, SetUpInputs, SetUpServerOrder
from domain.house_steps import HOUSE_SERVER, NAME_SERVER
from domain.journal import JournalBatch, Subject, SubjectKind
from domain.sales import JobStatus, ServerType
from domain.statuses import Phase, StepState
from domain.visibility import HOSTING
from workflows._cancelling import RollbackRequested, uninterrupted
from workflows._journal import Journal
from workflows._steps import OperatedRun


@workflow.defn
class SetUpServer(OperatedRun[SetUpInputs]):
    """Taking it back removes nothing from the server: others may live on it. It only gets nothing new."""

    @workflow.init
    def __init__(self, order: SetUpServerOrder) -> None:
        super().__init__()
        self.order = order
        self.inputs = order.inputs
        self.policy = order.policy
        self._by_ssh = order.type is not ServerType.DNS
        subject = Subject(SubjectKind.JOB, order.job_id, order.label, HOSTING)
        self.journal = Journal(subject, "set-up", HOUSE_SERVER if self._by_ssh else NAME_SERVER, JobStatus.RUNNING)

    @workflow.run
    async def run(self, order: SetUpServerOrder) -> str:
        try:
            await self._tell()
        except BaseException as error:
            # A bug is neither a decision nor a cancellation: it fails the workflow task and undoes nothing.
            if not isinstance(error, RollbackRequested) and not is_cancelled_exception(error):
                raise
            cancelled = is_cancelled_exception(error)
            reason = "cancelled" if cancelled else (self._rollback.reason if self._rollback else "")
            await self.taking_back(self._give_up(reason))
            if cancelled:
                raise
            raise ApplicationError("rolled back", type="RolledBack", non_retryable=True) from None
        return await uninterrupted(self._end(JobStatus.SUCCESS, Phase.DONE, f"{order.label} is set up"))

    async def _tell(self) -> None:
        if self._by_ssh:
            await self.step("await_house_ssh", lambda: self._effect(HouseServerActivities.await_house_ssh))
            await self.step("set_up_house_server", lambda: self._effect(HouseServerActivities.set_up_house_server))
        await self.step("check_house_server", lambda: self._effect(HouseServerActivities.check_house_server))
        await self.step("activate_house_server", lambda: self._row(HouseRecordActivities.activate_house_server))

    async def _give_up(self, reason: str) -> None:
        why = reason or "decided"
        await self.roll_back(why)
        await self.undo("activate_house_server", lambda: self._row(HouseRecordActivities.stand_down_house_server))
        await self._end(JobStatus.CANCELLED, Phase.CANCELLED, f"The set-up was given up ({why}); nothing was removed")

    async def _end(self, status: JobStatus, phase: Phase, said: str) -> str:
        self.journal.show(status=status, phase=phase, status_message=said)
        self.journal.note("end", StepState.ENDED, said)
        await self.journal.written()
        return said

    async def _effect(self, activity: Callable[..., Awaitable[None]]) -> None:
        await self.effect(activity, self._call())

    async def _row(self, activity: Callable[[Any, HouseCall, JournalBatch], Awaitable[None]]) -> None:
        await self.journal.execute(activity, self._call())

    def _call(self) -> HouseCall:
        return HouseCall(job_id=self.order.job_id, server_id=self.order.server_id)
