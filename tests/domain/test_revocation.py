"""Which certificates count as revoked, and which lists are asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.renewal import Action, Certificate, Window, plan
from domain.revocation import is_revoked, to_be_looked_up

DAY = timedelta(days=1)
NOW = datetime(2027, 3, 1, tzinfo=UTC)


def certificate(*, age: float, window: tuple[float, float] | None = None, revoked: bool = False) -> Certificate:
    """Of ninety days; its window in days from now."""
    made = Window(NOW + window[0] * DAY, NOW + window[1] * DAY) if window else None
    begun = NOW - age * DAY
    return Certificate("c-1", begun, begun + 90 * DAY, window=made, revoked=revoked)


@pytest.mark.parametrize("window", [None, (-2.0, -1.0), (20.0, 21.0)])
def test_the_cas_list_decides_where_it_can_be_read(window: tuple[float, float] | None) -> None:
    young = certificate(age=10, window=window)
    assert is_revoked(young, True, NOW)
    assert not is_revoked(young, False, NOW)


@pytest.mark.parametrize(
    ("age", "window", "revoked"),
    [
        (10, (-2.0, -1.0), True),  # the CA moved it before its time
        (80, (-20.0, -19.0), False),  # nobody renewed while it was open
        (10, (-1.0, 1.0), False),  # wanted soon, not at once
        (10, (30.0, 31.0), False),
        (10, None, False),
    ],
)
def test_without_a_list_a_window_that_ended_before_its_time_says_so(
    age: float, window: tuple[float, float] | None, revoked: bool
) -> None:
    assert is_revoked(certificate(age=age, window=window), None, NOW) is revoked


def test_what_was_revoked_stays_so_and_is_renewed_at_once_and_urgently() -> None:
    gone = certificate(age=10, revoked=True)
    assert is_revoked(gone, None, NOW)
    assert is_revoked(gone, False, NOW)
    assert not to_be_looked_up(gone, NOW)
    step = plan(gone, NOW)
    assert (step.action, step.at, step.urgent) == (Action.RENEW, NOW, True)


def test_a_list_is_asked_for_where_no_open_window_says_that_all_is_well() -> None:
    assert to_be_looked_up(certificate(age=10), NOW)
    assert to_be_looked_up(certificate(age=10, window=(-2.0, -1.0)), NOW)
    assert not to_be_looked_up(certificate(age=10, window=(20.0, 21.0)), NOW)
