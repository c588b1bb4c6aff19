"""Sliding windows of requests, counted per customer and class of calls."""

from __future__ import annotations

import time
from collections import defaultdict, deque

from pydantic import BaseModel


class Window(BaseModel, frozen=True):
    """So many requests in so many seconds, sliding."""

    count: int
    seconds: float


class Rates:
    """Counted in memory: a restart forgives, as nothing durable depends on it."""

    def __init__(self) -> None:
        self._calls: dict[tuple[str, str], deque[float]] = defaultdict(deque)

    def admit(self, who: str, windows: dict[str, Window]) -> str | None:
        """Count a request in every window, unless one is full: then it counts in none, and that one's name returns."""
        for name, window in windows.items():
            if self.left(who, name, window) == 0:
                return name
        for name in windows:
            self._calls[who, name].append(time.time())
        return None

    def left(self, who: str, name: str, window: Window) -> int:
        calls, now = self._calls[who, name], time.time()
        while calls and calls[0] <= now - window.seconds:
            calls.popleft()
        return max(0, window.count - len(calls))

    def reset(self, who: str, name: str, window: Window) -> float:
        """When the oldest counted request leaves the window (epoch seconds)."""
        calls = self._calls[who, name]
        return (calls[0] if calls else time.time()) + window.seconds
