"""Histories of real runs must replay on today's workflow code; a change that breaks one in flight stops here."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from domain.provisioning import ProvisionOrder
from temporal import sandbox_runner
from tests.histories.stories import STORIES
from workers.pools import WORKFLOWS

HERE = Path(__file__).parent / "histories"
RECORDED = sorted(HERE.glob("*.json"))
HINT = (
    "a running workflow could not go on with this code; keep the old commands behind workflow.patched(), "
    "or, before anything runs in production, record anew with `make record`"
)


def history(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(path.stem, path.read_text())


def test_every_story_has_a_recorded_history() -> None:
    assert {path.stem for path in RECORDED} == set(STORIES)


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
async def test_recorded_histories_replay(path: Path) -> None:
    replayer = Replayer(
        workflows=list(WORKFLOWS), workflow_runner=sandbox_runner(), data_converter=pydantic_data_converter
    )
    result = await replayer.replay_workflow(history(path), raise_on_replay_failure=False)
    assert result.replay_failure is None, f"{HINT}: {result.replay_failure}"


@workflow.defn(name="Provisioning", sandboxed=False)
class BrokenProvisioning:
    """The same name with another first command, as a careless edit would make it."""

    @workflow.run
    async def run(self, order: ProvisionOrder) -> str:
        await workflow.sleep(timedelta(seconds=1))
        return order.slug


async def test_a_breaking_change_is_caught() -> None:
    replayer = Replayer(
        workflows=[BrokenProvisioning],
        workflow_runner=UnsandboxedWorkflowRunner(),
        data_converter=pydantic_data_converter,
    )
    result = await replayer.replay_workflow(history(HERE / "happy.json"), raise_on_replay_failure=False)
    assert isinstance(result.replay_failure, workflow.NondeterminismError)
