"""Mistakes to make on purpose, so that the judge is seen to find them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from activities.servers import ServerActivities
from workflows._steps import OperatedRun


def no_settling() -> None:
    """An order whose answer is missing is sent again at once."""
    settle = ServerActivities._order_or_wait

    async def order_at_once(self: ServerActivities, cloud: Any, facts: Any, call: Any, log: Any) -> None:
        if facts.intent is not None:
            facts.intent.state, facts.intent.sent_at = "intended", None
        await settle(self, cloud, facts, call, log)

    ServerActivities._order_or_wait = order_at_once  # type: ignore[method-assign]


def late_undo() -> None:
    """The undo is remembered after the effect, so that half an effect has none."""
    real = OperatedRun.step

    async def step(
        self: OperatedRun, name: str, do: Callable[[], Awaitable[Any]], *,
        undo: Callable[[], Awaitable[object]] | None = None,
    ) -> Any:  # fmt: skip
        result = await real(self, name, do)
        if undo is not None:
            self._undos.append((name, undo))
        return result

    OperatedRun.step = step  # type: ignore[method-assign]


MUTATIONS: dict[str, Callable[[], None]] = {"": lambda: None, "no_settling": no_settling, "late_undo": late_undo}


def apply(name: str) -> None:
    MUTATIONS[name]()
