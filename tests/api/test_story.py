"""The states of steps, from events alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.story import steps_of
from domain.steps import TERMINATION

START = datetime(2025, 1, 19, 10, 30, tzinfo=UTC)


def row(**changes: Any) -> dict[str, Any]:
    usual = {"phase": "running", "status": "deploying", "parked": [], "ended_at": None, "deployment_type": "dedicated"}
    return usual | changes


ENDING = {step.name for step in TERMINATION}


def events(*lines: str, family: str | None = None) -> list[dict[str, Any]]:
    """`step state [attempt]` per second; a step of the termination belongs to it unless `family` says otherwise."""
    made = []
    for number, text in enumerate(lines):
        step, state, *attempt = text.split()
        data = {"attempt": int(attempt[0])} if attempt else {}
        at = START + timedelta(seconds=number)
        made.append(
            {"kind": "step", "step": step, "state": state, "message": "", "position": number, "data": data, "at": at,
             "family": family or ("termination" if step in ENDING else "provisioning")}
        )  # fmt: skip
    return made


def states(shown: list[dict[str, Any]]) -> dict[str, str]:
    return {step["name"]: step["state"] for step in shown}


def test_running_and_done_with_times() -> None:
    shown = {
        s["name"]: s for s in steps_of(row(), events("reserve started 1", "reserve done", "create_server started 1"))
    }
    assert (
        shown["reserve"] | {"state": "done", "seconds": 1.0, "attempt": 1, "ended_at": "2025-01-19T10:30:01Z"}
        == (shown["reserve"])
    )
    assert (shown["create_server"]["state"], shown["create_server"]["seconds"]) == ("running", None)
    assert shown["create_server"]["started_at"] == "2025-01-19T10:30:02Z"
    assert shown["await_server"]["state"] == "pending"


def test_a_retry_counts_and_keeps_the_first_start() -> None:
    story = events("reserve started 1", "reserve parked", "reserve escalated", "reserve retried", "reserve started 2")
    assert states(steps_of(row(parked=[{"step": "reserve"}]), story[:3]))["reserve"] == "parked"
    shown = steps_of(row(), story)[0]
    assert (shown["state"], shown["attempt"], shown["started_at"]) == ("running", 2, "2025-01-19T10:30:00Z")


def test_rollback_undoes_some_and_skips_the_rest() -> None:
    story = events("reserve started", "reserve done", "create_server started", "create_server parked", "rollback note",
                   "create_server undoing", "create_server undone", "reserve undoing")  # fmt: skip
    shown = states(steps_of(row(phase="rolling_back"), story))
    assert (shown["reserve"], shown["create_server"], shown["await_server"]) == ("undoing", "undone", "skipped")


def test_an_undo_that_waits_is_parked() -> None:
    story = events("reserve started", "reserve done", "reserve undoing", "reserve undo_parked")
    shown = states(steps_of(row(phase="rolling_back", parked=[{"step": "reserve"}]), story))
    assert shown["reserve"] == "parked"


def test_the_proof_of_a_rollback_is_no_termination() -> None:
    story = events("reserve started", "reserve undone", "prove_absence undone", family="provisioning")
    assert {step["family"] for step in steps_of(row(phase="rolled_back"), story)} == {"provisioning"}


def test_what_a_shared_server_needs_not_is_skipped() -> None:
    story = events("reserve started", "reserve done", "publish_dns started", "await_ssh started")
    shown = states(steps_of(row(), story))
    assert (shown["create_server"], shown["await_server"], shown["set_up_server"]) == ("skipped", "skipped", "pending")


@pytest.mark.parametrize("phase", ["rolled_back", "cancelled"])
def test_nothing_runs_in_an_ended_run(phase: str) -> None:
    shown = states(steps_of(row(phase=phase), events("reserve started", "reserve undone", "await_server started")))
    assert set(shown.values()) == {"undone", "skipped"}


def test_termination_adds_its_own_steps() -> None:
    story = events("reserve started", "reserve done", "withdraw_dns started", "withdraw_dns done",
                   "remove_application started")  # fmt: skip
    shown = steps_of(row(phase="terminating"), story)
    assert next(step["name"] for step in shown if step["family"] == "termination") == "withdraw_dns"
    found = states(shown)
    assert (found["withdraw_dns"], found["remove_application"], found["prove_absence"]) == (
        "done",
        "running",
        "pending",
    )
    assert found["reserve"] == "done"


def test_a_kept_server_is_a_skipped_step() -> None:
    story = events("withdraw_dns done", "remove_application done", "prove_absence started")
    assert states(steps_of(row(phase="terminating"), story))["destroy_server"] == "skipped"


def test_a_bare_server_has_only_the_steps_it_takes() -> None:
    shown = steps_of(row(deployment_type="server", phase="terminating"), events("destroy_server started 1"))
    assert {step["name"]: step["after"] for step in shown} == {
        "reserve": (), "create_server": ("reserve",), "await_server": ("create_server",), "activate": ("await_server",),
        "destroy_server": (), "prove_absence": ("destroy_server",), "release": ("prove_absence",),
    }  # fmt: skip
