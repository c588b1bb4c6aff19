"""A control group of its own for each host, in every hierarchy of the machine.

Two reasons: without it all containers share `/payload` and their systemds fight over one tree; and whatever is in the
group is the host, so its power state, its sudden death and its clean end are all told by the kernel, not by a pid file.
Works with cgroup v1, v2 and the mix of both.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

from sandbox.hosts.machine_tools import HostError

PARENT = "slipway-lab"
# The launcher stays outside the group of the container: v2 allows no process in a group that has child groups.
LAUNCHER, MACHINE = "launcher", "machine"
KILL_TIMEOUT = 15.0


def hierarchies() -> list[Path]:
    """Mount points of every hierarchy: the controllers of v1 and the unified tree."""
    found = []
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, point, kind, *_ = line.split()
        if kind in ("cgroup", "cgroup2") and point.startswith("/sys/fs/cgroup"):
            found.append(Path(point))
    return found


def groups(name: str, part: str) -> list[Path]:
    return [root / PARENT / name / part for root in hierarchies()]


def names() -> list[str]:
    """Every host that has a group."""
    folders = [root / PARENT for root in hierarchies()]
    return sorted({path.name for folder in folders if folder.is_dir() for path in folder.iterdir() if path.is_dir()})


def prepare(name: str, *, memory_mb: int, cpus: int) -> None:
    """Make a host's groups and limit it to its size, as far as this machine's controllers allow."""
    for root in hierarchies():
        parts = [root / PARENT, root / PARENT / name]
        for folder in [*parts, *(root / PARENT / name / part for part in (LAUNCHER, MACHINE))]:
            if (root / "cgroup.subtree_control").exists():
                for controller in ("cpu", "memory", "pids"):
                    _set(folder.parent / "cgroup.subtree_control", f"+{controller}")
            folder.mkdir(exist_ok=True)
            # A new group of v1's cpuset has no processor at all and takes no process.
            for file in ("cpuset.cpus", "cpuset.mems"):
                if (root / file).exists():
                    _set(folder / file, (root / file).read_text())
        host = root / PARENT / name
        memory, quota = memory_mb * 1024 * 1024, cpus * 100_000
        _set(host / "memory.limit_in_bytes", str(memory))
        _set(host / "memory.max", str(memory))
        if cpus < (os.cpu_count() or 1):
            _set(host / "cpu.cfs_quota_us", str(quota))
            _set(host / "cpu.max", f"{quota} 100000")


def _set(file: Path, value: str) -> None:
    # A controller that is absent or not delegated is a limit less, not a host less.
    if file.exists():
        with contextlib.suppress(OSError):
            file.write_text(value)


def processes(name: str) -> set[int]:
    """Everything that runs in a host, its launcher included."""
    found: set[int] = set()
    for root in hierarchies():
        for folder, _, files in os.walk(root / PARENT / name):
            if "cgroup.procs" in files:
                with contextlib.suppress(OSError):
                    found |= {int(pid) for pid in Path(folder, "cgroup.procs").read_text().split()}
    return found


def alive(name: str) -> bool:
    return bool(processes(name))


async def kill(name: str) -> None:
    """SIGKILL everything in a host at once, again and again until nothing is left."""
    launchers = {pid for folder in groups(name, LAUNCHER) for pid in _listed(folder)}
    loop = asyncio.get_running_loop()
    end = loop.time() + KILL_TIMEOUT
    # The launcher first: it would take the death of its container for one more reboot.
    for pid in launchers:
        _signal(pid)
    while running := processes(name):
        for pid in running:
            _signal(pid)
        if loop.time() > end:
            raise HostError(f"{name}: processes {sorted(running)[:5]} do not die")
        await asyncio.sleep(0.02)


def _listed(folder: Path) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(pid) for pid in (folder / "cgroup.procs").read_text().split()]
    return []


def _signal(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


async def remove(name: str) -> None:
    """Delete the groups of a host that no longer runs."""
    for attempt in range(50):
        busy = False
        for root in hierarchies():
            for folder, _, _ in os.walk(root / PARENT / name, topdown=False):
                try:
                    os.rmdir(folder)
                except FileNotFoundError:
                    continue
                except OSError:
                    busy = True
        if not busy:
            break
        # The kernel lets go of a group a moment after its last process.
        await asyncio.sleep(0.02 * (attempt + 1))


def remove_parent() -> None:
    """Delete the group above all hosts, when there is none; not done with each host, lest another's birth stumbles."""
    for root in hierarchies():
        with contextlib.suppress(OSError):
            (root / PARENT).rmdir()
