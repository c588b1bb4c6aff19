"""What each workflow's code would command, as hashes of its source without what a replay never looks at.

A recorded history catches a breaking edit only on the ways that were recorded; this catches it on all. Left out of the
hash: comments, docstrings, annotations, names of local variables, sentences, durations and timeouts. What stays is what
decides which commands come in which order: steps, activities by the name they are registered under, conditions, waits,
tasks. Not followed out of `workflows/`: `_options.py` (queues, timeouts and retries are not matched by a replay) and
`domain/` (its values are arguments). docs/decisions/0007-replay-gate.md says why.
"""

from __future__ import annotations

import ast
import copy
import hashlib
import json
import re
from pathlib import Path

HERE = Path(__file__).parent
FILE = HERE / "fingerprints.json"
ROOT = HERE.parent.parent
ADVICE = (
    "runs that are under way might not be able to go on with this code: keep the old commands behind "
    "workflow.patched(), or, before anything runs in production, record anew with `make record`"
)

Fingerprints = dict[str, dict[str, str]]  # workflow -> function -> hash
Function = ast.FunctionDef | ast.AsyncFunctionDef

_NOT_FOLLOWED = {"_options", "__init__"}
_IDENTIFIER = re.compile(r"[a-z0-9_]*")
# Arguments that say how long or why; a replay matches none of them.
_QUIET_ARGUMENT = re.compile(r".*(_timeout|summary|message|retry_policy)")
_QUIET_CALLS = {"timedelta"}
_TEXT = ast.Constant("…")


class _Skeleton(ast.NodeTransformer):
    """Drops what a replay never sees and gives local variables the order of their appearance for a name."""

    def __init__(self, activities: dict[str, str]) -> None:
        self._activities = activities
        self._locals: dict[str, str] = {}

    def function(self, node: Function) -> str:
        node = copy.deepcopy(node)
        for inner in ast.walk(node):
            if isinstance(inner, ast.arg):
                self._local(inner.arg)
            elif isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                self._local(inner.id)
            elif isinstance(inner, ast.ExceptHandler) and inner.name:
                self._local(inner.name)
        return _canonical(self.visit(node))

    def _local(self, name: str) -> None:
        if name not in ("self", "cls"):
            self._locals.setdefault(name, f"v{len(self._locals)}")

    def _visit_function(self, node: Function) -> ast.AST:
        node.returns = None
        node.body = [line for line in node.body if not _is_text(line)] or [ast.Pass()]
        return self.generic_visit(node)

    visit_FunctionDef = visit_AsyncFunctionDef = _visit_function

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg(self._locals.get(node.arg, node.arg))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is None:
            return ast.Pass()
        return self.visit(ast.copy_location(ast.Assign([node.target], node.value), node))

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        node.name = self._locals.get(node.name or "", node.name)
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(self._locals.get(node.id, node.id), node.ctx)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if isinstance(node.value, ast.Name) and (known := self._activities.get(f"{node.value.id}.{node.attr}")):
            return ast.Constant(f"activity {known}")
        return self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return _TEXT

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        sentence = isinstance(node.value, str) and not _IDENTIFIER.fullmatch(node.value)
        return _TEXT if sentence else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in _QUIET_CALLS:
            return _TEXT
        node.keywords = [one for one in node.keywords if not _QUIET_ARGUMENT.fullmatch(one.arg or "")]
        for one in node.keywords:
            # Whether a condition has a timeout decides whether there is a timer; how long it is does not.
            if one.arg == "timeout" and not (isinstance(one.value, ast.Constant) and one.value.value is None):
                one.value = _TEXT
        return self.generic_visit(node)


def _canonical(node: object) -> str:
    """Like ast.dump, but the same in every Python: fields that are empty or decide nothing are left out."""
    if isinstance(node, ast.AST):
        fields = [
            f"{name}={_canonical(value)}"
            for name, value in ast.iter_fields(node)
            if value not in (None, []) and name not in ("ctx", "type_comment", "kind")
        ]
        return f"{type(node).__name__}({', '.join(fields)})"
    if isinstance(node, list):
        return f"[{', '.join(map(_canonical, node))}]"
    return repr(node)


def _is_text(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)


