"""What a failed issuance means for the renewal policy: whose fault it was, and until when. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from domain.renewal_retries import FailureKind, Failures
from providers.acme.problems import PROVIDER
from providers.errors import NotValidated, ProofUnseen, ProviderError, RateLimited, Transient


def kind_of(error: ProviderError) -> FailureKind:
    if isinstance(error, NotValidated | ProofUnseen):
        return FailureKind.VALIDATION
    if error.provider != PROVIDER:
        return FailureKind.OURS  # the name server, the host
    if isinstance(error, RateLimited):
        return FailureKind.RATE_LIMITED
    return FailureKind.CA_DOWN if isinstance(error, Transient) else FailureKind.CA_REFUSED


def failed(before: Failures | None, error: ProviderError, now: datetime) -> Failures:
    """The record of failures after one more."""
    kind = kind_of(error)
    until = now + timedelta(seconds=error.retry_after) if error.retry_after is not None else None
    limited = kind is FailureKind.RATE_LIMITED
    return Failures((before.count if before else 0) + 1, kind, now, until if limited else None)
