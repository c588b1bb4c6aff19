"""The decision table of the inventory: what a list means beside our rows, and when nothing may be touched."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.inventory import (
    PROVEN,
    Act,
    Entry,
    Ordered,
    Placed,
    ResourceState,
    Rows,
    Seen,
    SweepOutcome,
    Verdict,
)
from domain.inventory_rules import RUNNING_AGAIN, Judgement, Sweep, judge, verdict_of
from domain.statuses import IntentState, Lifecycle

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=30)
SWEEP = Sweep(id="this", now=NOW, settle=timedelta(minutes=10), quarantines_left=2, deletions_left=2)
LIVING = [state for state in Lifecycle if state is not Lifecycle.TERMINATED]
S = ResourceState


def order(state: IntentState = IntentState.ADOPTED, **changes: object) -> Ordered:
    return replace(Ordered("v1", state, Lifecycle.ACTIVE, ref="a", under_way=False), **changes)  # type: ignore[arg-type]


ACTIVE = Placed("v1", Lifecycle.ACTIVE)
DEAD = Placed("v1", Lifecycle.TERMINATED)


class TestVerdicts:
    @pytest.mark.parametrize("lifecycle", LIVING)
    @pytest.mark.parametrize("token", [None, "t", "unknown"])
    def test_a_living_row_explains_whatever_the_server_carries(self, lifecycle: Lifecycle, token: str | None) -> None:
        rows = Rows(placed={"a": Placed("v1", lifecycle)}, ordered={"t": order(IntentState.RELEASED)})
        assert verdict_of(Seen("a", token), rows, frozenset("a")) == (Verdict.EXPLAINED, "v1")

    @pytest.mark.parametrize("state", IntentState)
    @pytest.mark.parametrize("lifecycle", Lifecycle)
    def test_a_token_of_a_run_under_way_is_never_unexplained(self, state: IntentState, lifecycle: Lifecycle) -> None:
        rows = Rows(ordered={"t": order(state, lifecycle=lifecycle, under_way=True)})
        assert verdict_of(Seen("b", "t"), rows, frozenset("ab"))[0] is Verdict.EXPLAINED

    @pytest.mark.parametrize("state", [IntentState.INTENDED, IntentState.SENT])
    @pytest.mark.parametrize("under_way", [True, False, None])
    def test_a_token_of_an_unsettled_order_is_never_unexplained(
        self, state: IntentState, under_way: bool | None
    ) -> None:
        rows = Rows(ordered={"t": order(state, ref=None, under_way=under_way)})
        assert verdict_of(Seen("b", "t"), rows, frozenset("b"))[0] is Verdict.EXPLAINED

    def test_the_rest_of_the_table(self) -> None:
        adopted, released = order(), order(IntentState.RELEASED, lifecycle=Lifecycle.TERMINATED)
        a, b = Seen("a", "t"), Seen("b", "t")
        first, both = {"a": ACTIVE}, frozenset("ab")
        table: list[tuple[Seen, Rows, Verdict]] = [
            (b, Rows(first, {"t": adopted}), Verdict.SURPLUS),
            (b, Rows({}, {"t": adopted}), Verdict.UNPROVEN),  # the first one has no row
            (b, Rows({"a": DEAD}, {"t": adopted}), Verdict.UNPROVEN),
            (b, Rows(first, {"t": order(ref=None)}), Verdict.UNPROVEN),
            (b, Rows(first, {"t": order(under_way=None)}), Verdict.UNPROVEN),
            (a, Rows({}, {"t": adopted}), Verdict.EXPLAINED),  # the intent alone names it
            (a, Rows({"a": DEAD}, {"t": replace(adopted, lifecycle=Lifecycle.TERMINATED)}), Verdict.UNPROVEN),
            (a, Rows({"a": DEAD}, {"t": released}), Verdict.LEFTOVER),
            (b, Rows({"a": DEAD}, {"t": released}), Verdict.LEFTOVER),
            (a, Rows({}, {"t": order(IntentState.RELEASED)}), Verdict.UNPROVEN),  # given up, yet its row is alive
            (a, Rows({}, {"t": replace(released, under_way=None)}), Verdict.UNPROVEN),
            (a, Rows({}, {}), Verdict.UNKNOWN_ORDER),
            (Seen("a", owned=True), Rows(), Verdict.UNPROVEN),
            (Seen("a"), Rows({"a": DEAD}), Verdict.UNPROVEN),  # a name may be given again
            (Seen("a"), Rows(), Verdict.FOREIGN),
        ]
        for seen, rows, verdict in table:
            assert verdict_of(seen, rows, both)[0] is verdict, (seen, rows)

    def test_a_second_server_is_surplus_only_beside_the_first(self) -> None:
        rows = Rows({"a": ACTIVE}, {"t": order()})
        assert verdict_of(Seen("b", "t"), rows, frozenset("b"))[0] is Verdict.UNPROVEN


# A fleet of three servers, and a fourth with the token of the first one's order.
FLEET = {ref: Placed(f"v-{ref}", Lifecycle.ACTIVE) for ref in "abc"}
ORDERS = {f"t-{ref}": order(vps_id=f"v-{ref}", ref=ref) for ref in "abc"}
ROWS = Rows(FLEET, ORDERS, frozenset("abc"))
SERVERS = [Seen(ref, f"t-{ref}") for ref in "abc"]
EXTRA = Seen("x", "t-a")
KNOWN = [Entry(ref, f"t-{ref}", S.EXPLAINED, Verdict.EXPLAINED, sightings=9) for ref in "abc"]


def extra(state: ResourceState = S.UNEXPLAINED, **changes: object) -> Entry:
    made = Entry("x", "t-a", state, Verdict.SURPLUS, sightings=1, sweep="before", since=LONG_AGO)
    if state is S.QUARANTINED:
        made = replace(made, quarantined_at=LONG_AGO, delete_after=NOW - timedelta(hours=1))
    return replace(made, **changes)  # type: ignore[arg-type]


OFF = replace(EXTRA, running=False, quarantined=True)


def line(judged: Judgement, ref: str = "x") -> Entry:
    return next(entry for entry in judged.entries if entry.ref == ref)


class TestSightings:
    def test_the_first_sighting_is_a_report(self) -> None:
        judged = judge([*SERVERS, EXTRA], ROWS, KNOWN, SWEEP)
        assert judged.outcome is SweepOutcome.COMPLETE
        assert judged.acts == ()
        assert (line(judged).state, line(judged).sightings, line(judged).since) == (S.UNEXPLAINED, 1, NOW)

    def test_the_second_one_in_a_later_sweep_is_a_quarantine(self) -> None:
        assert judge([*SERVERS, EXTRA], ROWS, [*KNOWN, extra()], SWEEP).acts == ((Act.QUARANTINE, "x"),)

    def test_a_repeat_of_the_same_sweep_counts_once(self) -> None:
        judged = judge([*SERVERS, EXTRA], ROWS, [*KNOWN, extra(sweep="this")], SWEEP)
        assert (line(judged).sightings, judged.acts) == (1, ())

    def test_two_sweeps_within_the_time_a_cloud_needs_are_not_enough(self) -> None:
        judged = judge([*SERVERS, EXTRA], ROWS, [*KNOWN, extra(since=NOW - timedelta(minutes=9))], SWEEP)
        assert (line(judged).sightings, judged.acts) == (2, ())

    def test_an_explanation_in_between_starts_anew(self) -> None:
        judged = judge([*SERVERS, EXTRA], ROWS, [*KNOWN, extra(S.EXPLAINED, sightings=0)], SWEEP)
        assert (line(judged).sightings, judged.acts) == (1, ())

    @pytest.mark.parametrize("seen", [Seen("x"), Seen("x", owned=True)])
    def test_what_is_not_proven_is_reported_for_ever_and_never_touched(self, seen: Seen) -> None:
        old = Entry("x", None, S.UNEXPLAINED, Verdict.FOREIGN, sightings=500, since=LONG_AGO)
        judged = judge([*SERVERS, seen], ROWS, [*KNOWN, old], SWEEP)
        assert (line(judged).state, judged.acts) == (S.UNEXPLAINED, ())

    def test_a_name_given_again_starts_anew(self) -> None:
        judged = judge([*SERVERS, EXTRA], ROWS, [*KNOWN, extra(S.QUARANTINED, token="t-of-before")], SWEEP)
        assert (line(judged).state, line(judged).sightings, judged.acts) == (S.UNEXPLAINED, 1, ())


class TestDeletion:
    def test_after_the_grace_period(self) -> None:
        assert judge([*SERVERS, OFF], ROWS, [*KNOWN, extra(S.QUARANTINED)], SWEEP).acts == ((Act.DELETE, "x"),)

    def test_not_before(self) -> None:
        waiting = extra(S.QUARANTINED, delete_after=NOW + timedelta(seconds=1))
        assert judge([*SERVERS, OFF], ROWS, [*KNOWN, waiting], SWEEP).acts == ()

    @pytest.mark.parametrize("seen", [replace(OFF, running=True), replace(OFF, quarantined=False)])
    def test_never_by_itself_once_somebody_started_or_untagged_it(self, seen: Seen) -> None:
        judged = judge([*SERVERS, seen], ROWS, [*KNOWN, extra(S.QUARANTINED)], SWEEP)
        assert (line(judged).delete_after, line(judged).note, judged.acts) == (None, RUNNING_AGAIN, ())

    def test_not_again_within_an_hour(self) -> None:
        asked = extra(S.QUARANTINED, deleted_at=NOW - timedelta(minutes=59))
        assert judge([*SERVERS, OFF], ROWS, [*KNOWN, asked], SWEEP).acts == ()

    def test_an_operator_may_release_what_carries_our_mark(self) -> None:
        released = extra(S.RELEASED)
        assert judge([*SERVERS, EXTRA], ROWS, [*KNOWN, released], SWEEP).acts == ((Act.DELETE, "x"),)
        unknown = Seen("x", "t-unknown")
        known = replace(released, token="t-unknown")
        assert judge([*SERVERS, unknown], ROWS, [*KNOWN, known], SWEEP).acts == ((Act.DELETE, "x"),)

    def test_a_release_never_beats_a_row(self) -> None:
        released = Entry("a", "t-a", S.RELEASED, Verdict.UNPROVEN, sightings=2, since=LONG_AGO)
        judged = judge(SERVERS, ROWS, [*KNOWN[1:], released], SWEEP)
        assert (line(judged, "a").state, judged.acts) == (S.EXPLAINED, ())

    def test_a_release_of_a_server_without_our_mark_does_nothing(self) -> None:
        released = Entry("x", None, S.RELEASED, Verdict.FOREIGN, since=LONG_AGO)
        assert judge([*SERVERS, Seen("x")], ROWS, [*KNOWN, released], SWEEP).acts == ()

    def test_the_cap_takes_the_longest_unexplained_first(self) -> None:
        extras = [Seen(f"x{n}", "t-a") for n in range(5)]
        lines = [extra(ref=f"x{n}", since=LONG_AGO - timedelta(hours=n)) for n in range(5)]
        judged = judge([*SERVERS, *extras], ROWS, [*KNOWN, *lines], SWEEP)
        assert judged.acts == ((Act.QUARANTINE, "x4"), (Act.QUARANTINE, "x3"))
        spent = replace(SWEEP, quarantines_left=0)
        assert judge([*SERVERS, *extras], ROWS, [*KNOWN, *lines], spent).acts == ()

    @pytest.mark.parametrize("state", [S.UNEXPLAINED, S.QUARANTINED, S.RELEASED])
    def test_a_server_that_the_cloud_works_on_waits(self, state: ResourceState) -> None:
        assert judge([*SERVERS, replace(OFF, locked=True)], ROWS, [*KNOWN, extra(state)], SWEEP).acts == ()


class TestRestoring:
    @pytest.mark.parametrize("state", [S.ADOPTED, S.EXPLAINED])
    def test_a_quarantine_is_taken_back_where_it_proves_wrong(self, state: ResourceState) -> None:
        rows = ROWS if state is S.ADOPTED else replace(ROWS, placed={**FLEET, "x": ACTIVE}, expected=frozenset("abcx"))
        judged = judge([*SERVERS, OFF], rows, [*KNOWN, extra(state, quarantined_at=LONG_AGO)], SWEEP)
        assert judged.acts == ((Act.RESTORE, "x"),)
        assert line(judged).state is state


DANGER = [*KNOWN, extra(), extra(S.QUARANTINED, ref="y")]
DANGEROUS = [EXTRA, replace(OFF, ref="y")]


class TestBreaker:
    def test_the_stage_is_set(self) -> None:
        """Without a reason to stop, both would be touched."""
        assert judge([*SERVERS, *DANGEROUS], ROWS, DANGER, SWEEP).acts == ((Act.DELETE, "y"), (Act.QUARANTINE, "x"))

    @pytest.mark.parametrize(
        ("listing", "rows"),
        [
            ([], ROWS),  # an empty list
            (DANGEROUS, ROWS),  # all that have a row are missing
            ([SERVERS[0], *DANGEROUS], ROWS),  # most of them are
            ([*SERVERS, *DANGEROUS], Rows()),  # an empty database beside a ledger
            ([*SERVERS, *DANGEROUS], Rows({}, ORDERS | {"t-b": order(IntentState.RELEASED)}, frozenset())),
        ],
        ids=["empty", "fleet-missing", "short", "no-rows", "rows-lost"],
    )
    def test_bad_evidence_is_not_even_written_down(self, listing: list[Seen], rows: Rows) -> None:
        if len(rows.placed) == 0 and rows.ordered:
            rows = replace(rows, ordered={**rows.ordered, "t-c": order(IntentState.RELEASED)})
        judged = judge(listing, rows, DANGER, SWEEP)
        assert judged.outcome is SweepOutcome.REFUSED
        assert judged.reason
        assert (judged.entries, judged.acts) == ((), ())

    def test_one_server_missing_is_noted_and_stops_every_act(self) -> None:
        judged = judge([*SERVERS[:2], *DANGEROUS], ROWS, DANGER, SWEEP)
        assert judged.outcome is SweepOutcome.HELD
        assert (line(judged, "c").state, judged.acts) == (S.MISSING, ())
        again = judge([*SERVERS[:2], *DANGEROUS], ROWS, judged.entries, replace(SWEEP, id="next"))
        assert again.outcome is SweepOutcome.COMPLETE, "known to be missing by now, so no reason to doubt the list"
        assert line(again, "c").state is S.MISSING

    def test_a_missing_server_that_comes_back_is_explained_again(self) -> None:
        missing = replace(KNOWN[2], state=S.MISSING)
        judged = judge(SERVERS, ROWS, [*KNOWN[:2], missing], SWEEP)
        assert (judged.outcome, line(judged, "c").state) == (SweepOutcome.COMPLETE, S.EXPLAINED)

    def test_one_token_of_an_unknown_order_stops_every_act_until_somebody_decides(self) -> None:
        stranger = Seen("z", "t-of-nobody")
        judged = judge([*SERVERS, *DANGEROUS, stranger], ROWS, DANGER, SWEEP)
        assert (judged.outcome, judged.acts, line(judged, "z").state) == (SweepOutcome.HELD, (), S.UNEXPLAINED)
        kept = Entry("z", "t-of-nobody", S.ADOPTED, Verdict.UNKNOWN_ORDER)
        assert len(judge([*SERVERS, *DANGEROUS, stranger], ROWS, [*DANGER, kept], SWEEP).acts) == 2

    def test_everything_unknown_is_written_down_and_nothing_touched(self) -> None:
        """Rows and ledger lost together: the first sweep after it sees a fleet of strangers."""
        judged = judge([*SERVERS, *DANGEROUS], Rows(), [], SWEEP)
        assert (judged.outcome, judged.acts, len(judged.entries)) == (SweepOutcome.HELD, (), 5)

    def test_an_operator_can_vouch_for_a_list_and_still_nothing_is_touched(self) -> None:
        judged = judge(DANGEROUS, ROWS, DANGER, replace(SWEEP, vouched=True))
        assert (judged.outcome, judged.acts) == (SweepOutcome.HELD, ())
        assert {entry.state for entry in judged.entries if entry.ref in "abc"} == {S.MISSING}

    def test_servers_that_our_rows_ended_are_gone_without_alarm(self) -> None:
        rows = Rows({**FLEET, "c": Placed("v-c", Lifecycle.TERMINATED)}, ORDERS, frozenset("ab"))
        judged = judge(SERVERS[:2], rows, KNOWN, SWEEP)
        assert (judged.outcome, line(judged, "c").state) == (SweepOutcome.COMPLETE, S.GONE)

    def test_what_we_deleted_is_gone_without_alarm(self) -> None:
        deleted = extra(S.QUARANTINED, deleted_at=NOW - timedelta(minutes=30))
        judged = judge(SERVERS, ROWS, [*KNOWN, deleted], SWEEP)
        assert (judged.outcome, line(judged).state) == (SweepOutcome.COMPLETE, S.GONE)


REFS = st.sampled_from(list("abcdefgh"))
TOKENS = st.one_of(st.none(), st.sampled_from([f"t-{ref}" for ref in "abcdefgh"]))
MOMENTS = st.one_of(st.none(), st.timedeltas(timedelta(days=-9), timedelta(days=9)).map(lambda d: NOW + d))
SEEN = st.builds(Seen, REFS, TOKENS, st.booleans(), st.booleans(), st.booleans(), st.booleans())
LISTS = st.lists(SEEN, max_size=8, unique_by=lambda seen: seen.ref)
PLACED = st.dictionaries(REFS, st.builds(Placed, REFS, st.sampled_from(Lifecycle)), max_size=8)
ORDERED = st.dictionaries(
    TOKENS.filter(lambda token: token is not None).map(str),
    st.builds(Ordered, REFS, st.sampled_from(IntentState), st.sampled_from(Lifecycle), st.one_of(st.none(), REFS),
              st.sampled_from([True, False, None])), max_size=8)  # fmt: skip
ENTRIES = st.lists(
    st.builds(Entry, REFS, TOKENS, st.sampled_from(ResourceState), st.sampled_from(Verdict), st.none(),
              st.integers(0, 5), st.sampled_from(["", "this", "before"]), MOMENTS, MOMENTS, MOMENTS, MOMENTS),
    max_size=8, unique_by=lambda entry: entry.ref)  # fmt: skip
SWEEPS = st.builds(
    Sweep, st.just("this"), st.just(NOW), st.just(timedelta(minutes=10)), st.integers(-2, 3), st.integers(-2, 3),
    st.booleans())  # fmt: skip


@st.composite
def circumstances(draw: st.DrawFn) -> tuple[list[Seen], Rows, list[Entry], Sweep]:
    placed = draw(PLACED)
    living = frozenset(ref for ref, row in placed.items() if row.lifecycle is Lifecycle.ACTIVE)
    return draw(LISTS), Rows(placed, draw(ORDERED), living), draw(ENTRIES), draw(SWEEPS)


@settings(max_examples=300, deadline=None)
@given(circumstances())
def test_whatever_comes_together_only_the_proven_is_touched(
    case: tuple[list[Seen], Rows, list[Entry], Sweep],
) -> None:
    listing, rows, ledger, sweep = case
    judged = judge(listing, rows, ledger, sweep)
    seen, before = {s.ref: s for s in listing}, {entry.ref: entry for entry in ledger}
    harmful = [(act, ref) for act, ref in judged.acts if act is not Act.RESTORE]
    if judged.outcome is SweepOutcome.REFUSED:
        assert (judged.entries, judged.acts) == ((), ())
        return
    assert judged.outcome is SweepOutcome.COMPLETE or harmful == []
    assert judged.outcome is SweepOutcome.COMPLETE or judged.reason
    assert not (sweep.vouched and harmful)
    for act, limit in ((Act.QUARANTINE, sweep.quarantines_left), (Act.DELETE, sweep.deletions_left)):
        assert sum(done is act for done, _ in harmful) <= max(0, limit)
    for act, ref in harmful:
        verdict, _ = verdict_of(seen[ref], rows, frozenset(seen))
        old = before[ref]
        placed = rows.placed.get(ref)
        assert placed is None or placed.lifecycle is Lifecycle.TERMINATED
        token = rows.ordered.get(seen[ref].token or "")
        assert token is None or not token.under_way
        assert not seen[ref].locked
        if old.state is ResourceState.RELEASED:
            assert act is Act.DELETE
            assert verdict not in (Verdict.EXPLAINED, Verdict.FOREIGN)
            continue
        assert verdict in PROVEN
        assert token is not None, "what is proven rests on a row"
        assert token.state in (IntentState.ADOPTED, IntentState.RELEASED)
        if act is Act.DELETE:
            assert old.state is ResourceState.QUARANTINED
            assert old.delete_after is not None
            assert old.delete_after <= NOW
            assert seen[ref].quarantined
            assert not seen[ref].running
        else:
            assert old.state is ResourceState.UNEXPLAINED
            assert old.sightings >= 1
    for entry in judged.entries:
        assert entry.delete_after is None or entry.state is ResourceState.QUARANTINED
        assert (entry.state is ResourceState.MISSING) == (entry.ref in rows.expected and entry.ref not in seen)
    assert {entry.ref for entry in judged.entries} >= seen.keys() | rows.expected


@given(st.lists(SEEN, max_size=8, unique_by=lambda seen: seen.ref), ENTRIES, SWEEPS)
def test_an_empty_database_never_touches_anything_by_itself(
    listing: list[Seen], ledger: list[Entry], sweep: Sweep
) -> None:
    undecided = [entry for entry in ledger if entry.state is not ResourceState.RELEASED]
    assert [act for act, _ in judge(listing, Rows(), undecided, sweep).acts if act is not Act.RESTORE] == []
