"""Workers as the product runs them, with a ledger of a drill in the place of the servers they reach over SSH."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import uvloop

from activities._context import Deps
from settings import get_settings
from workers import run
from workers.pools import POOLS, Pool


class Ledger(Protocol):
    def replaced(self, activities: list[Callable[..., Any]]) -> list[Callable[..., Any]]:
        """The activities, with the ledger's own where it has them."""


def work(ledger_of: Callable[[Deps, Path], Ledger]) -> None:
    """Run the pools until told to stop. The ledger's file is the program's one argument."""
    file = Path(sys.argv[1])

    def standing_in(pool: Pool) -> Pool:
        made = pool.activities
        return dataclasses.replace(pool, activities=lambda deps: ledger_of(deps, file).replaced(made(deps)))

    for name in ("hosts", "edge"):
        POOLS[name] = standing_in(POOLS[name])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run.run_pools(get_settings(), ["runs", "hosts", "edge"]))
