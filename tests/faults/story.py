"""What a seed draws beside the faults of its calls: what is ordered where, how its run is started, and what people do
to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from domain.provisioning import Placement, RunPolicy
from sandbox.faults.dice import dice
from sandbox.faults.machine import without_room

# started    the front door starts the run and notes it
# unstarted  the front door dies between its commit and the start
# unnoted    the front door dies between the start and the note of it
Start = Literal["started", "unstarted", "unnoted"]
Answer = Literal["retry", "rollback"]

CLOUDS = ("transip", "digitalocean", "linode")
# Another zone of a cloud, for orders that come back to one that had no room.
OTHER_ZONES = {"transip": "rtm0", "digitalocean": "fra1", "linode": "de-fra-2"}
# A bare server at each: size, region, image.
SOLD = {"transip": ("bladevps-x2", "ams0", "debian-13"), "digitalocean": ("s-1vcpu-1gb", "ams3", "debian-13-x64"),
        "linode": ("g6-nanode-1", "nl-ams", "linode/debian13")}  # fmt: skip
BARE = 0.15
# How many orders name other places. Who knows that a cloud is short of room names them more often.
FALLBACKS, FALLBACKS_IF_FULL = 0.1, 0.6

# An operator who has answered that often sees that it will not work.
PATIENCE = 4
# Minutes here are a quarter of a minute; a parked step waits for our operator, who is quick.
POLICY = RunPolicy(automatic_minutes=0.3, park_hours=24)
LATE_ACCEPT_WINDOW = 20.0  # seconds the cloud says an unanswered order may take; longer than it ever does here
POLL_INTERVAL = 0.4


@dataclass(frozen=True)
class Story:
    cloud: str
    bare: bool  # a server alone, without an application
    fallbacks: tuple[Placement, ...]
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
    cancels, when, terminate = thrown.random() < 0.18, thrown.random(), thrown.random() < 0.3
    placed = dice(seed, "places")
    cloud, bare = placed.choice(CLOUDS), placed.random() < BARE
    fallbacks = () if bare else _fallbacks(seed, cloud)
    cancel = 1 + int(when * (10 if bare else 34)) if cancels else None
    return Story(cloud, bare, fallbacks, start, cancel, terminate)


def _fallbacks(seed: int, cloud: str) -> tuple[Placement, ...]:
    """One or two other places; the last may be the first cloud once more, in another zone."""
    thrown = dice(seed, "fallbacks")
    if thrown.random() >= (FALLBACKS_IF_FULL if without_room(seed, cloud) else FALLBACKS):
        return ()
    others = [Placement(provider=other) for other in CLOUDS if other != cloud]
    thrown.shuffle(others)
    chosen = others[: thrown.randint(1, 2)]
    if thrown.random() < 0.25:
        chosen = [chosen[0], Placement(provider=cloud, availability_zone=OTHER_ZONES[cloud])]
    return tuple(chosen)


def decision(seed: int, number: int, *, reversible: bool) -> Decision:
    """The operator's `number`th answer (from 1) to a parked step."""
    thrown = dice(seed, "operator", number)
    wants_out = thrown.random() < 0.35 or number > PATIENCE
    answer: Answer = "rollback" if reversible and wants_out else "retry"
    return Decision(answer, thrown.random() < 0.5, thrown.uniform(0, 0.5))
