"""The run's own record: events in order, one writer, many events a batch; and what operators see in Temporal's UI."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.records import RecordActivities
from domain.journal import JournalBatch, Projection, StepEvent, Subject
from domain.provisioning import Parked
from domain.statuses import Attention, Phase, StepState
from domain.step import Step
from domain.steps import BY_NAME
from domain.visibility import ATTENTION, NOTHING_STUCK, PROVIDER, SLUG, STATUS, STUCK_STEP
from workflows._rows import Lane, execute

Argument = TypeVar("Argument")
Result = TypeVar("Result")

_MARKS = {
    StepState.STARTED: "▶ running", StepState.DONE: "✔ done", StepState.PARKED: "⏸ **waits for an operator**",
    StepState.ESCALATED: "⏰ **deadline passed**", StepState.UNDOING: "↩ undoing", StepState.UNDONE: "↩ undone",
    StepState.UNDO_PARKED: "⏸ **undo waits for an operator**", StepState.RETRIED: "▶ retried",
}  # fmt: skip


class Journal:
    """Collects events and writes them batch by batch, so that rows keep the story's order."""

    def __init__(self, subject: Subject, family: str, steps: tuple[Step, ...], status: str) -> None:
        self._lane = Lane()
        self._subject = subject
        self._family = family
        self._steps = steps
        self._states: dict[str, StepState] = {}
        self._pending: list[StepEvent] = []
        self._moment: asyncio.Task[None] | None = None
        self._writer: asyncio.Task[None] | None = None
        told = workflow.info().typed_search_attributes
        self._told = (told.get(STATUS), told.get(ATTENTION), told.get(STUCK_STEP))
        # A run that was started by hand lacks them.
        self._untold = [] if told.get(SLUG) else [SLUG.value_set(subject.label), PROVIDER.value_set(subject.provider)]
        self.seq = 0
        self.shown = Projection(status=status, phase=Phase.RUNNING, attention=Attention.NONE)

    def note(self, step: str, state: StepState, message: str, **data: object) -> None:
        """Add an event; it is written soon, in order, once."""
        self.seq += 1
        if state is not StepState.NOTE:
            self._states[step] = state
        self._pending.append(
            StepEvent(seq=self.seq, step=step, state=state, message=message, at=workflow.now(), data=data)
        )
        if self._passed():
            self._moment = asyncio.create_task(self._settle())

    def show(self, **changes: object) -> None:
        """Change what the subject's row shows from the next event on."""
        self.shown = self.shown.model_copy(update=changes)

    def show_parked(self, parked: list[Parked]) -> None:
        worst = Attention.NONE
        if parked:
            late = any(wait.until <= workflow.now() for wait in parked)
            worst = Attention.ESCALATED if late or self.shown.attention == Attention.ESCALATED else (
                Attention.AWAITING_OPERATOR)  # fmt: skip
        newest = parked[-1] if parked else None
        self.show(
            parked=parked,
            attention=worst,
            error_code=newest.trouble if newest else None,
            error_message=newest.message if newest else None,
        )

    async def written(self) -> None:
        """Wait until everything noted so far is in PostgreSQL."""
        await workflow.wait_condition(self._passed)
        while self._writer is not None and not self._writer.done():
            await asyncio.shield(self._writer)

    def _passed(self) -> bool:
        return self._moment is None or self._moment.done()

    async def _settle(self) -> None:
        # A condition is looked at once nothing else can go on. So what is noted in the same moment is told once, and
        # travels in one batch: the end of a step, of the branch it was the last of, and the start of the step behind.
        await workflow.wait_condition(lambda: True)
        # Not the writer's business: what operators see must not wait for a PostgreSQL that is away.
        self._tell_temporal()
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while self._pending:
            await self._lane.take(self._write_batch)

    async def _write_batch(self) -> None:
        await workflow.wait_condition(self._passed)
        if self._pending:
            await execute(RecordActivities.record, self._batch())

    async def execute(
        self, activity: Callable[[Any, Argument, JournalBatch], Awaitable[Result]], argument: Argument
    ) -> Result:
        """Row work, in one transaction with the events that led to it."""

        async def work() -> Result:
            await workflow.wait_condition(self._passed)
            batch = self._batch()
            try:
                return await execute(activity, argument, batch)
            except ActivityError:
                self._pending[:0] = batch.events  # nothing of it was written
                raise

        return await self._lane.take(work)

    def _batch(self) -> JournalBatch:
        events, self._pending = self._pending, []
        return JournalBatch(
            deployment_id=self._subject.id,
            kind=self._subject.kind,
            run_id=workflow.info().run_id,
            family=self._family,
            task=workflow.info().get_current_history_length(),
            events=events,
            projection=self.shown,
        )

    def _tell_temporal(self) -> None:
        lines = [f"**{self.shown.phase}** · {self.shown.status_message}", ""]
        for step in self._steps:
            state = self._states.get(step.name)
            lines.append(f"- {step.title}: {_MARKS.get(state, state) if state else 'to do'}")
        for wait in self.shown.parked:
            lines += [
                "",
                f"**{BY_NAME[wait.step].title}** waits since {wait.since:%Y-%m-%d %H:%M} until "
                f"{wait.until:%Y-%m-%d %H:%M} UTC for the {wait.owner}: `{wait.trouble}` {wait.message[:500]}",
                "",
                'Send signal `retry` (optional input `{"step": "…", "changes": {…}}`) or `rollback`.',
            ]
        workflow.set_current_details("\n".join(lines))
        stuck = ",".join(wait.step for wait in self.shown.parked) or NOTHING_STUCK
        status = self.shown.phase if self.shown.phase != Phase.RUNNING else self.shown.status
        seen = (str(status), str(self.shown.attention), stuck)
        if seen != self._told or self._untold:
            workflow.upsert_search_attributes([
                STATUS.value_set(seen[0]), ATTENTION.value_set(seen[1]), STUCK_STEP.value_set(stuck), *self._untold,
            ])  # fmt: skip
            self._told, self._untold = seen, []
