"""No window that slides ever holds more calls than a limit allows, however the calls come."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from domain.budgets import LONGEST_PATIENCE, Standing, blocked, fitted, pace_of, slot, taken

START = datetime(2026, 1, 1, tzinfo=UTC)
LIMITS = ((250, 60.0), (5000, 3600.0), (20, 15.0), (10, 60.0), (1000, 900.0), (1, 5.0), (2, 1.0), (7, 0.5))


def fullest(moments: list[datetime], seconds: float) -> int:
    """Calls in the fullest window of so many seconds, both of its ends counted."""
    moments, best, first = sorted(moments), 0, 0
    for last, moment in enumerate(moments):
        while moment - moments[first] > timedelta(seconds=seconds):
            first += 1
        best = max(best, last - first + 1)
    return best


class TestPace:
    @pytest.mark.parametrize(("count", "seconds"), LIMITS)
    @pytest.mark.parametrize("seed", range(5))
    def test_no_window_is_ever_over_the_limit(self, count: int, seconds: float, seed: int) -> None:
        """Bursts, pauses and steady streams, with calls that arrive later than their slots."""
        dice, pace, standing, now = random.Random(seed), pace_of(count, seconds), Standing(START), START
        arrived: list[datetime] = []
        for _ in range(4 * count):
            hurry = dice.choice((0, 0, 0.3, 1, 3))
            now += timedelta(seconds=dice.random() * hurry * seconds / count)
            if dice.random() < 1 / count:
                now += timedelta(seconds=seconds * dice.random() * 2)
            at = slot(now, [(standing, pace)])
            standing = taken(standing, pace, at)
            arrived.append(at + timedelta(seconds=dice.random() * 1.9))
        assert fullest(arrived, seconds) <= count

    @pytest.mark.parametrize(("count", "seconds"), LIMITS)
    def test_what_a_limit_allows_is_nearly_used_up(self, count: int, seconds: float) -> None:
        pace, standing, calls = pace_of(count, seconds), Standing(START), 0
        while (at := slot(START, [(standing, pace)])) <= START + timedelta(seconds=10 * seconds):
            standing, calls = taken(standing, pace, at), calls + 1
        assert calls >= 10 * 0.6 * count * seconds / (seconds + 2)

    @pytest.mark.parametrize(("count", "seconds"), [(0, 60.0), (-3, 60.0), (10, 0.0)])
    def test_a_limit_that_lets_nothing_through_is_refused(self, count: int, seconds: float) -> None:
        with pytest.raises(ValueError, match="lets nothing through"):
            pace_of(count, seconds)


class TestSlot:
    def test_the_narrowest_class_decides(self) -> None:
        wide, narrow = pace_of(1000, 10), pace_of(1, 10)
        once = taken(Standing(START), narrow, START)
        assert slot(START, [(Standing(START), wide), (once, narrow)]) == START + timedelta(seconds=12)

    def test_after_a_refusal_of_the_cloud_there_is_neither_a_call_nor_a_burst(self) -> None:
        pace, until = pace_of(250, 60), START + timedelta(seconds=30)
        standing = blocked(Standing(START), pace, until)
        first = slot(START, [(standing, pace)])
        second = slot(START, [(taken(standing, pace, first), pace)])
        assert (first, second) == (until, until + pace.spacing)

    def test_a_shorter_block_does_not_end_a_longer_one(self) -> None:
        pace = pace_of(10, 60)
        standing = blocked(Standing(START), pace, START + timedelta(seconds=50))
        assert blocked(standing, pace, START + timedelta(seconds=5)) == standing

    @pytest.mark.parametrize(("count", "seconds"), LIMITS)
    def test_a_standing_of_its_own_pace_is_never_fitted(self, count: int, seconds: float) -> None:
        pace, standing = pace_of(count, seconds), Standing(START)
        while (at := slot(START, [(standing, pace)])) <= START + LONGEST_PATIENCE:
            standing = taken(standing, pace, at)
            assert fitted(standing, pace, START) == standing

    def test_a_raised_limit_holds_at_once_but_not_before_the_end_of_a_block(self) -> None:
        slow, quick = pace_of(1, 900), pace_of(100, 10)
        standing = taken(Standing(START), slow, START)
        assert slot(START, [(fitted(standing, quick, START), quick)]) == START
        until = START + timedelta(seconds=300)
        stopped = fitted(blocked(standing, slow, until), quick, START)
        assert slot(START, [(stopped, quick)]) == until
