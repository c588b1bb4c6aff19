"""Which process is ours: a pid file names the pid and the moment of its birth, so a reused pid is never ours."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from sandbox.stack.layout import write_private

LOOK = 0.05  # seconds between two looks at a process that is not our child
KILLED = 10.0  # seconds until a killed process has to be gone


@dataclass(frozen=True)
class ProcessRecord:
    """`born` is opaque: equal only for one and the same process of one boot of this machine."""

    pid: int
    born: str
    stop_signal: int = signal.SIGTERM
    grace: float = 10.0
    order: int = 0  # of the start; a later one is stopped earlier

    def save(self, path: Path) -> None:
        write_private(path, json.dumps(asdict(self)))

    @classmethod
    def load(cls, path: Path) -> ProcessRecord | None:
        try:
            found = json.loads(path.read_text())
            numbers = int(found["stop_signal"]), float(found["grace"]), int(found["order"])
            return cls(int(found["pid"]), str(found["born"]), *numbers)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @property
    def alive(self) -> bool:
        return self.born != "" and birth(self.pid) == self.born

    def send(self, number: int) -> None:
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def birth(pid: int) -> str:
    """When a living process was started; empty when there is none (or only its remains)."""
    stat = Path(f"/proc/{pid}/stat")
    if stat.parent.parent.joinpath("self").exists():
        try:
            # The command's name may hold spaces and brackets; fields are counted after its last bracket.
            fields = stat.read_text().rpartition(")")[2].split()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        except OSError:
            return ""
        return "" if fields[0] in "ZX" else f"{boot}:{fields[19]}"
    shown = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return shown.stdout.strip()


def record(pid: int, stop_signal: int = signal.SIGTERM, grace: float = 10.0, order: int = 0) -> ProcessRecord:
    return ProcessRecord(pid, birth(pid), stop_signal, grace, order)


def leftovers(folder: Path) -> dict[str, ProcessRecord]:
    """Parts a killed supervisor left running, in the order to stop them; other pid files are removed."""
    found: dict[str, ProcessRecord] = {}
    for path in folder.glob("*.json"):
        known = ProcessRecord.load(path)
        if known is not None and known.alive:
            found[path.stem] = known
        else:
            path.unlink(missing_ok=True)
    return dict(sorted(found.items(), key=lambda item: item[1].order, reverse=True))


async def stop(known: ProcessRecord) -> None:
    """Ask it to end, wait its grace, then end it. Never touches a process that is not the recorded one."""
    known.send(known.stop_signal)
    if not await gone(known, known.grace):
        known.send(signal.SIGKILL)
        await gone(known, KILLED)


async def gone(known: ProcessRecord, seconds: float) -> bool:
    """Wait until it has ended; False if it still lives after that long."""
    for _ in range(int(seconds / LOOK)):
        if not known.alive:
            return True
        await asyncio.sleep(LOOK)
    return not known.alive
