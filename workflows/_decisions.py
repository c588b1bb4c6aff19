"""What operators decide about a run: updates with validators (HTTP), the same as signals (Web UI, CLI), one query.

An update is refused before it enters history when nothing waits for it; a signal has no answer, so a refused one is
noted in the journal.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from temporalio import workflow
from temporalio.exceptions import ApplicationError

from domain.provisioning import Parked, RetryRequest, RollbackRequest, RunProgress
from domain.statuses import StepState
from domain.steps import BY_NAME
from workflows._journal import Journal

Inputs = TypeVar("Inputs", bound=BaseModel)

A_TASK = timedelta(milliseconds=1)  # the shortest timer: it fires in another workflow task


class Decisions(Generic[Inputs]):
    """State and handlers; the waiting itself is in `_steps.py`."""

    journal: Journal
    inputs: Inputs
    reversible = True

    def __init__(self) -> None:
        self._parked: dict[str, Parked] = {}
        self._retried: set[str] = set()
        self._rollback: RollbackRequest | None = None
        self._leaving = False
        self._running: list[str] = []
        self._done: list[str] = []

    def _check_parked(self, step: str | None) -> list[str]:
        if self._rollback is not None and not any(wait.undoing for wait in self._parked.values()):
            raise ApplicationError("the run is being rolled back", type="InvalidState")
        waiting = [name for name in self._parked if name not in self._retried]
        if not waiting:
            raise ApplicationError("no step waits for an operator", type="InvalidState")
        if step is not None and step not in waiting:
            raise ApplicationError(f"step {step!r} does not wait for an operator", type="InvalidState")
        return [step] if step is not None else waiting

    def _corrected(self, steps: list[str], changes: dict[str, object]) -> Inputs:
        allowed = {field for name in steps for field in BY_NAME[name].editable}
        for field in changes:
            if field not in allowed:
                offered = ", ".join(sorted(allowed)) or "nothing"
                raise ApplicationError(
                    f"{field!r} cannot be corrected here; this step offers: {offered}", {"field": field},
                    type="InvalidChange")  # fmt: skip
        try:
            return type(self.inputs).model_validate(self.inputs.model_dump() | changes)
        except ValidationError as error:
            first = error.errors()[0]
            raise ApplicationError(
                f"{first['loc'][0]}: {first['msg']}", {"field": str(first["loc"][0])}, type="InvalidChange"
            ) from None

    @workflow.update
    async def retry_step(self, request: RetryRequest) -> str:
        """Retry parked steps, with corrected inputs where their step offers them. Returns the steps' names."""
        await self._kept()
        return self._retry(request)

    async def _kept(self) -> None:
        """Let Temporal keep an update before anything is done about it.

        Unlike a signal it is in no history until its workflow task ends, and a task that is given up may lose it. What
        that task had written to rows would then tell of a decision that no run knows, and nobody would be asked again.
        """
        if workflow.patched("keeps-decisions-first"):
            await workflow.sleep(A_TASK, summary="a decision is kept before it is carried out")

    def _retry(self, request: RetryRequest) -> str:
        steps = self._check_parked(request.step)
        self.inputs = self._corrected(steps, request.changes)
        self._retried.update(steps)
        if request.changes:
            names = ", ".join(sorted(request.changes))
            self.journal.note(steps[0], StepState.NOTE, f"{request.operator} corrected {names}")
        return ",".join(steps)

    @retry_step.validator
    def _may_retry(self, request: RetryRequest) -> None:
        self._corrected(self._check_parked(request.step), request.changes)

    @workflow.update(name="roll_back")
    async def roll_back_run(self, request: RollbackRequest) -> str:
        """Leave the story and undo what was done. Only while a step waits for an operator."""
        await self._kept()
        self._check_reversible()
        self._rollback = request
        return "rolling back"

    @roll_back_run.validator
    def _may_roll_back(self, request: RollbackRequest) -> None:
        self._check_reversible()

    def _check_reversible(self) -> None:
        if not self.reversible:
            raise ApplicationError("a termination cannot be rolled back; retry its step", type="InvalidState")
        if self._leaving:
            raise ApplicationError("the run is being rolled back already", type="InvalidState")
        self._check_parked(None)

    @workflow.signal
    def retry(self, payload: Any = None) -> None:
        """The same from Temporal's Web UI, the CLI or a batch: nothing, a step's name, or a RetryRequest."""
        try:
            if isinstance(payload, str):
                payload = {"step": payload}
            self._retry(RetryRequest.model_validate(payload or {}))
        except (ValidationError, ApplicationError) as error:
            self._refuse_signal("retry", error)

    @workflow.signal
    def rollback(self, payload: Any = None) -> None:
        try:
            if isinstance(payload, str):
                payload = {"reason": payload}
            request = RollbackRequest.model_validate(payload or {})
            self._check_reversible()
            self._rollback = request
        except (ValidationError, ApplicationError) as error:
            self._refuse_signal("rollback", error)

    def _refuse_signal(self, name: str, error: Exception) -> None:
        # A signal has no answer; the journal says why nothing happened.
        text = error.message if isinstance(error, ApplicationError) else "its input is not understood"
        self.journal.note(name, StepState.NOTE, f"Signal {name} was ignored: {text}")

    @workflow.query
    def progress(self) -> RunProgress:
        return RunProgress(
            phase=self.journal.shown.phase,
            running=list(self._running),
            parked=list(self._parked.values()),
            done=list(self._done),
            seq=self.journal.seq,
        )
