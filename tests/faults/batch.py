"""Many seeds at once, as many as the machine bears, and the line that says what came of them."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.faults.judge import Violation
from tests.faults.life import DEADLINE, Life, Rows, Verdict, sweep_regularly
from tests.faults.stack import Stack, running
from tests.faults.story import CLOUDS, LATE_ACCEPT_WINDOW

AT_ONCE = 32
TOLD_EVERY = 250  # seeds, where nobody sees a bar: in a file, or in CI's log


@dataclass
class Report:
    seeds: Sequence[int]
    seconds: float = 0
    kills: int = 0
    verdicts: list[Verdict] = field(default_factory=list)
    drawn: dict[int, list[str]] = field(default_factory=dict)
    leftovers: list[Violation] = field(default_factory=list)  # what no run owns in the end
    stopped: str = ""  # why it ended before its seeds did

    @property
    def bad(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.violations]

    def count(self, kind: str) -> int:
        """Seeds with at least one such violation, and servers that no seed owns."""
        seeds = sum(any(found.kind == kind for found in verdict.violations) for verdict in self.verdicts)
        return seeds + sum(found.kind == kind for found in self.leftovers)

    @property
    def line(self) -> str:
        return (f"{len(self.verdicts)} seeds: {self.count('duplicate')} duplicates, {self.count('orphan')} orphans, "
                f"{self.count('lost')} lost")  # fmt: skip

    @property
    def drew(self) -> str:
        """What was ordered where."""
        stories = [verdict.story for verdict in self.verdicts]
        at = ", ".join(f"{sum(story.cloud == cloud for story in stories)} at {cloud}" for cloud in CLOUDS)
        moved = sum(verdict.moves > 0 for verdict in self.verdicts)
        return f"{at}; {sum(story.bare for story in stories)} bare servers, {moved} moved"

    @property
    def good(self) -> bool:
        return not self.bad and not self.leftovers and not self.stopped


async def run(
    seeds: Sequence[int], console: Console, *, mutation: str = "", at_once: int = AT_ONCE, deadline: float = DEADLINE,
    minutes: float = math.inf,
) -> Report:  # fmt: skip
    """`deadline`: seconds after which a run that has not ended is lost; no seed is begun after `minutes`.

    What ends a batch before its time, an interruption or a server of its stack that died, is told with the verdicts
    that there are.
    """
    report = Report(seeds)
    async with running(mutation) as stack:
        began = time.monotonic()
        rows = Rows(stack)
        ended = partial(len, report.verdicts)
        work = (rows.look_regularly(), stack.kill_workers(seeds[0], ended), sweep_regularly(stack.client))
        keepers = [asyncio.create_task(each) for each in work]
        try:
            with _progress(console, len(seeds)) as done:
                lives = asyncio.create_task(
                    _all(stack, rows, seeds, at_once, deadline, began + 60 * minutes, report, done)
                )
                keepers.append(lives)
                ended_first, _ = await asyncio.wait(keepers, return_when=asyncio.FIRST_COMPLETED)
                for task in ended_first:  # a keeper ends only by an error, and without it the batch means nothing
                    task.result()
            report.seconds = time.monotonic() - began
            await _look_for_leftovers(stack, report)
        except (Exception, asyncio.CancelledError) as error:
            report.seconds = time.monotonic() - began
            report.stopped = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        finally:
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)
        report.verdicts.sort(key=lambda verdict: verdict.seed)
        report.kills = stack.kills
        report.drawn = {verdict.seed: stack.clouds.drawn(verdict.seed) for verdict in report.bad}
        if not report.good:
            console.print(f"[dim]what the workers said last:[/dim]\n{_tail(stack)}", highlight=False)
    return report


async def _all(
    stack: Stack,
    rows: Rows,
    seeds: Sequence[int],
    at_once: int,
    deadline: float,
    until: float,
    report: Report,
    done: _Done,
) -> None:
    turn = asyncio.Semaphore(at_once)

    async def one(seed: int) -> None:
        async with turn:
            if time.monotonic() > until:
                return
            verdict = await Life(stack, rows, seed, deadline).live()
        report.verdicts.append(verdict)
        done.one(verdict)

    async with asyncio.TaskGroup() as group:
        for seed in seeds:
            group.create_task(one(seed))


async def _look_for_leftovers(stack: Stack, report: Report) -> None:
    """A server that came after its run was judged belongs to nobody any more."""
    if not report.bad:
        await asyncio.sleep(min(3.0, LATE_ACCEPT_WINDOW))
    known = {verdict.seed for verdict in report.bad}
    for seed, server in stack.clouds.left():
        if seed not in known:
            report.leftovers.append(Violation("orphan", f"{server} of seed {seed} came after its run had ended"))


def _tail(stack: Stack) -> str:
    return stack.log.read_text(errors="replace")[-3000:] or "nothing"


class _Done:
    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._task = progress.add_task("seeds", total=total, ends="")
        self._ends: Counter[str] = Counter()
        self._count = 0
        self._began = time.monotonic()

    def one(self, verdict: Verdict) -> None:
        self._count += 1
        self._ends[verdict.end] += 1
        if verdict.violations:
            self._ends["[red]violations[/red]"] += 1
            for found in verdict.violations:
                self._progress.console.print(f"[red]seed {verdict.seed}[/red] {found.kind}: {found.what}")
        ends = ", ".join(f"{count} {end}" for end, count in self._ends.most_common())
        self._progress.update(self._task, advance=1, ends=ends)
        if not self._progress.console.is_terminal and self._count % TOLD_EVERY == 0:
            seconds = time.monotonic() - self._began
            told = f"{self._count} of {self._total} seeds in {seconds:.0f} s: {ends}"
            self._progress.console.print(told, highlight=False)


@contextlib.contextmanager
def _progress(console: Console, total: int) -> Iterator[_Done]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
               TextColumn("{task.fields[ends]}"))  # fmt: skip
    with Progress(*columns, console=console) as progress:
        yield _Done(progress, total)
