"""`make faults SEEDS=n [FIRST=k]`, `make faults SEED=k`: exit status 1 where anything was lost, doubled or left."""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import signal
import sys

import uvloop
from rich.console import Console

from tests.faults.batch import AT_ONCE, Report, run
from tests.faults.mutations import MUTATIONS


def tell(report: Report, console: Console) -> None:
    for verdict in report.bad:
        console.print(f"\n[bold]seed {verdict.seed}[/bold] ({verdict.end}): {verdict.story}", highlight=False)
        for found in verdict.violations:
            console.print(f"  [red]{found.kind}[/red]: {found.what}", highlight=False)
        for drawn in report.drawn.get(verdict.seed, []):
            console.print(f"  drew {drawn}", highlight=False)
        console.print(f"  again: make faults SEED={verdict.seed}", highlight=False)
    for found in report.leftovers:
        console.print(f"[red]{found.kind}[/red]: {found.what}", highlight=False)
    if report.stopped:
        console.print(f"[red]ended before its {len(report.seeds)} seeds[/red]: {report.stopped}", highlight=False)
    seeds = [verdict.seed for verdict in report.verdicts] or [0]
    rate = len(report.verdicts) / report.seconds
    console.print(f"seeds {seeds[0]} to {seeds[-1]} in {report.seconds:.0f} s, {rate:.1f} a second; "
                  f"{report.kills} workers killed", highlight=False)  # fmt: skip
    console.print(report.drew, highlight=False)
    console.print(report.line, style="green" if report.good else "bold red", highlight=False)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--at-once", type=int, default=AT_ONCE)
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin no seed after so many")
    parser.add_argument("--mutation", choices=[name for name in MUTATIONS if name], default="",
                        help="break the product on purpose")  # fmt: skip
    given = parser.parse_args()
    seeds = [given.seed] if given.seed is not None else [*range(given.first, given.first + given.seeds)]
    console = Console()

    async def judged() -> Report:
        # Whatever ends this program, the servers it started end with it, and what it found is told.
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await run(seeds, console, mutation=given.mutation, at_once=given.at_once, minutes=given.minutes)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        report = runner.run(judged())
    tell(report, console)
    return 0 if report.good else 1


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # the SDK may abort while the interpreter is torn down
