"""Which limit a CA says is spent, for what, and until when: the words of Boulder, which Let's Encrypt runs. Pure.

Source: `Decision.Result` in Boulder's ratelimits/limiter.go, and the answers users report. Other words leave all empty.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from domain.ca_limits import CaLimit

RETRY_AFTER = re.compile(r"retry after (\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?: UTC|Z)")
# The first that fits: the exact set is also "certificates already issued for".
WORDS: tuple[tuple[re.Pattern[str], CaLimit], ...] = (
    (re.compile(r"certificates .*already issued for this exact set"), CaLimit.EXACT_SET),
    (re.compile(r'certificates .*already issued for:? "?(?P<subject>[a-z0-9.-]*[a-z0-9])'), CaLimit.REGISTERED_DOMAIN),
    (re.compile(r'failed authorizations .*for "(?P<subject>[^"]+)"'), CaLimit.FAILED_VALIDATIONS),
    (re.compile(r"too many failed authorizations"), CaLimit.FAILED_VALIDATIONS),
    (re.compile(r"too many new orders"), CaLimit.NEW_ORDERS),
    (re.compile(r"too many (?:new registrations|registrations)"), CaLimit.NEW_ACCOUNTS),
)


def limit_of(detail: str) -> tuple[CaLimit | None, str]:
    """(limit, the domain it counts for or "")"""
    for pattern, limit in WORDS:
        found = pattern.search(detail)
        if found is not None:
            return limit, found.groupdict().get("subject") or ""
    return None, ""


def retry_at(detail: str) -> datetime | None:
    found = RETRY_AFTER.search(detail)
    try:
        return datetime.fromisoformat(f"{found[1]}T{found[2]}").replace(tzinfo=UTC) if found else None
    except ValueError:
        return None
