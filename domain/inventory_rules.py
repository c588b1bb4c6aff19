"""What a cloud's list means beside our rows: all that a sweep decides, as pure functions. Does no I/O, has no clock.

Two questions, kept apart. `verdict_of` says what our rows know of one listed server. `judge` says what a sweep may do:
whether its evidence is good enough to be written down, good enough to be acted on, and which few servers then are.
Why the rules are as they are: docs/decisions/0005-inventory.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from domain.inventory import (
    ABSENT,
    DECIDED,
    PROVEN,
    Act,
    Entry,
    Ordered,
    ResourceState,
    Rows,
    Seen,
    SweepOutcome,
    Verdict,
)
from domain.statuses import IntentState, Lifecycle


@dataclass(frozen=True)
class Judgement:
    outcome: SweepOutcome
    reason: str = ""
    entries: tuple[Entry, ...] = ()
    acts: tuple[tuple[Act, str], ...] = ()


@dataclass(frozen=True)
class Sweep:
    """The circumstances of one sweep. `settle`: how long a cloud may take to show what belongs together."""

    id: str
    now: datetime
    settle: timedelta
    quarantines_left: int
    deletions_left: int
    vouched: bool = False


REPEAT_DELETION = timedelta(hours=1)
RUNNING_AGAIN = "started or untagged at the cloud after its quarantine: never deleted without an operator"


def verdict_of(seen: Seen, rows: Rows, listed: frozenset[str]) -> tuple[Verdict, str | None]:
    """The verdict and the id of the server's row it belongs to, if any."""
    placed = rows.placed.get(seen.ref)
    if placed is not None and placed.lifecycle is not Lifecycle.TERMINATED:
        return Verdict.EXPLAINED, placed.vps_id
    if seen.token is None:
        return (Verdict.UNPROVEN if seen.owned or placed is not None else Verdict.FOREIGN), None
    order = rows.ordered.get(seen.token)
    if order is None:
        return Verdict.UNKNOWN_ORDER, None
    return _verdict_of_order(seen, order, rows, listed), order.vps_id


def _verdict_of_order(seen: Seen, order: Ordered, rows: Rows, listed: frozenset[str]) -> Verdict:
    if order.under_way or order.state in (IntentState.INTENDED, IntentState.SENT):
        return Verdict.EXPLAINED
    if order.under_way is None:
        return Verdict.UNPROVEN
    if order.state is IntentState.RELEASED:
        return Verdict.LEFTOVER if order.lifecycle is Lifecycle.TERMINATED else Verdict.UNPROVEN
    if order.ref == seen.ref:
        return Verdict.UNPROVEN if order.lifecycle is Lifecycle.TERMINATED else Verdict.EXPLAINED
    # A second server is one too many only beside the first: without it, this may be the one that customers use.
    first = rows.placed.get(order.ref or "")
    alive = first is not None and first.lifecycle is not Lifecycle.TERMINATED and order.ref in listed
    return Verdict.SURPLUS if alive else Verdict.UNPROVEN


def judge(listing: Iterable[Seen], rows: Rows, ledger: Iterable[Entry], sweep: Sweep) -> Judgement:
    """Everything a sweep decides. A refusal carries no entries, whatever is not COMPLETE no quarantine or deletion."""
    seen = {server.ref: server for server in listing}
    known = {entry.ref: entry for entry in ledger if entry.state is not ResourceState.GONE}
    listed = frozenset(seen)
    verdicts = {ref: verdict_of(server, rows, listed) for ref, server in seen.items()}
    vanished = {ref for ref in rows.expected - listed if ref not in known or known[ref].state not in ABSENT}
    lost = {entry.ref for entry in known.values() if entry.ref not in listed and _should_be_there(entry)}
    refusal = "" if sweep.vouched else _refusal(seen, rows, known, verdicts, vanished, lost)
    if refusal:
        return Judgement(SweepOutcome.REFUSED, refusal)
    entries = {ref: _listed(known.get(ref), server, *verdicts[ref], sweep) for ref, server in seen.items()}
    for ref in (known.keys() | rows.expected) - listed:
        entries[ref] = _unlisted(known.get(ref, Entry(ref)), rows, sweep)
    reason = _hold(entries, vanished | lost, sweep)
    acts = [(Act.RESTORE, entry.ref) for entry in entries.values() if _to_restore(entry, seen.get(entry.ref))]
    if not reason:
        acts += _acts(entries, seen, sweep)
    outcome = SweepOutcome.HELD if reason else SweepOutcome.COMPLETE
    return Judgement(outcome, reason, tuple(entries.values()), tuple(acts))


def _should_be_there(entry: Entry) -> bool:
    """Whether only somebody else can have removed it. Explained ones are judged by their rows instead."""
    if entry.state in ABSENT or entry.state is ResourceState.EXPLAINED or entry.verdict is Verdict.FOREIGN:
        return False
    return entry.deleted_at is None


