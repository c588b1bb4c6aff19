"""Leftovers of a killed supervisor are found and stopped; a foreign process never is."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from sandbox.stack import processes
from sandbox.stack.layout import Layout
from sandbox.stack.reports import Event, Reports
from sandbox.stack.up import down, stop_leftovers


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        yield process
        process.kill()


def quiet() -> tuple[Reports, list[Event]]:
    events: list[Event] = []
    return Reports(events.append), events


async def test_what_a_killed_supervisor_left_is_stopped(layout: Layout, sleeper: subprocess.Popen[bytes]) -> None:
    processes.record(sleeper.pid).save(layout.pids / "worker.json")
    reports, events = quiet()
    assert await stop_leftovers(layout, reports) == 1
    assert sleeper.wait(10) == -signal.SIGTERM
    assert list(layout.pids.iterdir()) == []
    assert [event.part for event in events if event.kind == "done"] == ["worker"]


async def test_a_reused_pid_is_never_touched(layout: Layout, sleeper: subprocess.Popen[bytes]) -> None:
    ours = processes.record(sleeper.pid)
    stranger = {"pid": sleeper.pid, "born": ours.born + "0", "stop_signal": int(signal.SIGKILL), "grace": 0,
                "order": 0}  # fmt: skip
    (layout.pids / "worker.json").write_text(json.dumps(stranger))
    assert await stop_leftovers(layout, quiet()[0]) == 0
    known = processes.ProcessRecord(**stranger)
    await processes.stop(known)
    await asyncio.sleep(0.1)
    assert sleeper.poll() is None
    assert not (layout.pids / "worker.json").exists()


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"pid": "x"}', '{"pid": 1}'])
async def test_a_broken_pid_file_stops_nothing(layout: Layout, content: str) -> None:
    (layout.pids / "api.json").write_text(content)
    assert await stop_leftovers(layout, quiet()[0]) == 0


def test_a_dead_process_has_no_birth(sleeper: subprocess.Popen[bytes]) -> None:
    assert processes.birth(sleeper.pid) != ""
    sleeper.kill()
    sleeper.wait()
    assert processes.birth(sleeper.pid) == ""


async def test_a_signal_is_only_sent_to_the_recorded_process(sleeper: subprocess.Popen[bytes]) -> None:
    processes.ProcessRecord(sleeper.pid, "another life").send(signal.SIGKILL)
    await asyncio.sleep(0.05)
    assert sleeper.poll() is None


async def test_down_without_anything_running_says_so(layout: Layout) -> None:
    reports, events = quiet()
    assert await down(layout, reports) == 0
    assert [event.text for event in events] == ["Slipway is not running"]


def test_leftovers_are_stopped_in_the_reverse_order_of_their_start(
    layout: Layout, sleeper: subprocess.Popen[bytes]
) -> None:
    for order, name in enumerate(("worker", "postgres", "api")):
        processes.record(sleeper.pid, order=order).save(layout.pids / f"{name}.json")
    assert list(processes.leftovers(layout.pids)) == ["api", "postgres", "worker"]
