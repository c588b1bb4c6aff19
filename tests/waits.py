"""Every way workflow code may wait, read from its source: a wait is bounded and named, or it is listed with its reason.

It works by permission, not by prohibition: an `await` of anything but our own coroutines and the SDK's calls with their
timeouts is reported, so that a kind of wait nobody thought of is reported too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Wait(NamedTuple):
    """Where it is and what it says: `_steps.py`, `OperatedRun.together`, `await finished`."""

    file: str
    function: str
    text: str
    line: int
    wrong: str

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.file, self.function, self.text)


# The SDK's calls that wait, and the arguments without which they wait for ever or without a name.
_ACTIVITY = {"start_to_close_timeout", "schedule_to_close_timeout"}
NEEDED: dict[str, set[str]] = {
    "wait_condition": {"timeout", "timeout_summary"},
    "sleep": {"summary"},
    **{f"{verb}_activity{kind}": _ACTIVITY for verb in ("execute", "start") for kind in ("", "_class", "_method")},
    **{
        f"{verb}_local_activity{kind}": _ACTIVITY for verb in ("execute", "start") for kind in ("", "_class", "_method")
    },
    **{f"{verb}_child_workflow": {"execution_timeout", "static_summary"} for verb in ("execute", "start")},
    **{f"{verb}_operation": {"schedule_to_close_timeout"} for verb in ("execute", "start")},
}
# Of asyncio and the SDK's namesakes: none of these knows a deadline.
UNBOUNDED = {
    "wait", "wait_for", "as_completed", "gather", "shield", "timeout", "timeout_at", "Event", "Lock", "Condition",
    "Semaphore", "BoundedSemaphore", "Queue", "PriorityQueue", "LifoQueue", "Future", "Barrier", "TaskGroup",
    "create_future",
}  # fmt: skip
# Where options come as a whole: what is known of them is tested by value in test_waits.py.
TABLES = {
    "activity_options(name, self.inputs.provider, self.policy)",
    "activity_options('sweep_inventory', call.provider, RunPolicy())",
    "options",
    "LOCAL",
}


def own_coroutines(sources: Iterable[str]) -> set[str]:
    return {
        node.name
        for source in sources
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.AsyncFunctionDef)
    }


def waits_of(file: str, source: str, own: set[str]) -> list[Wait]:
    """What is wrong with the waits of one file; the empty list where nothing is."""
    finder = _Finder(file, own)
    finder.visit(ast.parse(source))
    return finder.found


class _Finder(ast.NodeVisitor):
    def __init__(self, file: str, own: set[str]) -> None:
        self.file = file
        self.own = own
        self.scope: list[str] = []
        self.found: list[Wait] = []

    def _report(self, node: ast.AST, wrong: str, text: str = "") -> None:
        where = ".".join(self.scope)
        self.found.append(Wait(self.file, where, text or ast.unparse(node), getattr(node, "lineno", 0), wrong))

    def _inside(self, node: ast.ClassDef | Function) -> None:
        self.scope.append(node.name)
        self.generic_visit(node)
        self.scope.pop()

    visit_ClassDef = visit_FunctionDef = visit_AsyncFunctionDef = _inside

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.module == "asyncio" or (node.module == "temporalio.workflow" and any(
                alias.name in NEEDED or alias.name in UNBOUNDED for alias in node.names)):  # fmt: skip
            self._report(node, "import the module, so that its waits can be seen")

    def visit_Await(self, node: ast.Await) -> None:
        awaited = node.value
        if not (isinstance(awaited, ast.Call) and (self._is_own(awaited.func) or self._is_checked(awaited.func))):
            self._report(node, "an await of something that knows no deadline")
        self.generic_visit(node)

    def visit_AsyncWith(self, node: ast.AsyncWith) -> None:
        for item in node.items:
            self._report(node, "waits to enter", f"async with {ast.unparse(item.context_expr)}")
        self.generic_visit(node)

    def visit_AsyncFor(self, node: ast.AsyncFor) -> None:
        self._report(node, "waits for each", f"async for … in {ast.unparse(node.iter)}")
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
            module, name = node.func.value.id, node.func.attr
            if module == "workflow" and name in NEEDED:
                self._check_arguments(node, name)
            elif module in ("asyncio", "workflow") and name in UNBOUNDED:
                self._report(node, f"{module}.{name} knows no deadline")
            elif module == "asyncio" and name == "sleep":
                self._report(node, "use workflow.sleep with a summary: a timer has a name")
        self.generic_visit(node)

    def _check_arguments(self, node: ast.Call, name: str) -> None:
        given = {one.arg for one in node.keywords if not _is_none(one.value)}
        tables = {ast.unparse(one.value) for one in node.keywords if one.arg is None}
        if not (tables & TABLES) and (missing := NEEDED[name] - given):
            self._report(node, f"{name} without {', '.join(sorted(missing))}")

    def _is_own(self, called: ast.expr) -> bool:
        if isinstance(called, ast.Name):
            return called.id in self.own
        root: ast.expr = called
        while isinstance(root, ast.Attribute):
            root = root.value
        return isinstance(called, ast.Attribute) and isinstance(root, ast.Name) and root.id == "self" and (
            called.attr in self.own)  # fmt: skip

    def _is_checked(self, called: ast.expr) -> bool:
        """Their arguments are looked at in visit_Call."""
        return isinstance(called, ast.Attribute) and ast.unparse(called.value) in ("workflow", "asyncio") and (
            called.attr in NEEDED or called.attr in UNBOUNDED)  # fmt: skip


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def of_folder(folder: Path) -> list[Wait]:
    sources = {path.name: path.read_text() for path in sorted(folder.glob("*.py"))}
    own = own_coroutines(sources.values())
    return [wait for name, source in sources.items() for wait in waits_of(name, source, own)]