def _refusal(
    seen: Mapping[str, Seen], rows: Rows, known: Mapping[str, Entry],
    verdicts: Mapping[str, tuple[Verdict, str | None]], vanished: set[str], lost: set[str],
) -> str:  # fmt: skip
    """Why the evidence is not even written down: a list too short, or rows too few, for what was known before."""
    if not seen and (vanished or lost):
        return f"the cloud lists no server at all; known: {len(vanished | lost)}"
    if len(vanished) > max(1, len(rows.expected) // 5):
        return f"the list is too short: {len(vanished)} of {len(rows.expected)} servers with a row are not in it"
    # Without a sighting it was written down by the run that met it, not by a sweep that explained it.
    before = [ref for ref, e in known.items() if e.state is ResourceState.EXPLAINED and e.sightings and ref in seen]
    turned = [ref for ref in before if verdicts[ref][0] is not Verdict.EXPLAINED]
    if turned and len(turned) == len(before):
        return f"the database explains none of the listed servers that it explained before: {len(before)}"
    if len(turned) > max(1, len(before) // 10):
        return f"the database no longer explains {len(turned)} of {len(before)} servers that it explained before"
    return ""


def _hold(entries: Mapping[str, Entry], unlisted: set[str], sweep: Sweep) -> str:
    """Why nothing may be quarantined or deleted now."""
    if sweep.vouched:
        return "written down on an operator's word; nothing was touched"
    if unlisted:
        return f"the list may be short; known and not in it any more: {len(unlisted)}"
    strange = [entry for entry in entries.values()
               if entry.verdict is Verdict.UNKNOWN_ORDER and entry.state not in DECIDED | ABSENT]  # fmt: skip
    if strange:
        # An intent is committed before its order and never deleted, so rows must have been lost.
        return f"rows may be missing; servers with tokens of orders that the database does not know: {len(strange)}"
    return ""


def _listed(old: Entry | None, seen: Seen, verdict: Verdict, vps_id: str | None, sweep: Sweep) -> Entry:
    """The ledger's line of a listed server after this sweep."""
    if old is None or old.state in ABSENT or (old.token and seen.token and old.token != seen.token):
        old = Entry(seen.ref)  # never seen, back again, or a name the cloud has given to another server
    state = _state(old, verdict)
    same = state is old.state
    counted = old.sightings + (old.sweep != sweep.id) if same else 1
    entry = replace(
        old, token=seen.token or old.token, state=state, verdict=verdict, vps_id=vps_id, sightings=counted,
        sweep=sweep.id, since=None if state is ResourceState.EXPLAINED else old.since or sweep.now,
        delete_after=old.delete_after if state is ResourceState.QUARANTINED else None,
        note=old.note if same or state is not ResourceState.EXPLAINED else "",
    )  # fmt: skip
    if state is ResourceState.QUARANTINED and (not seen.quarantined or (seen.running and not seen.locked)):
        entry = replace(entry, delete_after=None, note=RUNNING_AGAIN)
    return entry


def _state(old: Entry, verdict: Verdict) -> ResourceState:
    if verdict is Verdict.EXPLAINED:
        return ResourceState.EXPLAINED
    if old.state in DECIDED or old.state is ResourceState.QUARANTINED:
        return old.state
    return ResourceState.UNEXPLAINED


def _unlisted(old: Entry, rows: Rows, sweep: Sweep) -> Entry:
    if old.ref not in rows.expected:
        return replace(old, state=ResourceState.GONE, delete_after=None)
    placed = rows.placed.get(old.ref)
    return replace(old, state=ResourceState.MISSING, verdict=Verdict.EXPLAINED, since=old.since or sweep.now,
                   delete_after=None, sweep=sweep.id, vps_id=placed.vps_id if placed else old.vps_id,
                   note="our rows name it, the cloud does not list it")  # fmt: skip


def _to_restore(entry: Entry, seen: Seen | None) -> bool:
    kept = entry.state in (ResourceState.EXPLAINED, ResourceState.ADOPTED)
    return kept and entry.quarantined_at is not None and seen is not None and not seen.locked


def _acts(entries: Mapping[str, Entry], seen: Mapping[str, Seen], sweep: Sweep) -> list[tuple[Act, str]]:
    """At most what is left of this hour, the longest unexplained first."""
    waiting = sorted((e for e in entries.values() if e.ref in seen and not seen[e.ref].locked),
                     key=lambda e: (e.since or sweep.now, e.ref))  # fmt: skip
    deletions = [(Act.DELETE, e.ref) for e in waiting if may_delete(e, sweep)]
    quarantines = [(Act.QUARANTINE, e.ref) for e in waiting if may_quarantine(e, sweep)]
    return deletions[: max(0, sweep.deletions_left)] + quarantines[: max(0, sweep.quarantines_left)]


def may_quarantine(entry: Entry, sweep: Sweep) -> bool:
    """Seen unexplained in two sweeps, and for longer than the cloud takes to show what belongs together."""
    if entry.state is not ResourceState.UNEXPLAINED or entry.verdict not in PROVEN or entry.since is None:
        return False
    return entry.sightings >= 2 and sweep.now - entry.since >= sweep.settle


def may_delete(entry: Entry, sweep: Sweep) -> bool:
    """After the grace period of a quarantine that nobody disturbed, or on an operator's word."""
    if entry.deleted_at is not None and sweep.now - entry.deleted_at < REPEAT_DELETION:
        return False
    if entry.state is ResourceState.RELEASED:
        return entry.verdict not in (Verdict.EXPLAINED, Verdict.FOREIGN)
    return (
        entry.state is ResourceState.QUARANTINED and entry.verdict in PROVEN
        and entry.delete_after is not None and entry.delete_after <= sweep.now
    )  # fmt: skip
