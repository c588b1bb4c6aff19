"""Where a command line becomes a program of the model. There is no shell: one argv, one program, or 127."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sandbox.hosts.emulated.files import Tree, Who
from sandbox.hosts.emulated.state import HostState

if TYPE_CHECKING:
    from sandbox.hosts.emulated.machine import Machine

NOT_FOUND = 127


@dataclass(frozen=True)
class Call:
    """One running program: as whom, with which words, what it may read and where it writes."""

    machine: Machine
    who: Who
    argv: list[str]
    stdin: str
    out: Callable[[str], None]
    err: Callable[[str], None]

    @property
    def args(self) -> list[str]:
        return self.argv[1:]

    @property
    def tree(self) -> Tree:
        return self.machine.tree

    @property
    def state(self) -> HostState:
        return self.machine.state

    def fail(self, text: str, status: int = 1) -> int:
        self.err(text if text.endswith("\n") else f"{text}\n")
        return status

    def again(self, argv: list[str], who: Who | None = None) -> Call:
        return replace(self, argv=argv, who=who or self.who)

    def value(self, flag: str, default: str = "") -> str:
        """The word behind a flag."""
        return self.argv[self.argv.index(flag) + 1] if flag in self.argv[:-1] else default


Program = Callable[[Call], Awaitable[int]]


@dataclass(frozen=True)
class Entry:
    run: Program
    path: str
    package: str  # empty: always there
    root: bool  # only root may run it


PROGRAMS: dict[str, Entry] = {}


def program(name: str, path: str = "", *, package: str = "", root: bool = False) -> Callable[[Program], Program]:
    def register(run: Program) -> Program:
        PROGRAMS[name] = Entry(run, path or f"/usr/bin/{name}", package, root)
        return run

    return register


async def execute(call: Call) -> int:
    """Run one argv. What the model does not know is recorded and ends with 127, never passed over in silence."""
    name = call.argv[0] if call.argv else ""
    entry = PROGRAMS.get(name.rsplit("/", 1)[-1])
    if entry is None or ("/" in name and name != entry.path):
        call.machine.unknown.append(shlex.join(call.argv))
        return call.fail(f"bash: line 1: {name}: command not found", NOT_FOUND)
    if entry.package and entry.package not in call.state.installed:
        return call.fail(f"bash: line 1: {name}: command not found", NOT_FOUND)
    if entry.root and call.who.name != "root":
        return call.fail(f"{name}: Permission denied (you must be root)")
    try:
        return await entry.run(call)
    except OSError as error:
        return call.fail(f"{name}: '{error.filename}': {error.strerror}")


async def unknown(call: Call) -> int:
    """A known program with words the model does not know."""
    call.machine.unknown.append(shlex.join(call.argv))
    return call.fail(f"{call.argv[0]}: this use is not modelled: {shlex.join(call.args)}", NOT_FOUND)
