"""Periods that orders pay for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from domain.orders import period_end


@pytest.mark.parametrize(
    ("interval", "start", "end"),
    [
        ("month", (2026, 11, 28), (2026, 12, 28)),
        ("month", (2026, 12, 31), (2027, 1, 31)),
        ("month", (2027, 1, 31), (2027, 2, 28)),
        ("month", (2028, 1, 31), (2028, 2, 29)),
        ("year", (2028, 2, 29), (2029, 2, 28)),
        ("year", (2026, 3, 1), (2027, 3, 1)),
    ],
)
def test_a_period_ends_on_the_same_day_or_the_last_of_its_month(
    interval: str, start: tuple[int, int, int], end: tuple[int, int, int]
) -> None:
    assert period_end(interval, datetime(*start, 13, 5, tzinfo=UTC)) == datetime(*end, 13, 5, tzinfo=UTC)


def test_what_is_paid_once_never_ends() -> None:
    assert period_end("once", datetime(2026, 1, 1, tzinfo=UTC)) is None
