"""Pauses after failures: never tighter than a CA's limits, never without end."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ca_limits import LETS_ENCRYPT, CaLimit
from domain.renewal_retries import DAY, HOUR, MINUTE, FailureKind, Failures, RetryRules, fraction, retry_at

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
RULES = RetryRules()
kinds = st.sampled_from(FailureKind)


@given(st.text(max_size=20), kinds, st.integers(1, 50), st.booleans())
def test_a_pause_ends_within_a_day_and_a_bit(seed: str, kind: FailureKind, count: int, urgent: bool) -> None:
    at = retry_at(Failures(count, kind, NOW), RULES, seed, urgent=urgent)
    assert NOW + MINUTE <= at <= NOW + DAY * 1.1


@given(st.text(max_size=20), kinds, st.integers(1, 50), st.booleans())
def test_more_failures_never_make_the_next_try_earlier(seed: str, kind: FailureKind, count: int, urgent: bool) -> None:
    first = retry_at(Failures(count, kind, NOW), RULES, seed, urgent=urgent)
    assert first <= retry_at(Failures(count + 1, kind, NOW), RULES, seed, urgent=urgent)


@given(st.text(max_size=20), st.integers(1, 50), st.booleans())
def test_failed_validations_stay_inside_the_cas_limit(seed: str, count: int, urgent: bool) -> None:
    at = retry_at(Failures(count, FailureKind.VALIDATION, NOW), RULES, seed, urgent=urgent)
    assert at - NOW > LETS_ENCRYPT[CaLimit.FAILED_VALIDATIONS].spacing


@given(st.text(max_size=20), st.integers(0, 400), st.integers(1, 9), st.booleans())
def test_a_limit_is_waited_out_as_the_ca_said(seed: str, hours: int, count: int, urgent: bool) -> None:
    until = NOW + hours * HOUR
    at = retry_at(Failures(count, FailureKind.RATE_LIMITED, NOW, until), RULES, seed, urgent=urgent)
    assert until <= at <= until + HOUR / 10


@pytest.mark.parametrize("kind", FailureKind)
def test_an_emergency_shortens_long_pauses(kind: FailureKind) -> None:
    late = Failures(9, kind, NOW)
    assert retry_at(late, RULES, "c-1", urgent=True) < retry_at(late, RULES, "c-1")


def test_many_certificates_are_spread_evenly() -> None:
    drawn = sorted(fraction(f"c-{number}", "window") for number in range(2000))
    assert all(abs(value - place / 2000) < 0.05 for place, value in enumerate(drawn))
    assert fraction("c-1", "window") == fraction("c-1", "window") != fraction("c-1", "poll")
