"""Temporal's development server with a database file, started the way that was measured to be fast and durable."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from sandbox.stack.layout import Layout, StackError
from sandbox.stack.probes import tcp
from sandbox.stack.supervisor import Service

# WAL with synchronous=NORMAL is 2.7 times the throughput of SQLite's defaults; the poll rate takes 400 ms of waiting
# from a run of ten steps. shared/performance.md, lesson 1.
TUNING = [
    "--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=1",
    "--dynamic-config-value", "history.transferProcessorMaxPollRPS=2000",
]  # fmt: skip


def program() -> Path:
    path = Path(sys.executable).parent / "temporal"
    if not path.exists():
        raise StackError(
            f"The Temporal server is missing ({path}): run `make up`, which installs it from the lock file"
        )
    return path


def service(layout: Layout, port: int, ui_port: int) -> Service:
    where = ["--ip", "127.0.0.1", "--port", str(port), "--ui-port", str(ui_port)]
    argv = [str(program()), "server", "start-dev", *where, "--db-filename", str(layout.root / "temporal.db"), *TUNING]
    return Service(
        "temporal", "Temporal", [*argv, "--log-level", "warn", "--log-format", "json"],
        {"PATH": os.environ.get("PATH", ""), "HOME": str(layout.root)},
        ready=tcp("127.0.0.1", port), grace=15,
    )  # fmt: skip
