"""What subscriptions' rows call for: never an end that nobody was warned of, and never a touch of one that is paid."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.catalogue import Interval
from domain.lifecycle import AGAIN, TOLERANCE, Standing, Verdict, decide
from domain.sales import GRACE, KEPT_SUSPENDED, NON_PAYMENT, JobType, SubscriptionStatus

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)

moments = st.timedeltas(-400 * DAY, 400 * DAY).map(lambda ago: NOW - ago)


@st.composite
def standings(draw: st.DrawFn) -> Standing:
    """Any row that the table's constraints let in."""
    status = draw(st.sampled_from(list(SubscriptionStatus)))
    return Standing(
        status=status,
        interval=draw(st.sampled_from(list(Interval))),
        amount_cents=draw(st.sampled_from([0, 1200])),
        period_end=draw(st.none() | moments),
        cancel_at_period_end=draw(st.booleans()),
        past_due_since=draw(moments if status == "PAST_DUE" else st.none() | moments),
        suspended_at=draw(moments if status == "SUSPENDED" else st.none() | moments),
        suspended_for=draw(st.sampled_from(["", NON_PAYMENT, "spam was sent"])),
        taken_back=tuple(draw(st.lists(st.tuples(st.sampled_from(list(JobType)), moments), max_size=2))),
    )


@given(standings())
def test_nothing_ends_that_was_neither_cancelled_nor_suspended_for_a_month(held: Standing) -> None:
    if decide(held, NOW) is not Verdict.TERMINATE:
        return
    cancelled = held.cancel_at_period_end and held.period_end is not None and held.period_end <= NOW
    unpaid = (
        held.status == "SUSPENDED" and held.suspended_for == NON_PAYMENT and held.past_due_since is not None
        and held.suspended_at is not None and NOW - held.suspended_at >= KEPT_SUSPENDED
    )  # fmt: skip
    assert cancelled or unpaid


@given(standings())
def test_nothing_is_suspended_within_its_grace(held: Standing) -> None:
    if decide(held, NOW) is Verdict.SUSPEND:
        assert held.status == "PAST_DUE"
        assert held.past_due_since is not None
        assert NOW - held.past_due_since >= GRACE


@given(standings())
def test_what_is_active_and_paid_for_is_never_touched(held: Standing) -> None:
    paid = held.period_end is None or held.period_end > NOW
    if held.status == "ACTIVE" and paid:
        assert decide(held, NOW) is Verdict.NOTHING


@given(standings())
def test_what_is_paid_once_is_never_late(held: Standing) -> None:
    assert decide(replace(held, interval=Interval.ONCE, status="ACTIVE"), NOW) is not Verdict.PAST_DUE


@given(standings())
def test_what_an_operator_suspended_stays_so_until_an_operator_or_its_cancelled_end(held: Standing) -> None:
    held = replace(held, status="SUSPENDED", suspended_at=NOW - DAY, suspended_for="spam", cancel_at_period_end=False)
    assert decide(held, NOW) is Verdict.NOTHING


@given(standings())
def test_what_was_not_begun_or_has_ended_is_never_touched(held: Standing) -> None:
    for status in ("INACTIVE", "TERMINATED"):
        assert decide(replace(held, status=status), NOW) is Verdict.NOTHING


@given(standings())
def test_what_was_taken_back_is_not_asked_for_again_the_same_day(held: Standing) -> None:
    fresh = tuple((kind, NOW - AGAIN + SECOND) for kind in JobType)
    assert decide(replace(held, taken_back=fresh), NOW) in (Verdict.NOTHING, Verdict.RENEW, Verdict.PAST_DUE)


LIVE = Standing(status="ACTIVE", interval="month", amount_cents=1200, period_end=NOW)
LATE = replace(LIVE, status="PAST_DUE", past_due_since=NOW - GRACE)
OFF = replace(LATE, status="SUSPENDED", suspended_at=NOW - KEPT_SUSPENDED, suspended_for=NON_PAYMENT)


@pytest.mark.parametrize(
    ("held", "verdict"),
    [
        (replace(LIVE, period_end=NOW - TOLERANCE + SECOND), Verdict.NOTHING),
        (replace(LIVE, period_end=NOW - TOLERANCE), Verdict.PAST_DUE),
        (replace(LIVE, amount_cents=0), Verdict.RENEW),
        (replace(LIVE, cancel_at_period_end=True), Verdict.TERMINATE),
        (replace(LIVE, cancel_at_period_end=True, period_end=NOW + SECOND), Verdict.NOTHING),
        (replace(LATE, past_due_since=NOW - GRACE + SECOND), Verdict.NOTHING),
        (LATE, Verdict.SUSPEND),
        (OFF, Verdict.TERMINATE),
        (replace(OFF, suspended_at=NOW - KEPT_SUSPENDED + SECOND), Verdict.NOTHING),
        (replace(OFF, past_due_since=None), Verdict.RESUME),
        (replace(OFF, taken_back=(("TERMINATE", NOW - AGAIN + SECOND),)), Verdict.NOTHING),
        (replace(OFF, taken_back=(("TERMINATE", NOW - AGAIN),)), Verdict.TERMINATE),
    ],
)
def test_each_edge_in_time(held: Standing, verdict: Verdict) -> None:
    assert decide(held, NOW) is verdict
