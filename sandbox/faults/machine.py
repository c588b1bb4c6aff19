"""The fault machine: which call of which run goes wrong, and how, as a pure function.

A decision depends on (seed, subject, kind of call, ordinal) alone: the seed names a run, the subject a cloud, the
ordinal counts that run's calls of this kind. So a seed that failed among ten thousand fails again alone. Bad weather
ends: after `STORMY_CALLS` calls of a kind everything works, and what never ends then is the product's fault. A cloud
that has no room for a run refuses its first orders, whatever the rest of the weather is.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from enum import StrEnum
from random import Random
from typing import NamedTuple

from sandbox.faults.dice import dice
from sandbox.faults.effects import Effect


class Call(StrEnum):
    AUTH = "auth"
    READ = "read"  # products, zones, systems, actions
    LIST = "list"
    ORDER = "order"
    SHOW = "show"
    CHANGE = "change"
    CANCEL = "cancel"


STORMY_CALLS = 12
# How likely a cloud has no room for a run, and how many of its orders it refuses then at most.
NO_ROOM, LONGEST_WITHOUT_ROOM = 0.14, 4
# How likely a call of a run goes wrong, and how many runs in a hundred have such weather.
WEATHERS = ((0.0, 15), (0.08, 35), (0.22, 30), (0.45, 20))

_COMMON: dict[str, int] = {
    "lose_request": 3, "lose_answer": 3, "delay": 3, "status": 3, "rate_limit": 1, "garbage": 2, "token_over": 1,
}  # fmt: skip
# Weights of what may happen to each kind of call.
TABLE: dict[Call, dict[str, int]] = {
    Call.AUTH: {"lose_request": 2, "lose_answer": 2, "delay": 2, "status": 2, "garbage": 1},
    Call.READ: _COMMON,
    Call.LIST: _COMMON | {"hide": 7},
    Call.ORDER: _COMMON | {"lose_answer": 5, "status_handled": 4, "garbage_handled": 2, "duplicate": 6, "full": 1},
    Call.SHOW: _COMMON,
    Call.CHANGE: _COMMON | {"status_handled": 2, "locked": 2, "duplicate": 1},
    Call.CANCEL: _COMMON | {"status_handled": 3, "locked": 3, "duplicate": 2},
}
# An order whose answer was lost may appear this late (seconds, both added); the cloud's stated window must exceed it.
LATEST_APPEAR, LATEST_LISTED, LATEST_HANDLED = 2.5, 2.5, 0.8

_GARBAGE = ("", "<html><body>Bad gateway</body></html>", "{}", "[]")


class Manner(NamedTuple):
    """How a cloud refuses, as (status, sentence or HTML), and what it sends with nothing in it."""

    token_over: tuple[int, str]
    locked: tuple[int, str]
    full: tuple[int, str]
    nothing: str


MANNERS = {
    "transip": Manner(
        token_over=(401, "Your access token has expired, please request a new one"),
        locked=(409, "This VPS has an action running, no modification is allowed"),
        full=(403, "You have reached the maximum number of VPSs of your account"),
        nothing='{"vpss": null, "vps": null}',
    ),
    # The tokens of the other two do not run out; what their proxies answer for them comes in its place.
    "digitalocean": Manner(
        token_over=(503, "<html><body>Service unavailable</body></html>"),
        locked=(422, "Droplet already has a pending event."),
        full=(422, "creating this/these droplet(s) will exceed your droplet limit"),
        nothing='{"droplets": null, "droplet": null}',
    ),
    "linode": Manner(
        token_over=(400, "<html><head><title>400 Bad Request</title></head></html>"),
        locked=(400, "Linode busy."),
        full=(400, "Account Limit reached. Please open a support ticket."),
        nothing='{"data": null, "id": null}',
    ),
}


def weather(seed: int) -> float:
    rates, weights = zip(*WEATHERS, strict=True)
    return float(dice(seed, "weather").choices(rates, weights)[0])


def without_room(seed: int, subject: str) -> int:
    """How many of a run's orders this cloud refuses, because it is full, before it has room; mostly 0."""
    thrown = dice(seed, subject, "room")
    return thrown.randint(1, LONGEST_WITHOUT_ROOM) if thrown.random() < NO_ROOM else 0


def decide(seed: int, subject: str, call: Call, ordinal: int) -> Effect | None:
    """What becomes of this run's `ordinal`th call of a kind (from 1); None lets it through."""
    if call is Call.ORDER and ordinal <= without_room(seed, subject):
        return _refusal(MANNERS[subject].full)
    rate = weather(seed)
    if rate == 0 or ordinal > STORMY_CALLS:
        return None
    thrown = dice(seed, subject, call, ordinal)
    effect = None
    if thrown.random() < rate:
        table = TABLE[call]
        effect = _effect(thrown.choices(list(table), list(table.values()))[0], thrown, MANNERS[subject])
    if effect is not None and effect.do == "hide" and ordinal > 1:
        # A list may lack a server once, not in two looks in a row: no product could ever believe an absence.
        before = decide(seed, subject, call, ordinal - 1)
        if before is not None and before.do == "hide":
            effect = None
    if call is Call.ORDER and thrown.random() < 2 * rate:
        effect = effect or Effect(do="late")
        delays = {"appear": LATEST_APPEAR, "unlisted": LATEST_LISTED, "locked": 4.0}
        chosen = {name: round(thrown.uniform(0.2, most), 2) for name, most in delays.items() if thrown.random() < 0.5}
        effect = effect.model_copy(update=chosen)
    return effect


def _effect(what: str, thrown: Random, manner: Manner) -> Effect:
    status = thrown.choice((500, 502, 503, 504, 408))
    match what:
        case "status" | "status_handled":
            return Effect(do="status", status=status, body="Something broke", handled=what == "status_handled")
        case "garbage" | "garbage_handled":
            body = thrown.choice((*_GARBAGE, manner.nothing))
            return Effect(do="garbage", body=body, handled=what == "garbage_handled")
        case "token_over" | "locked" | "full":
            return _refusal(getattr(manner, what))
        case "delay":
            return Effect(do="delay", seconds=round(thrown.uniform(0.05, LATEST_HANDLED), 2))
        case "rate_limit":
            return Effect(do="rate_limit", seconds=0.5)
    # A twin never appears after its sibling runs: what comes later than that no run can know of.
    return Effect.model_validate({"do": what, "seconds": round(thrown.uniform(0.0, 0.3), 2)})


def _refusal(manner: tuple[int, str]) -> Effect:
    status, told = manner
    headers = {"Server": "nginx"} if told.startswith("<") else {}
    return Effect(do="status", status=status, body=told, headers=headers)


class Machine:
    """Counts calls and remembers what was drawn. A run without a seed is left alone."""

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._seeds: dict[str, int] = {}
        self._calls: Counter[tuple[int, Call]] = Counter()
        self.drawn: defaultdict[int, list[str]] = defaultdict(list)

    def follow(self, run: str, seed: int) -> None:
        """From now on the calls that name `run` have the luck of `seed`."""
        self._seeds[run] = seed

    def take(self, run: str, call: Call) -> Effect | None:
        seed = self._seeds.get(run)
        if seed is None:
            return None
        self._calls[seed, call] += 1
        ordinal = self._calls[seed, call]
        effect = decide(seed, self._subject, call, ordinal)
        if effect is not None:
            self.drawn[seed].append(f"{call} {ordinal}: {effect.told()}")
        return effect
