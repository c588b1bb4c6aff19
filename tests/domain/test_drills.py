"""A drill's pace: never more than so many an hour, whatever the sweeps do; and what the CA's limits allow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from domain import ca_limits, drills
from domain.ca_limits import LETS_ENCRYPT
from domain.drills import CATCH_UP, HOUR, MOST_AN_HOUR, ends_about, most_an_hour

START = datetime(2027, 1, 1, tzinfo=UTC)
PACES = st.integers(1, MOST_AN_HOUR)
GAPS = st.lists(st.integers(0, 20_000).map(lambda s: timedelta(seconds=s)), min_size=1, max_size=40)


@given(PACES, GAPS)
def test_whatever_the_sweeps_do_no_more_is_made_due_than_the_pace_allows(pace: int, gaps: list[timedelta]) -> None:
    now, next_at, total = START, START, 0
    for gap in gaps:
        now += gap
        count, next_at = drills.released(pace, next_at, now)
        assert 0 <= count <= max(1, CATCH_UP / HOUR * pace)
        total += count
        assert total <= (now - START) / HOUR * pace + 1
        assert next_at > now or count == 0


@given(PACES)
def test_a_sweep_each_minute_keeps_up_with_the_pace(pace: int) -> None:
    now, next_at, total = START, START, 0
    for _ in range(60):
        now += timedelta(minutes=1)
        count, next_at = drills.released(pace, next_at, now)
        total += count
    assert pace * 0.999 - 1 <= total <= pace + 1


def test_after_a_night_without_sweeps_not_all_comes_at_once() -> None:
    count, next_at = drills.released(600, START, START + timedelta(hours=8))
    assert count == 20
    assert next_at == START + timedelta(hours=8, seconds=6)


def test_at_their_own_ca_certificates_draw_on_no_limit_of_the_account() -> None:
    assert most_an_hour(LETS_ENCRYPT, moves=False) == MOST_AN_HOUR


def test_at_another_ca_half_of_its_orders_are_left_to_customers() -> None:
    assert most_an_hour(LETS_ENCRYPT, moves=True) == 50
    assert most_an_hour({}, moves=True) == MOST_AN_HOUR
    slow = {ca_limits.CaLimit.NEW_ORDERS: ca_limits.Bucket(1, timedelta(days=7))}
    assert most_an_hour(slow, moves=True) == 1


def test_the_end_is_told_by_what_waits() -> None:
    assert ends_about(60, 1, START, START) == START
    assert ends_about(60, 61, START - HOUR, START) == START + HOUR
