"""Starting, watching and stopping parts."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.stack import supervisor as module
from sandbox.stack.layout import StackError
from sandbox.stack.processes import ProcessRecord
from tests.sandbox.stack.conftest import Watched


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


def pid_of(watched: Watched, name: str) -> int:
    pid = watched.supervisor.pid(name)
    assert pid is not None
    return pid


async def test_a_killed_part_comes_back_by_itself(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.01)
    await watched.supervisor.start(watched.service("api"))
    before = pid_of(watched, "api")
    os.kill(before, signal.SIGKILL)
    await until(lambda: any("is back" in note for note in watched.notes))
    assert pid_of(watched, "api") != before
    assert watched.starts("api") == 2
    assert "Api ended (SIGKILL)" in watched.notes[0]
    known = ProcessRecord.load(watched.layout.pids / "api.json")
    assert known is not None
    assert known.pid == pid_of(watched, "api")


async def test_what_is_new_with_each_start_is_fetched_again(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.01)
    fetched: list[int] = []

    async def fetch() -> None:
        fetched.append(watched.starts("acme"))

    await watched.supervisor.start(watched.service("acme", after_ready=fetch))
    os.kill(pid_of(watched, "acme"), signal.SIGKILL)
    await until(lambda: len(fetched) == 2)
    assert fetched == [1, 2]


async def test_stops_the_last_started_first_and_leaves_no_pid_file(watched: Watched) -> None:
    for name in ("first", "second"):
        await watched.supervisor.start(watched.service(name))
    pids = [pid_of(watched, name) for name in ("first", "second")]
    order: list[str] = []
    await watched.supervisor.stop(lambda service: order.append(service.name))
    assert order == ["second", "first"]
    assert all((watched.layout.root / f"{name}.end").exists() for name in order)
    assert list(watched.layout.pids.iterdir()) == []
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_a_part_that_ignores_the_signal_is_ended_after_its_grace(watched: Watched) -> None:
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('now serving', flush=True); time.sleep(600)"
    await watched.supervisor.start(watched.service("deaf", deaf, grace=0.1))
    pid = pid_of(watched, "deaf")
    await watched.supervisor.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_part_that_cannot_start_is_told_with_the_end_of_its_log(watched: Watched) -> None:
    with pytest.raises(StackError) as caught:
        await watched.supervisor.start(watched.service("broken", "import sys; sys.exit('no such table')"))
    assert "Broken ended with status 1" in str(caught.value)
    assert "no such table" in str(caught.value)
    assert str(watched.layout.log("broken")) in str(caught.value)


async def test_a_missing_program_is_one_sentence(watched: Watched) -> None:
    service = watched.service("tool")
    service.argv = ["/nowhere/tool"]
    with pytest.raises(StackError, match="Tool needs the program /nowhere/tool, which is not here"):
        await watched.supervisor.start(service)


async def test_readiness_said_by_an_earlier_start_does_not_count(watched: Watched) -> None:
    watched.layout.log("api").write_text("now serving\n")
    with pytest.raises(StackError, match=r"was not ready in 0\.3 s"):
        await watched.supervisor.start(watched.service("api", "import time; time.sleep(600)", ready_timeout=0.3))


async def test_logs_are_private_and_hold_no_environment(watched: Watched, tmp_path: Path) -> None:
    service = watched.service("api")
    service.env = {"JWT_SECRET": "a-planted-secret"}
    await watched.supervisor.start(service)
    assert watched.layout.log("api").stat().st_mode & 0o777 == 0o600
    assert "a-planted-secret" not in repr(service)
    assert "a-planted-secret" not in Path(f"/proc/{pid_of(watched, 'api')}/cmdline").read_text()
