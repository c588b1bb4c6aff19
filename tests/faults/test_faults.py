"""A few seeds of the fault machine with every test run, and the proof that its judge can find what it looks for."""

from __future__ import annotations

import io

from rich.console import Console

from sandbox.faults.machine import Call, decide, weather
from tests.faults.__main__ import tell
from tests.faults.batch import Report, run
from tests.faults.life import DEADLINE
from tests.faults.story import CLOUDS, story
from tests.parts import require

SEEDS = 25
# Mistaken products leave runs that never end.
SHORT = 45.0


async def judged(seeds: list[int], mutation: str = "", deadline: float = DEADLINE) -> tuple[Report, str]:
    require("postgres")
    said = io.StringIO()
    console = Console(file=said, width=200)
    report = await run(seeds, console, mutation=mutation, deadline=deadline, at_once=12)
    tell(report, console)
    return report, said.getvalue()


async def test_nothing_is_lost_and_nothing_doubled() -> None:
    report, said = await judged([*range(1, SEEDS + 1)])
    assert report.line == f"{SEEDS} seeds: 0 duplicates, 0 orphans, 0 lost", said
    assert report.good
    assert {verdict.story.cloud for verdict in report.verdicts} == {*CLOUDS}
    assert any(verdict.story.bare for verdict in report.verdicts)
    assert any(verdict.moves for verdict in report.verdicts)
    assert len({verdict.end for verdict in report.verdicts}) >= 3


def unheard(seed: int) -> bool:
    """Whose order is taken, unheard."""
    told = story(seed)
    drawn = decide(seed, told.cloud, Call.ORDER, 1)
    return drawn is not None and drawn.do == "lose_answer" and told.cancel_after is None


def doubled_if_sent_again(seed: int) -> bool:
    """Long in appearing, and not at Linode: there the label of the first order refuses the second."""
    cloud = story(seed).cloud
    drawn = decide(seed, cloud, Call.ORDER, 1)
    return unheard(seed) and drawn is not None and drawn.appear > 1 and cloud != "linode"


def has_other_places(seed: int) -> bool:
    return unheard(seed) and bool(story(seed).fallbacks)


def cancelled_while_ordering(seed: int) -> bool:
    return story(seed).cancel_after == 3 and story(seed).start == "started" and weather(seed) >= 0.2


def chosen(what: object, count: int) -> list[int]:
    assert callable(what)
    return [seed for seed in range(20_000) if what(seed)][:count]


async def test_an_order_that_is_not_settled_is_found_to_be_doubled() -> None:
    report, said = await judged(chosen(doubled_if_sent_again, 4), "no_settling", SHORT)
    assert report.count("duplicate"), said
    assert not report.good
    assert "again: make faults SEED=" in said


async def test_an_undo_that_is_remembered_too_late_is_found_to_leave_servers() -> None:
    report, said = await judged(chosen(cancelled_while_ordering, 8), "late_undo", SHORT)
    assert report.count("orphan"), said


async def test_an_order_that_moves_on_unanswered_is_found_to_be_bought_twice() -> None:
    report, said = await judged(chosen(has_other_places, 3), "hasty_move", SHORT)
    assert report.count("duplicate"), said
