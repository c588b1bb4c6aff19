"""What the runs of jobs have in common: which row they write, how they end, how they are taken back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from temporalio.exceptions import ApplicationError, is_cancelled_exception

from domain.fulfilment import ChangeOrder, FulfilmentInputs, FulfilmentOrder, JobCall, PartOrder
from domain.journal import Subject, SubjectKind
from domain.provisioning import Absence, AbsenceReport
from domain.sales import JobStatus
from domain.statuses import Phase, StepState
from domain.step import Step
from domain.visibility import HOSTING
from workflows._cancelling import RollbackRequested, uninterrupted
from workflows._journal import Journal
from workflows._steps import OperatedRun


class JobRun(OperatedRun[FulfilmentInputs]):
    """A run whose row is a job. `run` of a subclass is one line: `return await self._deliver(self._tell)`."""

    order: FulfilmentOrder | PartOrder | ChangeOrder

    def _begin(self, order: FulfilmentOrder | PartOrder | ChangeOrder, family: str, steps: tuple[Step, ...]) -> None:
        self.order = order
        self.inputs = order.inputs
        self.policy = order.policy
        subject = Subject(SubjectKind.JOB, order.job_id, order.label, HOSTING)
        self.journal = Journal(subject, family, steps, JobStatus.RUNNING)

    async def _deliver(self, tell: Callable[[], Awaitable[str]]) -> str:
        """Tell the story; on an operator's decision or a cancellation take everything back. Returns what it says.

        A decision that comes after the hand-over is too late: then it ends as if there had been none.
        """
        try:
            said = await tell()
        except BaseException as error:
            # A bug is neither: it fails the workflow task and undoes nothing.
            if not isinstance(error, RollbackRequested) and not is_cancelled_exception(error):
                raise
            cancelled = is_cancelled_exception(error)
            handed_over = await self.taking_back(self._take_back(cancelled))
            if handed_over is not None:
                return handed_over
            if cancelled:
                raise
            raise ApplicationError("rolled back", type="RolledBack", non_retryable=True) from None
        await uninterrupted(self._end(JobStatus.SUCCESS, Phase.DONE, said))
        return said

    async def _take_back(self, cancelled: bool) -> str | None:
        """Undo everything; or say what was handed over before that."""
        said = await self._handed_over()
        if said is not None:
            await self._end(JobStatus.SUCCESS, Phase.DONE, said)
            return said
        why = "cancelled" if cancelled else (self._rollback.reason if self._rollback else "") or "decided"
        await self.roll_back(why)
        report = AbsenceReport(proofs=await self._prove_absence())
        self.journal.show(absence=report)
        await self._after_taking_back(why)
        await self._end(*((JobStatus.CANCELLED, Phase.CANCELLED) if cancelled else
                          (JobStatus.FAILED, Phase.ROLLED_BACK)), f"Everything was taken back ({why})")  # fmt: skip
        return None

    async def _handed_over(self) -> str | None:
        """What the story would have said, where it hands something over for good and has done so."""
        return None

    async def _prove_absence(self) -> list[Absence]:
        return []

    async def _after_taking_back(self, why: str) -> None:
        """What is owed to the customer once nothing is left."""

    async def _end(self, status: JobStatus, phase: Phase, said: str) -> None:
        self.journal.show(status=status, phase=phase, status_message=said)
        self.journal.note("end", StepState.ENDED, said)
        await self.journal.written()

    def _call(self) -> JobCall:
        order = self.order
        reason = order.reason if isinstance(order, ChangeOrder) else ""
        return JobCall(job_id=order.job_id, subscription_id=order.subscription_id, reason=reason, inputs=self.inputs)
