"""The sliding window of requests per user, and the headers that tell about it."""

from __future__ import annotations

import math
import time
from collections import defaultdict, deque

from sandbox.transip.records import Limits


class Rates:
    """Counted in memory: a restart forgives, as nothing durable depends on it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._calls: dict[str, deque[float]] = defaultdict(deque)

    def admit(self, login: str) -> bool:
        """Count a request, unless the window is full."""
        calls, now = self._calls[login], time.time()
        while calls and calls[0] <= now - self._limits.window:
            calls.popleft()
        if len(calls) >= self._limits.requests:
            return False
        calls.append(now)
        return True

    def headers(self, login: str, *, reset: float | None = None) -> dict[str, str]:
        """`reset` (epoch seconds) is when the oldest counted request leaves the window."""
        calls = self._calls[login]
        if reset is None:
            reset = (calls[0] if calls else time.time()) + self._limits.window
        return {
            "X-Rate-Limit-Limit": str(self._limits.requests),
            "X-Rate-Limit-Remaining": str(max(0, self._limits.requests - len(calls))),
            "X-Rate-Limit-Reset": str(math.ceil(reset)),
        }
