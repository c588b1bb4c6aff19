"""A drill: all certificates of a CA or of a kind of key are replaced, so many an hour. Pure: moments in, a number out.

Why so: a CA that withdraws certificates gives a day or five; whoever never tried it finds out then. A drill asks for
no certificate itself: it makes certificates due, at its pace, and the sweep of renewals does the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from domain.ca_limits import Bucket, CaLimit

HOUR = timedelta(hours=1)
MOST_AN_HOUR = 36_000  # ten a second: more than the sweep of each minute is meant to start
CATCH_UP = timedelta(minutes=2)  # of time that nobody swept, no more than this is made up for
SHARE = 0.5  # of an account's orders that a drill may use; the others are for customers who wait


class DrillState(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"  # by somebody, before its end
    DONE = "done"


UNFINISHED = (DrillState.RUNNING, DrillState.PAUSED)


def released(pace: int, next_at: datetime, now: datetime) -> tuple[int, datetime]:
    """(how many are made due now, when the next one is). `pace`: certificates an hour.

    Over any time from the beginning on, never more than the pace allows, and one; after a gap only two minutes of it
    are caught up with, as a CA that sees everything at once would refuse.
    """
    if now < next_at:
        return 0, next_at
    spacing = HOUR / pace
    most = max(1, CATCH_UP // spacing)
    count = (now - next_at) // spacing + 1
    if count > most:
        return most, now + spacing
    return count, next_at + count * spacing


def most_an_hour(limits: Mapping[CaLimit, Bucket], *, moves: bool) -> int:
    """The greatest pace. `moves`: to another CA than issued them, where each order counts as a new one.

    At their own CA the same names again draw on no limit of the account (domain/ca_limits.py).
    """
    bucket = limits.get(CaLimit.NEW_ORDERS) if moves else None
    if bucket is None:
        return MOST_AN_HOUR
    return max(1, min(MOST_AN_HOUR, int(HOUR / bucket.spacing * SHARE)))


def ends_about(pace: int, waiting: int, next_at: datetime, now: datetime) -> datetime:
    """When the last one is made due, if nothing stands in its way."""
    return max(now, next_at) + max(0, waiting - 1) * (HOUR / pace)
