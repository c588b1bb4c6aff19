"""Gates in front of calls that remember what they were asked."""

from __future__ import annotations

from providers.errors import RateLimited


class OpenGate:
    def __init__(self) -> None:
        self.entered: list[tuple[str, ...]] = []
        self.told: list[tuple[str, float]] = []

    async def enter(self, *calls: str) -> None:
        self.entered.append(calls)

    async def refused(self, calls: str, retry_after: float) -> None:
        self.told.append((calls, retry_after))


class ClosedGate(OpenGate):
    async def enter(self, *calls: str) -> None:
        raise RateLimited("the account has no calls left for now", retry_after=7)
