"""How an account's limit of calls is spread over time. Pure arithmetic (GCRA), without a clock; the rows are elsewhere.

A cloud counts calls in windows that slide. A bucket that holds `burst` calls and gains one each `spacing` seconds lets
through at most burst + window / spacing of them in any window, wherever it begins; the two are chosen so that this is
never more than the limit.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

# Part of a limit that may be used at once, after a pause; the rest comes evenly.
BURST = 0.2
# A call may reach the cloud so much later after its slot than another one did: connecting, a busy machine.
SLACK_SECONDS = 2.0
# Nobody may take a slot that is further off.
LONGEST_PATIENCE = timedelta(seconds=20)


class Pace(NamedTuple):
    """What a limit allows: calls follow each other by `spacing`, and run ahead of that by at most `lead`."""

    spacing: timedelta
    lead: timedelta


class Standing(NamedTuple):
    """How a class of calls stands. All calls at their even pace would have ended by `free_at`."""

    free_at: datetime
    blocked_until: datetime | None = None


def pace_of(count: int, seconds: float) -> Pace:
    """The pace of at most `count` calls in any `seconds`. ValueError where that is no limit one can work with."""
    if count < 1 or seconds <= 0:
        raise ValueError(f"a limit of {count} calls in {seconds:g} s lets nothing through")
    burst = max(1, int(count * BURST))
    spacing = timedelta(seconds=(seconds + SLACK_SECONDS) / max(1, count - burst))
    return Pace(spacing, (burst - 1) * spacing)


def slot(now: datetime, classes: Iterable[tuple[Standing, Pace]]) -> datetime:
    """The first moment from `now` on at which every class has a call left."""
    for standing, pace in classes:
        now = max(now, standing.free_at - pace.lead, standing.blocked_until or now)
    return now


def fitted(standing: Standing, pace: Pace, now: datetime) -> Standing:
    """Where a limit was raised, what was taken at its slower pace lies further off than calls of this pace ever can:
    they count as a bucket just emptied, so that the change holds at once."""
    emptied = max(now, standing.blocked_until or now) + pace.lead
    farthest = emptied + LONGEST_PATIENCE + pace.spacing
    return standing._replace(free_at=emptied) if standing.free_at > farthest else standing


def taken(standing: Standing, pace: Pace, at: datetime) -> Standing:
    """After one call in the slot `at`."""
    return standing._replace(free_at=max(standing.free_at, at) + pace.spacing)


def blocked(standing: Standing, pace: Pace, until: datetime) -> Standing:
    """The cloud itself refused: nothing before `until`, and no burst behind it, as its count is higher than ours."""
    longest = max(until, standing.blocked_until or until)
    return Standing(free_at=max(standing.free_at, longest + pace.lead), blocked_until=longest)
