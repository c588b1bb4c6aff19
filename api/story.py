"""From a deployment's events to what people see: the state of each step, and the lines of the log. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api.envelope import stamp
from domain.statuses import ENDED_PHASES, DeploymentStatus, DeploymentType, Phase, StepState
from domain.step import Step
from domain.steps import PROVISIONING, SERVER, SERVER_TERMINATION, TERMINATION

Row = dict[str, Any]

_SHOWN = {
    StepState.STARTED: "running", StepState.RETRIED: "running", StepState.DONE: "done", StepState.PARKED: "parked",
    StepState.ESCALATED: "parked", StepState.UNDO_PARKED: "parked", StepState.UNDOING: "undoing",
    StepState.UNDONE: "undone",
}  # fmt: skip
_LEAVING = ENDED_PHASES | {Phase.ROLLING_BACK}
_TERMINATING = frozenset({Phase.TERMINATING, Phase.TERMINATED})
_WARNINGS = frozenset({StepState.PARKED, StepState.ESCALATED, StepState.UNDO_PARKED})


@dataclass
class Track:
    """Where one step stands, told by its events in order."""

    state: str = "pending"
    started_at: datetime | None = None
    ended_at: datetime | None = None
    attempt: int = 0

    def follow(self, event: Row) -> None:
        shown = _SHOWN.get(event["state"])
        if shown is None:
            return
        self.state = shown
        if event["state"] == StepState.STARTED:
            self.started_at = self.started_at or event["at"]
            self.attempt = int(event["data"].get("attempt") or self.attempt + 1)
        self.ended_at = event["at"] if shown in ("done", "undone") else None


def is_done(row: Row) -> bool:
    """The terminal flag that pollers stop at (R547): nothing more will happen by itself."""
    if row["ended_at"] is not None or row["phase"] in ENDED_PHASES or row["phase"] == Phase.ACTIVE:
        return True
    return bool(row["status"] == DeploymentStatus.FAILED and row["phase"] == Phase.RUNNING and not row["parked"])


def steps_of(row: Row, events: Iterable[Row]) -> list[dict[str, object]]:
    """Every step of the run, and of its termination once there is one, in the order of domain/steps.py.

    `seconds` is there for steps that ended; a running one has `started_at`. `skipped`: it did not and will not happen.
    """
    told = [event for event in events if event["kind"] == "step"]
    tracks = tracks_of(told)
    terminating = any(event["family"] == "termination" for event in told)  # a rollback proves absence too
    parked = {wait["step"] for wait in row["parked"]}
    phase = row["phase"]
    ending = phase in _TERMINATING or terminating
    bare = row["deployment_type"] == DeploymentType.SERVER
    shown = steps_in("provisioning", SERVER if bare else PROVISIONING, tracks, parked,
                    left=phase in _LEAVING or phase in _TERMINATING or phase == Phase.ACTIVE)  # fmt: skip
    if ending:
        shown += steps_in(
            "termination", SERVER_TERMINATION if bare else TERMINATION, tracks, parked, left=phase == Phase.TERMINATED
        )
    return shown


def tracks_of(events: Iterable[Row]) -> dict[str, Track]:
    """By step, in the order in which the steps were first told of. `events` are of steps alone."""
    tracks: dict[str, Track] = {}
    for event in events:
        tracks.setdefault(event["step"], Track()).follow(event)
    return tracks


def steps_in(
    family: str, steps: tuple[Step, ...], tracks: dict[str, Track], parked: set[str], *, left: bool
) -> list[dict[str, object]]:
    """Each step of a table with its state. `left`: the run goes forward no more, so what was not done will not be."""
    states = {step.name: tracks[step.name].state if step.name in tracks else "pending" for step in steps}
    for step in reversed(steps):
        state = states[step.name]
        overtaken = any(step.name in other.after and states[other.name] != "pending" for other in steps)
        unfinished = state == "pending" or (state in ("running", "parked") and step.name not in parked)
        if (state == "pending" and overtaken) or (left and unfinished):
            states[step.name] = "skipped"
    return [_step(family, step, states[step.name], tracks.get(step.name, Track())) for step in steps]


def _step(family: str, step: Step, state: str, track: Track) -> dict[str, object]:
    seconds = None
    if track.started_at and track.ended_at:
        seconds = round((track.ended_at - track.started_at).total_seconds(), 1)
    return {
        "name": step.name,
        "title": step.title,
        "message": step.message,
        "number": step.number,
        "after": step.after,
        "editable": step.editable,
        "family": family,
        "state": state,
        "started_at": stamp(track.started_at),
        "ended_at": stamp(track.ended_at),
        "seconds": seconds,
        "attempt": track.attempt,
    }


def is_visible(event: Row) -> bool:
    return event["kind"] == "log" or bool(event["message"])


def line(event: Row) -> dict[str, object]:
    """One line of the log. `level`: info, out or err for what a server said, warning where somebody is needed."""
    level = event["state"] if event["kind"] == "log" else "warning" if event["state"] in _WARNINGS else "info"
    return {
        "timestamp": stamp(event["at"]),
        "message": event["message"],
        "step": event["step"],
        "kind": event["kind"],
        "level": level,
        "position": event["position"],
    }


def step_event(event: Row) -> dict[str, object]:
    return {
        "position": event["position"],
        "family": event["family"],
        "step": event["step"],
        "state": event["state"],
        "shown": _SHOWN.get(event["state"]),
        "message": event["message"],
        "attempt": event["data"].get("attempt"),
        "at": stamp(event["at"]),
    }
