"""Edited copies of the source: what would happen if somebody wrote it otherwise. The working tree is never touched."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
NEEDED = (
    "activities",
    "api",
    "db",
    "deploy",
    "domain",
    "portal",
    "providers",
    "sandbox",
    "tests",
    "workers",
    "workflows",
)
FILES = ("cli.py", "pyproject.toml", "settings.py", "telemetry.py", "temporal.py")
_IGNORED = shutil.ignore_patterns("__pycache__", "node_modules", "*.egg-info")


@dataclass(frozen=True)
class Edit:
    """A named change: `search` must stand in `file` exactly once, so that it cannot rot unseen."""

    name: str
    file: str
    search: str
    replace: str

    def apply(self, root: Path) -> None:
        path = root / self.file
        text = path.read_text()
        if (found := text.count(self.search)) != 1:
            raise ValueError(f"{self.name}: its text stands {found} times in {self.file}; bring the edit up to date")
        path.write_text(text.replace(self.search, self.replace))


def copy_to(place: Path, *edits: Edit) -> Path:
    """A copy of everything the tests need, with the edits made; the virtual environment is shared."""
    for name in NEEDED:
        shutil.copytree(ROOT / name, place / name, ignore=_IGNORED, symlinks=True)
    for name in FILES:
        shutil.copy2(ROOT / name, place / name)
    (place / ".venv").symlink_to(ROOT / ".venv")
    for edit in edits:
        edit.apply(place)
    return place


def run_in(place: Path, *words: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
    """`python words…` with the copy's code and none of this tree's."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    environment |= {"PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *words],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