def of_source(root: Path = ROOT) -> Fingerprints:
    """The fingerprints of every `@workflow.defn` under `root`, function by function."""
    names = _activity_names(root)
    definitions: dict[tuple[str, str], ast.ClassDef | Function] = {}
    known: dict[str, dict[str, tuple[str, str]]] = {}  # module -> name as it is written there -> where it is defined
    for path in sorted((root / "workflows").glob("*.py")):
        if path.stem not in _NOT_FOLLOWED:
            known[path.stem] = _names(path.stem, ast.parse(path.read_text()), definitions)
    found: Fingerprints = {}
    for (module, name), node in definitions.items():
        if isinstance(node, ast.ClassDef) and _decorated(node, "workflow.defn"):
            parts: dict[str, str] = {}
            for where in _reached((module, name), definitions, known):
                parts |= _hashes(where[1], definitions[where], names)
            registered = _name_given(node, "workflow.defn") or name
            found[registered] = dict(sorted(parts.items()))
    return found


def _names(
    module: str, tree: ast.Module, definitions: dict[tuple[str, str], ast.ClassDef | Function]
) -> dict[str, tuple[str, str]]:
    """What a module's names mean: its own classes and functions, and those it takes from other workflow modules."""
    seen: dict[str, tuple[str, str]] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            definitions[module, node.name] = node
            seen[node.name] = (module, node.name)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("workflows."):
            source = (node.module or "").removeprefix("workflows.")
            seen |= {alias.asname or alias.name: (source, alias.name) for alias in node.names}
    return seen


def _reached(
    start: tuple[str, str], definitions: dict[tuple[str, str], ast.ClassDef | Function],
    known: dict[str, dict[str, tuple[str, str]]],
) -> list[tuple[str, str]]:  # fmt: skip
    """A workflow, its bases, and everything of `workflows/` that any of them names."""
    order, todo = [], [start]
    while todo:
        here = todo.pop()
        if here in order or here not in definitions:
            continue
        order.append(here)
        used = {node.id for node in ast.walk(definitions[here]) if isinstance(node, ast.Name)}
        todo += [known[here[0]][name] for name in sorted(used) if name in known[here[0]]]
    return order


def _hashes(name: str, node: ast.ClassDef | Function, activities: dict[str, str]) -> dict[str, str]:
    if not isinstance(node, ast.ClassDef):
        return {name: _hash(_Skeleton(activities).function(node))}
    methods = [item for item in node.body if isinstance(item, Function)]
    rest = [line for line in node.body if not isinstance(line, Function) and not _is_text(line)]
    # The rest of a class: its bases and class variables, such as whether it can be rolled back.
    values = [line for line in rest if not (isinstance(line, ast.AnnAssign) and line.value is None)]
    found = {name: _hash(_canonical([*node.bases, *values]))}
    return found | {f"{name}.{one.name}": _hash(_Skeleton(activities).function(one)) for one in methods}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _activity_names(root: Path) -> dict[str, str]:
    """`HostActivities.await_ssh` -> the name it is registered under."""
    return {
        f"{owner.name}.{method.name}": _name_given(method, "activity.defn") or method.name
        for path in sorted((root / "activities").glob("*.py"))
        for owner in ast.parse(path.read_text()).body
        if isinstance(owner, ast.ClassDef)
        for method in owner.body
        if isinstance(method, Function) and _decorated(method, "activity.defn")
    }


def _decorated(node: ast.ClassDef | Function, with_what: str) -> bool:
    return any(ast.unparse(one).startswith(with_what) for one in node.decorator_list)


def _name_given(node: ast.ClassDef | Function, decorator: str) -> str | None:
    for one in node.decorator_list:
        if isinstance(one, ast.Call) and ast.unparse(one.func) == decorator:
            for keyword in one.keywords:
                if keyword.arg == "name" and isinstance(keyword.value, ast.Constant):
                    return str(keyword.value.value)
    return None


def kept(file: Path = FILE) -> Fingerprints:
    return dict(json.loads(file.read_text()))


def keep(file: Path = FILE, root: Path = ROOT) -> None:
    file.write_text(json.dumps(of_source(root), indent=1) + "\n")


def changes(before: Fingerprints, now: Fingerprints) -> list[str]:
    """`Provisioning: OperatedRun.step changed`, one a difference."""
    found = []
    for workflow in sorted({*before, *now}):
        old, new = before.get(workflow, {}), now.get(workflow, {})
        for part in sorted({*old, *new}):
            if old.get(part) != new.get(part):
                what = "is new" if part not in old else "is gone" if part not in new else "changed"
                found.append(f"{workflow}: {part} {what}")
    return found
