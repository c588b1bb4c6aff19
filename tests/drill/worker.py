"""`python -m tests.drill.worker LEDGER`: workers as the product runs them, with the ledger for the servers."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from pathlib import Path

import uvloop

from settings import get_settings
from tests.drill.outside import Outside
from workers import run
from workers.pools import POOLS, Pool


def standing_in(pool: Pool, ledger: Path) -> Pool:
    made = pool.activities
    return dataclasses.replace(pool, activities=lambda deps: Outside(deps, ledger).replaced(made(deps)))


def main() -> None:
    ledger = Path(sys.argv[1])
    for name in ("hosts", "edge"):
        POOLS[name] = standing_in(POOLS[name], ledger)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run.run_pools(get_settings(), ["runs", "hosts", "edge"]))


if __name__ == "__main__":
    main()
