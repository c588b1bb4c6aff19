"""The words of a CA that limits, as users report them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from domain.ca_limits import CaLimit
from providers.acme.limits import limit_of, retry_at

LINK = ": see https://letsencrypt.org/docs/rate-limits/#new-certificates"


@pytest.mark.parametrize(
    ("words", "limit", "subject"),
    [
        (
            "too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s",
            CaLimit.EXACT_SET, "",
        ),
        (
            "too many certificates (5) already issued for this exact set of domains in the last 168 hours: a.test",
            CaLimit.EXACT_SET, "",
        ),
        (
            'too many certificates (50) already issued for "slipway.test" in the last 168h0m0s',
            CaLimit.REGISTERED_DOMAIN, "slipway.test",
        ),
        (
            "Error creating new order :: too many certificates already issued for: slipway.test",
            CaLimit.REGISTERED_DOMAIN, "slipway.test",
        ),
        (
            'too many failed authorizations (5) for "a.slipway.test" in the last 1h0m0s',
            CaLimit.FAILED_VALIDATIONS, "a.slipway.test",
        ),
        ("too many failed authorizations recently", CaLimit.FAILED_VALIDATIONS, ""),
        ("too many new orders (300) from this account in the last 3h0m0s", CaLimit.NEW_ORDERS, ""),
        ("too many new registrations (10) from this IP address in the last 3h0m0s", CaLimit.NEW_ACCOUNTS, ""),
        ("Service busy; retry later.", None, ""),
    ],
)  # fmt: skip
def test_the_limit_is_told_from_the_words(words: str, limit: CaLimit | None, subject: str) -> None:
    assert limit_of(f"{words}, retry after 2026-11-29 19:14:33 UTC{LINK}") == (limit, subject)


@pytest.mark.parametrize(
    ("words", "at"),
    [
        ("retry after 2026-11-29 19:14:33 UTC: see", datetime(2026, 11, 29, 19, 14, 33, tzinfo=UTC)),
        ("retry after 2026-11-29T19:14:33Z: see", datetime(2026, 11, 29, 19, 14, 33, tzinfo=UTC)),
        ("retry after 2026-13-99 19:14:33 UTC", None),
        ("retry after some time", None),
    ],
)
def test_the_moment_is_told_from_the_words(words: str, at: datetime | None) -> None:
    assert retry_at(words) == at
