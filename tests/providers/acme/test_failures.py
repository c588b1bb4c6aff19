"""Whose fault a failure was, as the renewal policy wants to know."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.renewal_retries import FailureKind, Failures
from providers.acme.failures import failed, kind_of
from providers.errors import (
    HostUnreachable,
    InvalidInput,
    IssuanceLimited,
    NotValidated,
    ProofUnseen,
    ProviderError,
    RateLimited,
    Rejected,
    Transient,
    Unauthorized,
)

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NotValidated("no", provider="acme"), FailureKind.VALIDATION),
        (ProofUnseen("no", provider="acme", retry_after=120), FailureKind.VALIDATION),
        (IssuanceLimited("no", provider="acme"), FailureKind.RATE_LIMITED),
        (Transient("no", provider="acme"), FailureKind.CA_DOWN),
        (Rejected("no", provider="acme"), FailureKind.CA_REFUSED),
        (Unauthorized("no", provider="acme"), FailureKind.CA_REFUSED),
        (InvalidInput("no", provider="acme"), FailureKind.CA_REFUSED),
        (Transient("no", provider="powerdns"), FailureKind.OURS),
        (RateLimited("no", provider="powerdns", retry_after=9), FailureKind.OURS),
        (HostUnreachable("no"), FailureKind.OURS),
    ],
)
def test_each_error_has_its_kind(error: ProviderError, kind: FailureKind) -> None:
    assert kind_of(error) is kind
    assert failed(None, error, NOW) == Failures(1, kind, NOW)


def test_a_limit_is_remembered_until_when_it_lasts() -> None:
    error = IssuanceLimited("no", provider="acme", retry_after=7200)
    before = Failures(3, FailureKind.CA_DOWN, NOW - timedelta(hours=1))
    expected = Failures(4, FailureKind.RATE_LIMITED, NOW, NOW + timedelta(hours=2))
    assert failed(before, error, NOW) == expected
