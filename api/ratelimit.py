"""How much one principal may ask (X15), and how often a sign-in may fail. Counted in this process's memory.

With several API processes each counts for itself: the limit protects a process, it is not an account's quota.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

MAX_KEYS = 20_000  # more callers than that in one window, and the oldest are forgotten

FREE_FAILURES = 5
FIRST_LOCK_SECONDS = 30
FORGET_SECONDS = 900


@dataclass(frozen=True)
class Taken:
    """One request's place in its bucket. `retry_after` is None where it was granted, else seconds."""

    limit: int
    remaining: int
    resets_at: int  # seconds since 1970
    retry_after: int | None = None

    def headers(self) -> dict[str, str]:
        made = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.resets_at),
        }
        if self.retry_after is not None:
            made["Retry-After"] = str(self.retry_after)
        return made


class Buckets:
    """Fixed windows, one per key, each beginning with its first request."""

    def __init__(self, window_seconds: float) -> None:
        self._window = window_seconds
        self._used: dict[str, tuple[float, int]] = {}

    def take(self, key: str, limit: int) -> Taken:
        now = time.time()
        ends, used = self._used.get(key, (0.0, 0))
        if ends <= now:
            self._used.pop(key, None)
            self._make_room(now)
            ends, used = now + self._window, 0
        if used >= limit:
            return Taken(limit, 0, math.ceil(ends), max(1, math.ceil(ends - now)))
        self._used[key] = (ends, used + 1)
        return Taken(limit, limit - used - 1, math.ceil(ends))

    def _make_room(self, now: float) -> None:
        if len(self._used) < MAX_KEYS:
            return
        self._used = {key: value for key, value in self._used.items() if value[0] > now}
        while len(self._used) >= MAX_KEYS:
            self._used.pop(next(iter(self._used)))


class Failures:
    """Failed sign-ins by key: some are free, then each locks for twice as long as the one before."""

    def __init__(self, free: int = FREE_FAILURES) -> None:
        self._free = free
        self._failed: dict[str, tuple[int, float, float]] = {}  # count, locked until, last failure

    def locked_for(self, key: str) -> int:
        """Seconds until another try is looked at; 0 when it may come now."""
        _, until, _ = self._failed.get(key, (0, 0.0, 0.0))
        return max(0, math.ceil(until - time.monotonic()))

    def failed(self, key: str) -> None:
        now = time.monotonic()
        count, _, last = self._failed.get(key, (0, 0.0, 0.0))
        count = count + 1 if now - last < FORGET_SECONDS else 1
        over = count - self._free
        lock = min(FORGET_SECONDS, FIRST_LOCK_SECONDS * 2 ** min(over, 10)) if over >= 0 else 0
        if key not in self._failed and len(self._failed) >= MAX_KEYS:
            self._failed.pop(next(iter(self._failed)))
        self._failed[key] = (count, now + lock if lock else 0.0, now)

    def succeeded(self, key: str) -> None:
        self._failed.pop(key, None)
