"""The house rules, executable: who may import whom, file sizes, purity of workflows, docstrings of activities."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("domain", "providers", "db", "activities", "workflows", "api", "portal", "workers", "sandbox")
MODULES = ("settings", "temporal", "telemetry", "cli")
OURS = {*PACKAGES, *MODULES, "deploy", "bench", "tests"}

ALLOWED: dict[str, set[str]] = {
    "domain": {"domain"},
    "providers": {"domain", "providers"},
    "db": {"domain", "db"},
    "activities": {"domain", "providers", "db", "activities"},
    "workflows": {"domain", "workflows", "activities"},
    "api": {"domain", "workflows", "db", "api", "settings", "temporal", "telemetry"},
    "portal": {"portal"},
    "workers": {"domain", "workflows", "activities", "providers", "db", "workers", "settings", "temporal", "telemetry"},
    "sandbox": {"sandbox", "domain", "db", "api", "workers", "settings", "temporal", "telemetry"},
    "settings": set(),
    "temporal": {"db", "settings"},
    "telemetry": {"settings"},
    "cli": OURS - {"tests", "bench"},
}
# Verifying a payment service's message, or a certificate with its key, is pure code: no call is made, so the front
# door may do it.
PURE_PROVIDERS = {
    "providers.acme.csr", "providers.acme.pairs", "providers.errors", "providers.payments.events",
    "providers.payments.facts", "providers.payments.objects", "providers.payments.webhook",
}  # fmt: skip
EXCEPTIONS: dict[str, set[str]] = {
    "api/uploads.py": {"providers.acme.pairs", "providers.errors"},
    "api/payments.py": {"providers.payments.facts", "providers.payments.webhook"},
}
# What a package must never load from outside, and why its docstring says so.
FORBIDDEN: dict[str, set[str]] = {
    "domain": {"sqlalchemy", "httpx", "asyncssh", "fastapi", "psycopg", "os", "time", "random", "uuid", "asyncio"},
    "providers": {"temporalio", "sqlalchemy", "psycopg", "fastapi"},
    "db": {"temporalio", "httpx", "asyncssh", "fastapi"},
    "workflows": {"os", "time", "random", "uuid", "httpx", "asyncssh", "sqlalchemy", "threading", "subprocess"},
    "activities": {"fastapi"},
}
MAX_LINES = 400


def tracked(pattern: str) -> list[Path]:
    out = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", pattern],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return [ROOT / line for line in out.splitlines() if (ROOT / line).exists()]


SOURCES = [path for path in tracked("*.py") if path.relative_to(ROOT).parts[0] not in ("tests", "bench", "deploy")]


def home(path: Path) -> str:
    part = path.relative_to(ROOT).parts[0]
    return part.removesuffix(".py")


def imports(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


def modules(tree: ast.AST) -> set[str]:
    """The modules that a file names, in full."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            files = {one for one in inner if (ROOT / f"{one.replace('.', '/')}.py").exists()}
            found |= files or {node.module}
    return found


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


class TestImports:
    @pytest.mark.parametrize("path", SOURCES, ids=name)
    def test_imports_run_one_way(self, path: Path) -> None:
        where = home(path)
        assert where in ALLOWED, f"{where} has no rule; add it to ALLOWED with a reason"
        excepted = EXCEPTIONS.get(name(path), set())
        found = {top for module in modules(parse(path)) - excepted if (top := module.split(".")[0]) in OURS}
        wrong = found - ALLOWED[where] - {where}
        assert not wrong, f"{where} must not import {sorted(wrong)}"

    @pytest.mark.parametrize("module", sorted(PURE_PROVIDERS))
    def test_what_the_front_door_may_use_of_providers_calls_nobody(self, module: str) -> None:
        assert set().union(*EXCEPTIONS.values()) <= PURE_PROVIDERS
        found = modules(parse(ROOT / f"{module.replace('.', '/')}.py"))
        ours = {one for one in found if one.split(".")[0] in OURS and not one.startswith("domain.")}
        assert ours <= PURE_PROVIDERS
        assert not {one.split(".")[0] for one in found} & {"httpx", "asyncssh", "socket", "asyncio", "subprocess"}

    @pytest.mark.parametrize("path", [p for p in SOURCES if home(p) in FORBIDDEN], ids=name)
    def test_packages_stay_free_of_what_they_must_not_know(self, path: Path) -> None:
        wrong = imports(parse(path)) & FORBIDDEN[home(path)]
        assert not wrong, f"{home(path)} must not use {sorted(wrong)}"

    @pytest.mark.parametrize("path", [p for p in SOURCES if home(p) not in ("sandbox", "settings", "cli")], ids=name)
    def test_only_settings_reads_the_environment(self, path: Path) -> None:
        reads = [
            node.lineno
            for node in ast.walk(parse(path))
            if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
        ]
        assert not reads, f"the environment is read at lines {reads}; settings.py is the one reader"


