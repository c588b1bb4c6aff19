"""Real parts a test may need. A missing one is named in one line and skipped; SLIPWAY_REQUIRE_PARTS=1 forbids that."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def _lab() -> str | None:
    from sandbox.lab import missing

    gaps = missing()
    return f"the lab is not ready: {gaps[0]}" if gaps else None


def _pdns() -> str | None:
    return None if shutil.which("pdns_server") else "pdns_server is not installed"


def _pebble() -> str | None:
    from sandbox.lab import Lab

    if shutil.which("pebble") or Path(Lab().pebble).exists():
        return None
    return "Pebble is not installed"


def _chromium() -> str | None:
    return None if Path("/usr/bin/chromium").exists() else "chromium is not installed"


def _postgres() -> str | None:
    from tests.postgres import find_bin

    return None if find_bin() else "no PostgreSQL server is installed"


def _docker_compose() -> str | None:
    done = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False) if (
        shutil.which("docker")) else None  # fmt: skip
    return None if done is not None and done.returncode == 0 else "docker compose v2 is not installed"


PARTS = {
    "lab": _lab,
    "pdns": _pdns,
    "pebble": _pebble,
    "chromium": _chromium,
    "postgres": _postgres,
    "docker_compose": _docker_compose,
}


@cache
def missing(part: str) -> str | None:
    return PARTS[part]()


def require(part: str) -> None:
    """Skip the calling test (or fixture) where `part` is missing, or fail where skipping is forbidden."""
    why = missing(part)
    if why is None:
        return
    if os.environ.get("SLIPWAY_REQUIRE_PARTS") == "1":
        pytest.fail(f"{part} is required here: {why}")
    pytest.skip(why)
