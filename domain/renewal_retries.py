"""How long to wait after a renewal failed, by what failed. Pure.

The pauses begin at what Let's Encrypt advises (a minute, ten, a hundred, a day) and differ where a CA counts: it allows
five failed validations per name and hour, one each twelve minutes, so nothing after a failed validation is closer than
that. No pause is longer than a day: whatever blocked a renewal may have been mended, and nobody tells us.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class FailureKind(StrEnum):
    RATE_LIMITED = "rate_limited"  # the CA, by its limits
    VALIDATION = "validation"  # the CA looked for the proof in vain
    CA_DOWN = "ca_down"  # no answer, or 5xx
    CA_REFUSED = "ca_refused"  # its policy, CAA, our account
    OURS = "ours"  # our name server, the host, the installation


# The last pause repeats.
PAUSES: Mapping[FailureKind, Sequence[timedelta]] = {
    FailureKind.RATE_LIMITED: (HOUR, 6 * HOUR, DAY),  # only where the CA did not say until when
    FailureKind.VALIDATION: (15 * MINUTE, HOUR, 4 * HOUR, 12 * HOUR, DAY),
    FailureKind.CA_DOWN: (MINUTE, 10 * MINUTE, 100 * MINUTE, 6 * HOUR),  # a day's outage is over within a quarter of it
    FailureKind.CA_REFUSED: (HOUR, 6 * HOUR, DAY),
    FailureKind.OURS: (5 * MINUTE, 30 * MINUTE, 2 * HOUR, 6 * HOUR),
}
# In an emergency no pause is longer than this.
URGENT: Mapping[FailureKind, timedelta] = {
    FailureKind.RATE_LIMITED: HOUR,
    FailureKind.VALIDATION: 20 * MINUTE,
    FailureKind.CA_DOWN: 10 * MINUTE,
    FailureKind.CA_REFUSED: HOUR,
    FailureKind.OURS: 10 * MINUTE,
}
THE_CAS = frozenset({FailureKind.RATE_LIMITED, FailureKind.CA_DOWN, FailureKind.CA_REFUSED})


@dataclass(frozen=True)
class RetryRules:
    pauses: Mapping[FailureKind, Sequence[timedelta]] = field(default_factory=lambda: PAUSES)
    urgent: Mapping[FailureKind, timedelta] = field(default_factory=lambda: URGENT)
    jitter: float = 0.1  # of a pause, added: many that failed together do not come back together


@dataclass(frozen=True)
class Failures:
    """Tries since the last success. `until` is what a CA that limits said."""

    count: int
    kind: FailureKind
    at: datetime
    until: datetime | None = None


def retry_at(failures: Failures, rules: RetryRules, seed: str, *, urgent: bool = False) -> datetime:
    """Not before: the end of the pause, and what the CA said. More failures never make it earlier."""
    if failures.kind is FailureKind.RATE_LIMITED and failures.until is not None:
        spread = rules.jitter * HOUR * fraction(seed, "limit")
        return max(failures.at, failures.until) + spread
    table = rules.pauses[failures.kind]
    pause = table[min(max(failures.count, 1), len(table)) - 1]
    if urgent:
        pause = min(pause, rules.urgent[failures.kind])
    return failures.at + pause * (1 + rules.jitter * fraction(seed, "retry"))


def fraction(seed: str, purpose: str) -> float:
    """A number in [0, 1) that is always the same for a certificate and a purpose, and evenly spread over many."""
    digest = hashlib.sha256(f"{purpose}:{seed}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
