"""What a seed draws beside the faults of its calls: how its run is started, and what people do to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from domain.provisioning import RunPolicy
from sandbox.faults.dice import dice

# started    the front door starts the run and notes it
# unstarted  the front door dies between its commit and the start
# unnoted    the front door dies between the start and the note of it
Start = Literal["started", "unstarted", "unnoted"]
Answer = Literal["retry", "rollback"]

# An operator who has answered that often sees that it will not work.
PATIENCE = 4
# Minutes here are a quarter of a minute; a parked step waits for our operator, who is quick.
POLICY = RunPolicy(automatic_minutes=0.3, park_hours=24)
LATE_ACCEPT_WINDOW = 20.0  # seconds the cloud says an unanswered order may take; longer than it ever does here
POLL_INTERVAL = 0.4


@dataclass(frozen=True)
class Story:
    start: Start
    cancel_after: int | None  # journal events
    terminate: bool


@dataclass(frozen=True)
class Decision:
    answer: Answer
    by_signal: bool
    after: float  # seconds


def story(seed: int) -> Story:
    thrown = dice(seed, "story")
    start: Start = thrown.choices(("started", "unstarted", "unnoted"), (84, 8, 8))[0]
    cancel = thrown.randint(1, 34) if thrown.random() < 0.18 else None
    return Story(start, cancel, thrown.random() < 0.3)


def decision(seed: int, number: int, *, reversible: bool) -> Decision:
    """The operator's `number`th answer (from 1) to a parked step."""
    thrown = dice(seed, "operator", number)
    wants_out = thrown.random() < 0.35 or number > PATIENCE
    answer: Answer = "rollback" if reversible and wants_out else "retry"
    return Decision(answer, thrown.random() < 0.5, thrown.uniform(0, 0.5))
