"""What the machine driver's parts share: running a program without blocking the loop, and reading the mount table."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any


class HostError(RuntimeError):
    """A program the driver needs refused; the message says which and why."""


async def command(*argv: str | os.PathLike[str], check: bool = True) -> int:
    """Run to the end. A failure raises HostError with what was said, unless `check` is off."""
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    said, _ = await process.communicate()
    if process.returncode and check:
        words = " ".join(os.fspath(word) for word in argv)
        raise HostError(f"{words}: exit {process.returncode}: {said.decode(errors='replace').strip()[-600:]}")
    return process.returncode or 0


def save(path: Path, value: dict[str, Any]) -> None:
    """Write JSON so that a reader, or the next start after a power cut, sees all of it or none."""
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("w") as stream:
        json.dump(value, stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())
    draft.rename(path)


def load(path: Path) -> dict[str, Any] | None:
    with contextlib.suppress(OSError, ValueError):
        value = json.loads(path.read_text())
        if isinstance(value, dict):
            return value
    return None


def mounts_below(folder: Path) -> list[Path]:
    """Mount points at or below `folder`, innermost first."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = Path(line.split()[4].encode().decode("unicode_escape"))
        if point == folder or folder in point.parents:
            found.append(point)
    return sorted(found, key=lambda point: len(point.parts), reverse=True)


async def unmount_below(folder: Path) -> None:
    """Detach everything mounted at or below `folder`; afterwards it may be deleted without reaching anything else."""
    for _ in range(3):
        points = mounts_below(folder)
        if not points:
            return
        for point in points:
            await command("umount", "-l", point, check=False)
    if points := mounts_below(folder):
        raise HostError(f"still mounted: {points[0]}")
