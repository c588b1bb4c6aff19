"""The step machinery, once: undo before effect, automatic retries, park, operator decisions, rollback.

A workflow inherits `OperatedRun` and writes its story with `step`, `together` and `roll_back`. Every wait in here has a
name (its step), a deadline (`until`, after which it escalates and gets a new one) and an owner.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, ChildWorkflowError, is_cancelled_exception
from temporalio.exceptions import TimeoutError as ActivityTimeout
from temporalio.workflow import ActivityCancellationType

from domain.errors import Trouble, clip
from domain.provisioning import Parked, RunPolicy
from domain.statuses import Attention, Phase, StepState
from domain.step import Step
from domain.steps import BY_NAME
from workflows._cancelling import RollbackRequested, is_cancelled, settled, uninterrupted
from workflows._decisions import Decisions, Inputs
from workflows._options import ACTIVITIES, CLOUD, activity_options, name_of

T = TypeVar("T")

PAUSE_IN_LINE = timedelta(seconds=20)  # before an activity that only waited is begun again


class OperatedRun(Decisions[Inputs]):
    """Base of every workflow that operators may retry or roll back."""

    policy: RunPolicy

    def __init__(self) -> None:
        super().__init__()
        self._undos: list[tuple[str, Callable[[], Awaitable[object]]]] = []
        self._urgent = False  # what was begun last is an operator's retry
        self._taking_back = False  # nothing stops that any more

    # ---- the story's verbs ------------------------------------------------------------------------------------------

    async def step(
        self, name: str, do: Callable[[], Awaitable[T]], *, undo: Callable[[], Awaitable[object]] | None = None
    ) -> T:
        """Run one step until it is done. Its undo is remembered first, because an effect may be half done."""
        step = BY_NAME[name]
        if undo is not None:
            self._undos.append((name, undo))
        self._running.append(name)
        attempt = 0
        try:
            while True:
                self._check_leaving()
                attempt += 1
                self.journal.show(status_message=step.message)
                self.journal.note(name, StepState.STARTED, step.message, attempt=attempt)
                self._urgent = attempt > 1
                try:
                    result = await do()
                except (ActivityError, ChildWorkflowError) as error:
                    if is_cancelled_exception(error):
                        raise
                    # Nobody is asked about a step of a run that leaves already. Runs that had asked before this was
                    # looked at go on waiting; a retry lets them leave.
                    if self._leaves() and workflow.patched("leaves-where-a-step-fails"):
                        raise asyncio.CancelledError from error
                    await self._park(step, error)
                    continue
                self._done.append(name)
                self.journal.note(name, StepState.DONE, "", attempt=attempt)
                return result
        finally:
            self._running.remove(name)

    async def together(self, *branches: Awaitable[object]) -> None:
        """Run branches side by side. If one leaves, the others are cancelled, in order, and waited for."""
        tasks = [asyncio.ensure_future(branch) for branch in branches]
        try:
            for finished in workflow.as_completed(tasks):
                await finished
        except GeneratorExit:
            raise  # the run is dropped from memory: nothing may be awaited any more
        except BaseException:
            self._leaving = True
            for task in tasks:
                task.cancel()
            for task in tasks:
                await settled(task)
            raise

    async def effect(self, activity: Callable[..., Awaitable[T]], argument: object, *, summary: str = "") -> T:
        """Execute one activity by the options table. Cancelling waits for it: an undo must not overtake its effect.

        Standing in line for an account's calls is not failing: it is begun again, for as long as a line may take.
        """
        name, urgent, since = name_of(activity), self._urgent, workflow.now()
        provider, account = self._cloud()
        options = activity_options(name, provider, self.policy, account=account, urgent=urgent)
        while True:
            try:
                result: T = await workflow.execute_activity_method(
                    activity,
                    argument,
                    cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
                    summary=summary or BY_NAME[name].title if name in BY_NAME else summary or name.replace("_", " "),
                    **options,
                )
            except ActivityError as error:
                waited = workflow.now() - since
                if not stood_in_line(name, error) or waited >= timedelta(minutes=self.policy.line_minutes):
                    raise
                self.journal.show(status_message="In line: a cloud takes only so many calls of an account")
                await workflow.sleep(PAUSE_IN_LINE, summary=f"{name} stands in line at {provider}")
                self._check_leaving()
                continue
            return result

    def _cloud(self) -> tuple[str, str]:
        """(provider, account) whose queue and limits an activity at a cloud falls under; empty where none is called."""
        return "", ""

    async def roll_back(self, why: str) -> None:
        """Run the undos in reverse. Each is retried, then parked; none is skipped."""
        self.journal.show(phase=Phase.ROLLING_BACK, status_message=f"Rolling back: {why}")
        self.journal.show_parked([])
        self.journal.note("rollback", StepState.NOTE, f"Rolling back: {why}")
        while self._undos:
            name, undo = self._undos[-1]
            await self.undo(name, undo)
            self._undos.pop()

    async def undo(self, name: str, undo: Callable[[], Awaitable[T]]) -> T:
        step, attempt = BY_NAME[name], 0
        while True:
            self.journal.note(name, StepState.UNDOING, f"Undoing: {step.title}")
            self._urgent = attempt > 0
            attempt += 1
            try:
                result = await undo()
            except ActivityError as error:
                if is_cancelled_exception(error):
                    raise
                await self._park(step, error, undoing=True)
                continue
            self.journal.note(name, StepState.UNDONE, "")
            return result

    async def taking_back(self, work: Coroutine[Any, Any, T]) -> T:
        """From here on the run goes backwards, and neither a cancellation nor a decision turns it."""
        self._leaving = self._taking_back = True
        self._parked.clear()
        return await uninterrupted(work)

    async def call_back(self, step: str, ask: Callable[[], Awaitable[str | None]]) -> str | None:
        """Ask rows whether `step` has handed over, and keep it from doing so; nothing is undone before that is known.

        Returns what was handed over: a task that did so may have been given up because of the very cancellation that
        leads here, and the run knows nothing of it.
        """
        # Runs that were under way before this was asked have undone things already, or go on without.
        while workflow.patched("asks-whether-handed-over"):
            try:
                return await ask()
            except ActivityError as error:
                await self._park(BY_NAME[step], error, undoing=True)
        return None

    # ---- waiting for an operator ------------------------------------------------------------------------------------

    async def _park(self, step: Step, error: ActivityError | ChildWorkflowError, *, undoing: bool = False) -> None:
        """Wait for a decision about this step. Returns to retry; raises RollbackRequested to leave."""
        trouble, message = describe(error)
        patience = timedelta(hours=self.policy.park_hours)
        inputs = self.inputs.model_dump(mode="json")
        wait = Parked(
            step=step.name,
            trouble=trouble,
            message=message,
            since=workflow.now(),
            until=workflow.now() + patience,
            owner=step.owner,
            undoing=undoing,
            editable=list(step.editable),
            current={name: inputs[name] for name in step.editable},
        )
        self._parked[step.name] = wait
        self._retried.discard(step.name)
        self.journal.show(status_message=f"{step.title} waits for an operator")
        self.journal.show_parked(list(self._parked.values()))
        state = StepState.UNDO_PARKED if undoing else StepState.PARKED
        self.journal.note(step.name, state, f"{step.title} waits for an operator: {message}", trouble=trouble)
        try:
            while not self._decided(step.name, undoing):
                try:
                    await workflow.wait_condition(
                        lambda: self._decided(step.name, undoing),
                        timeout=wait.until - workflow.now(),
                        timeout_summary=f"{step.title} waits for the {wait.owner}",
                    )
                except TimeoutError:
                    self._escalate(step, wait, patience)
                except asyncio.CancelledError:
                    # The SDK tells a wait of the run's cancellation too, once it ends; what cannot stop goes on.
                    if (self.reversible and not self._taking_back) or is_cancelled():
                        raise
        finally:
            self._parked.pop(step.name, None)
            self._retried.discard(step.name)
            if self.journal.shown.attention == Attention.ESCALATED and not self._parked:
                self.journal.show(attention=Attention.NONE)
            self.journal.show_parked(list(self._parked.values()))
        if self._rollback is not None and not undoing:
            raise RollbackRequested
        self.journal.note(step.name, StepState.RETRIED, f"{step.title} is retried")

    def _decided(self, step: str, undoing: bool) -> bool:
        return step in self._retried or (self._rollback is not None and not undoing)

    def _escalate(self, step: Step, wait: Parked, patience: timedelta) -> None:
        self.journal.show(attention=Attention.ESCALATED)
        wait.until, wait.escalated = workflow.now() + patience, True
        self.journal.note(
            step.name, StepState.ESCALATED, f"Nobody decided about {step.title} in time; a server may be paid for"
        )

    def _check_leaving(self) -> None:
        if self._leaves():
            raise asyncio.CancelledError

    def _leaves(self) -> bool:
        # A cancellation that meets an activity's end is swallowed by the await; look again at every boundary.
        if self._taking_back or not self.reversible:
            return False
        return self._leaving or workflow.cancellation_reason() is not None


def describe(error: ActivityError | ChildWorkflowError) -> tuple[str, str]:
    """(trouble, sentence) of a failed activity or child: str() of the error itself says nothing."""
    cause: BaseException | None = error.cause
    last: BaseException | None = cause
    # A budget that ran out hides the trouble that used it up one level down.
    while last is not None and not isinstance(last, ApplicationError) and last.__cause__ is not None:
        last = last.__cause__
    if isinstance(last, ApplicationError):
        return last.type or Trouble.UNEXPECTED, clip(last.message)
    return Trouble.UNEXPECTED, clip(str(cause or error))


def stood_in_line(name: str, error: ActivityError) -> bool:
    """Whether an activity at a cloud did nothing but wait: for calls its account may make, or for its turn in the
    queue, which ends without a try that was begun."""
    if ACTIVITIES[name].queue != CLOUD:
        return False
    never_begun = isinstance(error.cause, ActivityTimeout) and error.started_event_id == 0
    return never_begun or describe(error)[0] == Trouble.RATE_LIMITED
