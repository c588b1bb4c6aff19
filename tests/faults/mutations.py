"""Mistakes to make on purpose, so that the judge is seen to find them."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from activities.servers import ServerActivities
from db.models import ServerIntent
from db.queries import intents
from domain.provisioning import Placement
from domain.statuses import IntentState
from providers.errors import QuotaExceeded, Unconfirmed
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


def hasty_move() -> None:
    """An order whose answer is missing counts as refused for want of room, and moves on."""
    send, move = ServerActivities._order_or_wait, intents.move

    async def give_up(self: ServerActivities, *about: Any) -> None:
        try:
            await send(self, *about)
        except Unconfirmed:
            raise QuotaExceeded("no answer, hence no room") from None

    async def move_anyway(session: AsyncSession, deployment_id: uuid.UUID, to: Placement) -> bool:
        ours = update(ServerIntent).where(ServerIntent.deployment_id == deployment_id)
        await session.execute(ours.values(state=IntentState.INTENDED))
        return await move(session, deployment_id, to)

    ServerActivities._order_or_wait = give_up  # type: ignore[method-assign]
    intents.move = move_anyway


MUTATIONS: dict[str, Callable[[], None]] = {
    "": lambda: None, "no_settling": no_settling, "late_undo": late_undo, "hasty_move": hasty_move,
}  # fmt: skip


def apply(name: str) -> None:
    MUTATIONS[name]()
