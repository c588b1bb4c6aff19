"""What a batch says of itself: far enough, or stopped before its time."""

from __future__ import annotations

import io

from rich.console import Console

from tests.faults.__main__ import tell
from tests.faults.batch import TOLD_EVERY, Report, _progress
from tests.faults.life import Verdict
from tests.faults.story import story


def verdicts(*seeds: int) -> list[Verdict]:
    return [Verdict(seed, story(seed), "active") for seed in seeds]


def test_a_batch_that_was_stopped_tells_how_far_it_came_and_is_not_good() -> None:
    report = Report(range(1, 11), seconds=2, verdicts=verdicts(1, 2, 4), stopped="CancelledError")
    said = io.StringIO()
    tell(report, Console(file=said, width=200))
    assert "ended before its 10 seeds: CancelledError" in said.getvalue()
    assert "seeds 1 to 4 in 2 s" in said.getvalue()
    assert "3 seeds: 0 duplicates, 0 orphans, 0 lost" in said.getvalue()
    assert not report.good


def test_a_batch_that_was_stopped_at_once_has_a_line_too() -> None:
    said = io.StringIO()
    tell(Report(range(1, 11), seconds=1, stopped="CancelledError"), Console(file=said, width=200))
    assert "0 seeds: 0 duplicates, 0 orphans, 0 lost" in said.getvalue()


def test_a_file_is_told_now_and_then_where_a_batch_stands() -> None:
    said = io.StringIO()
    with _progress(Console(file=said, width=200), 3 * TOLD_EVERY) as done:
        for verdict in verdicts(*range(1, 2 * TOLD_EVERY + 2)):
            done.one(verdict)
    told = [line for line in said.getvalue().splitlines() if " of 750 seeds in " in line]
    assert [line.split()[0] for line in told] == ["250", "500"]
    assert told[-1].endswith("500 active")
