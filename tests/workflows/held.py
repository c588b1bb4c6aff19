"""Row activities held at a chosen moment: before their transaction, or after it and before Temporal knows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from domain.journal import JournalBatch
from domain.statuses import StepState

Moment = Callable[[str, JournalBatch], bool]


class Hold:
    """Holds the first row activity that `moment` chooses; later tries of the same go on."""

    def __init__(self) -> None:
        self._moment: Moment | None = None
        self._before = False
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()

    def at(self, moment: Moment, *, before: bool) -> None:
        self._moment, self._before = moment, before

    async def wait(self, name: str, batch: JournalBatch, *, before: bool) -> None:
        if self._moment is not None and before == self._before and self._moment(name, batch):
            self._moment = None
            self.reached.set()
            await self.go_on.wait()


def ends(name: str, batch: JournalBatch) -> bool:
    return any(event.state == StepState.ENDED for event in batch.events)


def named(wanted: str) -> Moment:
    def moment(name: str, batch: JournalBatch) -> bool:
        return name == wanted

    return moment
