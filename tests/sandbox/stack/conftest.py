"""A stack made of small stand-in programs: the supervisor must not care what it watches."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.stack.layout import Layout
from sandbox.stack.supervisor import Service, Supervisor

# Counts its starts in a file, says that it is ready, and ends politely on SIGTERM.
PROGRAM = """
import pathlib, signal, sys, time
starts = pathlib.Path(sys.argv[1]); starts.write_text(starts.read_text() + "x" if starts.exists() else "x")
signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path(sys.argv[1] + ".end").touch(), sys.exit(0)))
print("now serving", flush=True)
while True: time.sleep(0.02)
"""


class Watched:
    """A supervisor and what it told."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.notes: list[str] = []
        self.supervisor = Supervisor(layout, self.notes.append)

    def service(self, name: str, program: str = PROGRAM, **more: object) -> Service:
        argv = [sys.executable, "-c", program, str(self.layout.root / name)]
        return Service(name, name.title(), argv, {}, **{"says": "now serving", **more})  # type: ignore[arg-type]

    def starts(self, name: str) -> int:
        return len((self.layout.root / name).read_text())


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "state")
    made.prepare()
    return made


@pytest.fixture
async def watched(layout: Layout) -> AsyncIterator[Watched]:
    made = Watched(layout)
    yield made
    await made.supervisor.stop()
