"""`python -m workers [pool …]`: all pools without an argument."""

from __future__ import annotations

import asyncio
import sys

import uvloop

from settings import get_settings
from telemetry import setup
from workers.pools import POOLS
from workers.run import run_pools


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in POOLS]
    if unknown:
        sys.stderr.write(f"unknown pool {unknown[0]!r}; known: {', '.join(POOLS)}\n")
        return 2
    settings = get_settings()
    provider = setup(settings, "worker")
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run_pools(settings, names or list(POOLS)))
    finally:
        provider.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
