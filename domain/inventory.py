"""The words of the inventory: states and verdicts of servers at clouds, sweeps, and what is laid side by side.

What follows from them is decided in `inventory_rules.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel

from domain.statuses import IntentState, Lifecycle


class ResourceState(StrEnum):
    EXPLAINED = "explained"
    UNEXPLAINED = "unexplained"
    QUARANTINED = "quarantined"  # powered off and tagged at the cloud
    ADOPTED = "adopted"  # an operator says: leave it alone
    RELEASED = "released"  # an operator says: delete it
    MISSING = "missing"  # our rows name it, the cloud does not list it
    GONE = "gone"


class Verdict(StrEnum):
    """What our rows know of a listed server."""

    EXPLAINED = "explained"
    SURPLUS = "surplus"  # a second server with the token of an order that got another one
    LEFTOVER = "leftover"  # of an order that was given up, with proof of absence at that time
    UNPROVEN = "unproven"  # marked as ours, and no row says enough about it
    UNKNOWN_ORDER = "unknown_order"  # its token is not among our intents: our rows are incomplete, or it is not ours
    FOREIGN = "foreign"  # no mark of ours at all


# Only these two rest on a row that says so; the others rest on a row that is missing.
PROVEN = frozenset({Verdict.SURPLUS, Verdict.LEFTOVER})
DECIDED = frozenset({ResourceState.ADOPTED, ResourceState.RELEASED})
ABSENT = frozenset({ResourceState.MISSING, ResourceState.GONE})


class SweepOutcome(StrEnum):
    RUNNING = "running"
    COMPLETE = "complete"
    HELD = "held"  # written down, nothing touched
    REFUSED = "refused"  # nothing written down but the refusal
    SKIPPED = "skipped"  # another sweep of this cloud was under way
    ABANDONED = "abandoned"  # its worker went away


class Act(StrEnum):
    QUARANTINE = "quarantine"
    RESTORE = "restore"  # takes a quarantine back
    DELETE = "delete"


class InventoryRules(BaseModel, frozen=True):
    grace_hours: float = 72  # from quarantine to deletion
    acts_per_hour: int = 2  # quarantines, and deletions, of one cloud


class SweepCall(BaseModel):
    """`vouched`: an operator says that list and rows are right although they look wrong; nothing is touched then.

    A schedule starts every sweep with the same call; without an id the workflow makes one.
    """

    provider: str
    sweep_id: str = ""
    requested_by: str = ""
    vouched: bool = False


class SweepReport(BaseModel):
    sweep_id: str
    outcome: SweepOutcome
    reason: str = ""
    listed: int | None = None
    unexplained: int = 0
    quarantined: int = 0
    deleted: int = 0


@dataclass(frozen=True)
class Seen:
    """A server as the cloud lists it. `running`: on, and no process of the cloud's is under way."""

    ref: str
    token: str | None = None
    owned: bool = False  # carries our general tag
    running: bool = True
    locked: bool = False
    quarantined: bool = False  # carries the tag of a quarantine


@dataclass(frozen=True)
class Placed:
    """A server's row that names a server at the cloud."""

    vps_id: str
    lifecycle: Lifecycle


@dataclass(frozen=True)
class Ordered:
    """An intent. `under_way` is None where the deployment it was for is not known."""

    vps_id: str
    state: IntentState
    lifecycle: Lifecycle
    ref: str | None = None
    under_way: bool | None = False


@dataclass(frozen=True)
class Rows:
    """What our tables say. `expected` are the servers that must be at the cloud, by rows read before and after."""

    placed: Mapping[str, Placed] = field(default_factory=dict)  # by the cloud's name
    ordered: Mapping[str, Ordered] = field(default_factory=dict)  # by token
    expected: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Entry:
    """A line of the ledger."""

    ref: str
    token: str | None = None
    state: ResourceState = ResourceState.UNEXPLAINED
    verdict: Verdict = Verdict.FOREIGN
    vps_id: str | None = None
    sightings: int = 0  # sweeps in a row that saw it in this state
    sweep: str = ""  # the one that counted last: a repeated activity counts once
    since: datetime | None = None  # unexplained since
    quarantined_at: datetime | None = None
    delete_after: datetime | None = None  # None: never by itself
    deleted_at: datetime | None = None  # the cloud was asked to
    note: str = ""
