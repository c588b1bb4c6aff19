"""What is told while the stack starts and stops: a stream of small events, and how a terminal or a pipe shows them.

The same events are shown by the process that makes them, or, when detached, by the one that waits at a pipe's end.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

Kind = Literal["begin", "progress", "done", "note", "ready", "failed", "stopped"]


class Event(BaseModel):
    kind: Kind
    part: str = ""
    text: str = ""
    seconds: float = 0.0
    details: dict[str, Any] = {}


class Reports:
    """Makes events; `sink` shows them or sends them on."""

    def __init__(self, sink: Callable[[Event], None]) -> None:
        self._sink = sink
        self._begun: dict[str, float] = {}

    def begin(self, part: str, text: str = "") -> None:
        self._begun[part] = time.monotonic()
        self._sink(Event(kind="begin", part=part, text=text))

    def progress(self, part: str, text: str) -> None:
        self._sink(Event(kind="progress", part=part, text=text))

    def done(self, part: str, text: str = "") -> None:
        seconds = time.monotonic() - self._begun.pop(part, time.monotonic())
        self._sink(Event(kind="done", part=part, text=text, seconds=seconds))

    def note(self, text: str) -> None:
        self._sink(Event(kind="note", text=text))

    def ready(self, details: dict[str, Any]) -> None:
        self._sink(Event(kind="ready", details=details))

    def failed(self, text: str) -> None:
        self._sink(Event(kind="failed", text=text))

    def stopped(self) -> None:
        self._sink(Event(kind="stopped"))


class Pipe:
    """Sends events to the process that waits for us to be ready; afterwards there is nobody to tell, only a log."""

    def __init__(self, descriptor: int) -> None:
        self._file: Any = os.fdopen(descriptor, "w", buffering=1)

    def __call__(self, event: Event) -> None:
        if event.kind in ("note", "failed"):
            print(time.strftime("%Y-%m-%dT%H:%M:%S%z"), event.text, flush=True)
        if self._file is None:
            return
        try:
            self._file.write(event.model_dump_json() + "\n")
        except OSError:
            self._file = None
        if event.kind in ("ready", "failed") and self._file is not None:
            self._file.close()
            self._file = None


def parse(line: str) -> Event:
    return Event.model_validate(json.loads(line))


class Screen:
    """Shows events: spinners in a terminal, plain lines elsewhere."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)
        self._active: dict[str, tuple[str, float]] = {}
        self._live: Live | None = None

    def __call__(self, event: Event) -> None:
        getattr(self, f"_{event.kind}")(event)

    def _begin(self, event: Event) -> None:
        self._active[event.part] = (event.text, time.monotonic())
        if self._console.is_terminal and self._live is None:
            self._live = Live(
                console=self._console, refresh_per_second=8, transient=True, get_renderable=self._spinners
            )
            self._live.start()

    def _progress(self, event: Event) -> None:
        if event.part in self._active:
            self._active[event.part] = (event.text, self._active[event.part][1])
        if not self._console.is_terminal:
            self._print(f"  … {event.part}: {event.text}")

    def _done(self, event: Event) -> None:
        self._active.pop(event.part, None)
        told = f"  {escape(event.text)}" if event.text else ""
        self._print(f"[green]✓[/] {escape(event.part):<22}[dim]{event.seconds:6.1f} s[/]{told}", markup=True)
        self._settle()

    def _note(self, event: Event) -> None:
        self._print(f"[yellow]•[/] {time.strftime('%H:%M:%S')} {escape(event.text)}", markup=True)

    def _failed(self, event: Event) -> None:
        self._active.clear()
        self._settle()
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"[red]✗[/] {escape(event.text)}")

    def _stopped(self, event: Event) -> None:
        self._active.clear()
        self._settle()
        self._print("Slipway is stopped; `make up` carries on where it was.")

    def _ready(self, event: Event) -> None:
        self._active.clear()
        self._settle()
        self._console.print(panel(event.details))

    def _print(self, text: str, markup: bool = False) -> None:
        self._console.print(text, markup=markup)
        sys.stdout.flush()

    def _settle(self) -> None:
        if self._live is not None and not self._active:
            self._live.stop()
            self._live = None

    def _spinners(self) -> Group:
        now = time.monotonic()
        return Group(
            *(
                Spinner("dots", Text(f"{part:<22}{now - begun:6.1f} s  {text}"), style="cyan")
                for part, (text, begun) in self._active.items()
            )
        )


def panel(details: dict[str, Any]) -> Panel:
    """Where to look and how to sign in; `details["lines"]` is a list of (label, text)."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in details["lines"]:
        table.add_row(label, Text(text))
    return Panel(table, title="Slipway is up", title_align="left", border_style="green", padding=(1, 2), expand=False)
