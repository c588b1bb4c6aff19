"""Histories of real runs must replay on today's workflow code; a change that breaks one in flight stops here."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from domain.provisioning import ProvisionOrder
from tests.copies import Edit, copy_to, run_in
from tests.histories import fingerprints
from tests.histories.replay import HERE, RECORDED, history, replayer
from tests.histories.stories import STORIES
from workers.pools import WORKFLOWS


def test_every_story_has_a_recorded_history() -> None:
    assert {path.stem for path in RECORDED} == set(STORIES)


def test_every_family_has_recorded_histories() -> None:
    families = {
        history(path).events[0].workflow_execution_started_event_attributes.workflow_type.name for path in RECORDED
    }
    assert families == {family.__name__ for family in WORKFLOWS}


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
async def test_recorded_histories_replay(path: Path) -> None:
    result = await replayer().replay_workflow(history(path), raise_on_replay_failure=False)
    assert result.replay_failure is None, f"{fingerprints.ADVICE}: {result.replay_failure}"


def test_the_commands_are_the_ones_that_were_recorded() -> None:
    changed = fingerprints.changes(fingerprints.kept(), fingerprints.of_source())
    assert not changed, f"{'; '.join(changed)}: {fingerprints.ADVICE}"


@workflow.defn(name="Provisioning", sandboxed=False)
class BrokenProvisioning:
    """The same name with another first command, as a careless edit would make it."""

    @workflow.run
    async def run(self, order: ProvisionOrder) -> str:
        await workflow.sleep(timedelta(seconds=1))
        return order.slug


async def test_another_story_under_the_same_name_is_caught() -> None:
    replayer = Replayer(
        workflows=[BrokenProvisioning],
        workflow_runner=UnsandboxedWorkflowRunner(),
        data_converter=pydantic_data_converter,
    )
    result = await replayer.replay_workflow(history(HERE / "happy.json"), raise_on_replay_failure=False)
    assert isinstance(result.replay_failure, workflow.NondeterminismError)


STORY = "workflows/provisioning.py"
STEPS = "workflows/_steps.py"
BREAKING = [
    Edit(
        "another order of steps", STORY,
        'self.effect(HostActivities.write_env, self._call()))\n        await self.step("start_services", '
        "lambda: self.effect(HostActivities.start_services, self._call()))",
        'self.effect(HostActivities.start_services, self._call()))\n        await self.step("start_services", '
        "lambda: self.effect(HostActivities.write_env, self._call()))",
    ),
    Edit("a step removed", STORY, "        await self._health_check()\n", ""),
    Edit("a step added", STORY, "            await self._await_server()\n",
         "            await self._await_server()\n            await self._await_ssh()\n"),
    Edit("an activity renamed", "activities/names.py", "    @activity.defn\n    @mapped\n    async def publish_dns",
         '    @activity.defn(name="announce_dns")\n    @mapped\n    async def publish_dns'),
    Edit("another wait", STEPS, "        self.journal.show_parked(list(self._parked.values()))\n        state = ",
         "        await workflow.sleep(1)\n"
         "        self.journal.show_parked(list(self._parked.values()))\n        state = "),
    Edit("a wait without its timer", STEPS, "timeout=wait.until - workflow.now(),", "timeout=None,"),
]  # fmt: skip
# On a way that no history takes: only the fingerprint can see it.
UNRECORDED = Edit(
    "a command behind a condition", STORY, "        await self._health_check()\n",
    '        if self.inputs.availability_zone == "nowhere":\n            await self._await_ssh()\n'
    "        await self._health_check()\n",
)  # fmt: skip
HARMLESS = [
    Edit("a sentence", STEPS, "{step.title} is retried", "{step.title} is tried again now"),
    Edit("a comment", STEPS, "# A budget that ran out hides", "# Budgets that ran out hide"),
    Edit("a docstring", STEPS, "Run the undos in reverse.", "Undo what was done, the newest first."),
    Edit("a timeout", "workflows/_options.py", '"health_check": Options(EDGE, _s(180))',
         '"health_check": Options(EDGE, _s(240))'),
    Edit("a patience", "workflows/planning.py", "timedelta(seconds=15)", "timedelta(seconds=12)"),
    Edit("a local name", STORY, "        place = await self._reserve()\n        if place.new_server",
         "        seat = await self._reserve()\n        if seat.new_server"),
]  # fmt: skip


def changed_by(place: Path, *edits: Edit) -> list[str]:
    return fingerprints.changes(fingerprints.of_source(), fingerprints.of_source(copy_to(place, *edits)))


def said(output: str) -> dict[str, Any]:
    """The last line: the SDK's core may warn on the same stream before it."""
    return dict(json.loads(output.splitlines()[-1]))


class TestOfTheGate:
    """Edits on a copy of the source: the breaking ones are seen, the harmless ones are not."""

    @pytest.mark.parametrize("edit", BREAKING, ids=lambda edit: edit.name)
    def test_a_breaking_edit_changes_the_fingerprint_and_does_not_replay(self, tmp_path: Path, edit: Edit) -> None:
        assert changed_by(tmp_path / "copy", edit)
        done = run_in(tmp_path / "copy", "-m", "tests.histories.replay", "happy", "parked_and_retried")
        found = said(done.stdout)
        assert found["replay"], f"{edit.name} replayed\n{done.stderr}"
        assert all("ondeterminism" in why for why in found["replay"].values()), found["replay"]

    def test_a_breaking_edit_on_a_way_nobody_recorded_changes_the_fingerprint(self, tmp_path: Path) -> None:
        assert changed_by(tmp_path / "copy", UNRECORDED) == ["Provisioning: Provisioning._tell changed"]

    def test_harmless_edits_are_not_flagged(self, tmp_path: Path) -> None:
        assert changed_by(tmp_path / "copy", *HARMLESS) == []
        done = run_in(tmp_path / "copy", "-m", "tests.histories.replay", "happy", "rolled_back")
        assert said(done.stdout)["replay"] == {}, done.stderr

    def test_an_edit_whose_text_is_gone_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="stands 0 times"):
            copy_to(tmp_path / "copy", Edit("rotten", STORY, "no such text", ""))
