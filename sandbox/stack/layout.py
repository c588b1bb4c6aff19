"""Where the stack keeps its things on disk. Knows paths and modes, not what is in the files."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
LOG_LIMIT = 20 << 20  # bytes; an older log is moved aside at the next start of its part


class StackError(RuntimeError):
    """Something the person at the keyboard can act on; the message is one sentence for them."""


@dataclass(frozen=True)
class Layout:
    """The state folder: `.slipway` of the checkout, or SLIPWAY_STATE_DIR."""

    root: Path

    @classmethod
    def from_environment(cls) -> Layout:
        return cls(Path(os.environ.get("SLIPWAY_STATE_DIR") or PROJECT / ".slipway").resolve())

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def pids(self) -> Path:
        return self.root / "pids"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def up(self) -> Path:
        """Addresses and sign-in of the running stack; there only while it is ready."""
        return self.root / "up.json"

    @property
    def ca(self) -> Path:
        """Root of the CA whose certificates the sandbox's hosts serve."""
        return self.root / "ca.pem"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def prepare(self) -> None:
        for folder in (self.root, self.logs, self.pids):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)

    def read_json(self, path: Path) -> dict[str, Any]:
        """What a file of ours holds; an absent one is empty, a broken one is named."""
        try:
            found = json.loads(path.read_text())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise StackError(f"{path} is not readable JSON; move it away and start again") from error
        return found if isinstance(found, dict) else {}


def write_private(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file in one step; at no moment is it open to others or half written."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def write_json(path: Path, content: dict[str, Any]) -> None:
    write_private(path, json.dumps(content, indent=2) + "\n")


def last_lines(path: Path, count: int = 12) -> list[str]:
    """The end of a log, for the moment its part did not come up."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 16_384))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    return [line.rstrip() for line in text.splitlines() if line.strip()][-count:]