class TestShape:
    @pytest.mark.parametrize("path", SOURCES, ids=name)
    def test_files_stay_small_and_say_what_they_are_for(self, path: Path) -> None:
        text = path.read_text()
        lines = text.count("\n")
        assert lines <= MAX_LINES, f"{lines} lines; split it by subject"
        if lines > 3:
            assert ast.get_docstring(ast.parse(text)), "a module says in its docstring what it is for"

    def test_no_unfinished_marks(self) -> None:
        marks = ("TO" + "DO", "FIX" + "ME", "XX" + "X", "NotImplemented" + "Error")
        wrong = [name(path) for path in SOURCES if any(mark in path.read_text() for mark in marks)]
        assert not wrong

    def test_no_shell_is_ever_built(self) -> None:
        wrong = [
            f"{name(path)}:{node.lineno}"
            for path in SOURCES
            for node in ast.walk(parse(path))
            if isinstance(node, ast.keyword) and node.arg == "shell" and getattr(node.value, "value", None) is True
        ]
        assert not wrong


class TestWorkflows:
    @pytest.mark.parametrize("path", [p for p in SOURCES if home(p) == "workflows"], ids=name)
    def test_workflow_code_asks_nobody_but_temporal_for_the_time(self, path: Path) -> None:
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = node.func.value
                assert not (
                    isinstance(owner, ast.Name) and owner.id in ("datetime", "date") and
                    node.func.attr in ("now", "utcnow", "today")
                ), f"line {node.lineno}: use workflow.now()"  # fmt: skip

    def test_rows_have_one_lane(self) -> None:
        """Two local activities in flight are not replayed in the order they came; `_rows.py` says more."""
        users = [name(p) for p in SOURCES if home(p) == "workflows" and "execute_local_activity" in p.read_text()]
        assert users == ["workflows/_rows.py"]

    def test_every_remote_activity_has_options(self) -> None:
        from workers.pools import POOLS
        from workflows._options import ACTIVITIES

        remote = {
            node.name
            for path in SOURCES
            if home(path) == "activities" and not path.name.endswith(("records.py", "sweeps.py", "deliveries.py"))
            for node in ast.walk(parse(path))
            if isinstance(node, ast.AsyncFunctionDef) and is_activity(node)
        }
        assert remote == set(ACTIVITIES)
        assert {pool.name for pool in POOLS.values()} == set(POOLS)


def is_activity(node: ast.AsyncFunctionDef) -> bool:
    return any("activity.defn" in ast.unparse(decorator) for decorator in node.decorator_list)


class TestActivities:
    @pytest.mark.parametrize("path", [p for p in SOURCES if home(p) == "activities"], ids=name)
    def test_docstrings_say_effect_idempotency_undo_heartbeat(self, path: Path) -> None:
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.AsyncFunctionDef) and is_activity(node):
                text = ast.get_docstring(node) or ""
                for word in ("Effect:", "Idempotency:", "Undo:", "Heartbeat:"):
                    assert word in text, f"{node.name} does not say its {word}"
