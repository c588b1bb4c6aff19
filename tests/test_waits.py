"""No wait in workflow code is unbounded and unnamed; the few that need no deadline are listed with their reasons."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.provisioning import RunPolicy
from tests.waits import NEEDED, UNBOUNDED, of_folder, waits_of
from workflows._options import ACTIVITIES, LOCAL, activity_options

WORKFLOWS = Path(__file__).parent.parent / "workflows"

_SAME_MOMENT = "holds within the same activation: it waits for our own tasks, for nothing outside"
_ROWS = "ends with a local activity, and rows have no deadline: PostgreSQL being away delays a run and never fails it"
_BRANCH = "a branch of the run; every wait in it has its own deadline"
_CHILD = (
    "workflow.execute_child_workflow(CHILDREN[job_type], part, id=ids.part_workflow_id(self.order.payment_intent, "
    "job_type), cancellation_type=ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED, "
    "parent_close_policy=ParentClosePolicy.REQUEST_CANCEL, "
    "id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY, search_attributes=at_start(JobStatus.RUNNING, "
    "Attention.NONE, self.order.label, HOSTING), static_summary=f'{self.order.label}: {job_type}')"
)
ALLOWED: dict[tuple[str, str, str], str] = {
    ("_journal.py", "Journal.written", "workflow.wait_condition(self._passed)"): _SAME_MOMENT,
    ("_journal.py", "Journal.written", "asyncio.shield(self._writer)"): _ROWS,
    ("_journal.py", "Journal._settle", "workflow.wait_condition(lambda: True)"): _SAME_MOMENT,
    ("_journal.py", "Journal._write_batch", "workflow.wait_condition(self._passed)"): _SAME_MOMENT,
    ("_journal.py", "Journal.execute.work", "workflow.wait_condition(self._passed)"): _SAME_MOMENT,
    ("_rows.py", "Lane.__init__", "asyncio.Lock()"): _ROWS,
    ("_rows.py", "Lane._take", "async with self._turn"): _ROWS,
    ("_rows.py", "Lane.take", "asyncio.shield(asyncio.create_task(self._take(work)))"): _ROWS,
    ("provisioning.py", "Provisioning._where_there_is_room", "await ask()"): "a step's own work, as above",
    ("_steps.py", "OperatedRun.step", "await do()"): "a step's own work: activities by the table of options",
    ("_steps.py", "OperatedRun.together", "workflow.as_completed(tasks)"): _BRANCH,
    ("_steps.py", "OperatedRun.together", "await finished"): _BRANCH,
    ("_job_run.py", "JobRun._deliver", "await tell()"): "the story itself: every wait in it has its own deadline",
    ("fulfilment.py", "Fulfilment._child", _CHILD): "a run of its own: every wait in it has its own deadline",
    ("_cancelling.py", "settled", "await task"): _BRANCH,
    ("_cancelling.py", "uninterrupted", "asyncio.shield(task)"): "a way back, or an end; its waits have their own",
    ("_steps.py", "OperatedRun.call_back", "await ask()"): _ROWS,
}


def test_every_wait_has_a_deadline_and_a_name_or_a_reason() -> None:
    wrong = [wait for wait in of_folder(WORKFLOWS) if wait.key not in ALLOWED]
    assert not wrong, "\n".join(f"{w.file}:{w.line} {w.function}: `{w.text}`: {w.wrong}" for w in wrong)


def test_no_reason_outlives_its_wait() -> None:
    assert set(ALLOWED) == {wait.key for wait in of_folder(WORKFLOWS)}


@pytest.mark.parametrize("name", ACTIVITIES)
def test_every_activity_has_all_its_deadlines(name: str) -> None:
    options = activity_options(name, "transip", RunPolicy())
    for deadline in ("start_to_close_timeout", "schedule_to_close_timeout"):
        assert options[deadline].total_seconds() > 0
    assert options["heartbeat_timeout"].total_seconds() > 0
    assert options["schedule_to_close_timeout"] >= options["start_to_close_timeout"]


def test_a_try_at_rows_has_a_deadline() -> None:
    assert LOCAL["start_to_close_timeout"].total_seconds() > 0
    assert LOCAL["retry_policy"].maximum_attempts == 0, "rows are written however long that takes"


PLANTED = {
    "a condition without a deadline": "await workflow.wait_condition(lambda: self.done, timeout_summary='x')",
    "a condition with none for a deadline": "await workflow.wait_condition(f, timeout=None, timeout_summary='x')",
    "a condition without a name": "await workflow.wait_condition(lambda: self.done, timeout=5)",
    "a timer without a name": "await workflow.sleep(3600)",
    "asyncio's timer": "await asyncio.sleep(3600)",
    "an activity without timeouts": "await workflow.execute_activity('x', 1)",
    "an activity without patience": "await workflow.execute_activity_method(x, 1, start_to_close_timeout=t)",
    "an activity with options of its own": "await workflow.execute_activity('x', 1, **self.anything)",
    "a handle of an activity": "await workflow.start_activity('x', 1, schedule_to_close_timeout=t)",
    "a child": "await workflow.execute_child_workflow('x', 1)",
    "a child's handle": "await child",
    "a result awaited later": "await self.task",
    "an event": "await asyncio.Event().wait()",
    "an event kept": "await self.event.wait()",
    "an event set elsewhere": "self.event = asyncio.Event()",
    "a future": "await asyncio.Future()",
    "a future of the loop": "await asyncio.get_running_loop().create_future()",
    "a queue": "item = await self.queue.get()",
    "tasks": "await asyncio.wait([self.task])",
    "tasks, the SDK's way": "await workflow.wait([self.task])",
    "tasks together": "await asyncio.gather(a(), b())",
    "a wait in a task": "self.task = asyncio.create_task(workflow.wait_condition(f))",
    "a lock": "async with self.lock:\n            pass",
    "a stream": "async for item in self.items:\n            pass",
    "somebody else's coroutine": "await library.call(1)",
}


def planted(statement: str) -> str:
    return f"class Run:\n    async def run(self):\n        {statement}\n"


class TestOfTheTest:
    @pytest.mark.parametrize("statement", PLANTED.values(), ids=PLANTED.keys())
    def test_a_planted_wait_is_found(self, statement: str) -> None:
        found = waits_of("planted.py", planted(statement), {"step"})
        assert found, statement
        assert found[0].function == "Run.run"

    def test_names_taken_out_of_their_module_are_found(self) -> None:
        for line in ("from asyncio import Event", "from temporalio.workflow import wait_condition"):
            assert waits_of("planted.py", line, set())

    @pytest.mark.parametrize("statement", [
        "await self.step('x')",
        "await workflow.wait_condition(f, timeout=self.t, timeout_summary='x waits for y')",
        "await workflow.sleep(t, summary='between looks')",
        "await workflow.execute_activity_method(x, 1, start_to_close_timeout=t, schedule_to_close_timeout=t)",
        "await workflow.execute_child_workflow('x', execution_timeout=t, static_summary='x')",
    ])  # fmt: skip
    def test_a_bounded_and_named_wait_is_not(self, statement: str) -> None:
        assert waits_of("planted.py", planted(statement), {"step"}) == []

    def test_the_lists_name_what_the_sdk_has(self) -> None:
        import asyncio

        from temporalio import workflow

        waiting = {"wait_condition", "sleep", "execute_activity", "execute_local_activity", "execute_child_workflow"}
        assert waiting <= set(NEEDED) & set(dir(workflow))
        assert {"wait", "as_completed"} <= UNBOUNDED & set(dir(workflow))
        assert {"Event", "Future", "gather", "wait"} <= UNBOUNDED & set(dir(asyncio))
