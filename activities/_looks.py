"""One answer for many who ask an account's cloud the same at about the same time, within this process.

An account's calls are few. What is shared says what a cloud showed a moment ago, and never that something is absent:
who does not find his server in it asks for that one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar, cast
from weakref import WeakKeyDictionary

from providers.cloud.base import Cloud, CloudServer
from providers.errors import Transient

T = TypeVar("T")

CROWD = 5  # from so many servers on that are waited for, one list costs less than a look at each
PAGE = 200  # about what a page of a list holds; a list of more pages is asked for less often
MOST_ANSWERS = 200


@dataclass
class _Answer:
    asked_at: float = float("-inf")  # when the question was sent
    value: object = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Shared:
    """Answers by client and question. One asks at a time; a failure is told to who met it, and not kept."""

    def __init__(self) -> None:
        self._answers: WeakKeyDictionary[Cloud, dict[str, _Answer]] = WeakKeyDictionary()

    async def of(self, cloud: Cloud, question: str, ask: Callable[[], Awaitable[T]], *, seconds: float) -> T:
        """What `ask` returned, asked at most so many seconds ago."""
        answers = self._answers.setdefault(cloud, {})
        if len(answers) > MOST_ANSWERS:
            answers.clear()
        held = answers.setdefault(question, _Answer())
        async with held.turn:
            now = time.monotonic()
            if now - held.asked_at > seconds:
                held.value = await ask()
                held.asked_at = now
            return cast(T, held.value)


class Looks:
    """At servers that are waited for."""

    def __init__(self) -> None:
        self._shared = Shared()
        self._waiting: WeakKeyDictionary[Cloud, dict[str, float]] = WeakKeyDictionary()
        self._listed = 0

    async def at(self, cloud: Cloud, ref: str) -> CloudServer:
        """As `Cloud.get`; where many are waited for, out of a list that is at most some looks old."""
        if self._crowd(cloud, ref) < CROWD:
            return await cloud.get(ref)
        age = cloud.poll_interval * (1 + self._listed / PAGE)
        try:
            servers = await self._shared.of(cloud, "list", lambda: _by_ref(cloud), seconds=age)
        except Transient:
            return await cloud.get(ref)  # one bad entry spoils a list, and must not hold up everybody
        self._listed = len(servers)
        return servers.get(ref) or await cloud.get(ref)

    def _crowd(self, cloud: Cloud, ref: str) -> int:
        """How many servers were asked for lately, this one among them."""
        waiting, now = self._waiting.setdefault(cloud, {}), time.monotonic()
        waiting[ref] = now
        for other in [other for other, at in waiting.items() if now - at > 3 * cloud.poll_interval]:
            del waiting[other]
        return len(waiting)


async def _by_ref(cloud: Cloud) -> dict[str, CloudServer]:
    return {server.provider_ref: server for server in await cloud.list()}
