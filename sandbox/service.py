"""How a server of the sandbox is run: a value that builders return and a supervisor starts and watches."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class ServiceSpec:
    """One program. It is ready when `ready`, a (host, port) or a URL, answers."""

    name: str
    argv: list[str]
    ready: tuple[str, int] | str
    log_path: Path
    env: dict[str, str] = field(default_factory=dict)
    cwd: Path | None = None
