"""Small synchronous helpers of the lab's recipe: run a program, stack an overlay, run inside a tree.

Only `prepare` uses these; the drivers, which run while an event loop does, have their own asynchronous ones.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path


class RecipeError(RuntimeError):
    """A stage of the recipe failed; the message carries the end of what the program said."""


def run(
    argv: Sequence[str | os.PathLike[str]], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> str:
    """Run to the end and return what was printed."""
    words = [os.fspath(word) for word in argv]
    done = subprocess.run(
        words,
        cwd=cwd,
        env={**os.environ, **env} if env else None,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise RecipeError(f"{words[0]} exited {done.returncode}: {' '.join(words[:12])}\n{done.stdout[-2500:]}")
    return done.stdout


@contextlib.contextmanager
def overlay(lower: Sequence[Path], upper: Path) -> Iterator[Path]:
    """The tree one gets by writing `upper` over `lower` (topmost first); what is changed inside lands in `upper`."""
    upper.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{upper.name}-", dir=upper.parent) as scratch:
        work, merged = Path(scratch, "work"), Path(scratch, "root")
        work.mkdir()
        merged.mkdir()
        layers = ":".join(str(path) for path in lower)
        options = f"lowerdir={layers},upperdir={upper},workdir={work}"
        run(["mount", "-t", "overlay", "overlay", "-o", options, merged])
        try:
            yield merged
        finally:
            run(["umount", "-l", merged])


def inside(tree: Path, argv: Sequence[str], *, binds: Mapping[Path, str] | None = None) -> str:
    """Run a program in `tree` with clean mounts of its own, all of which vanish with it."""
    extra = [f"--bind-ro={source}:{target}" for source, target in (binds or {}).items()]
    container = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--as-pid2", "--pipe"]
    settings = ["--resolv-conf=bind-host", "--timezone=off", "--setenv=DEBIAN_FRONTEND=noninteractive"]
    return run([*container, *settings, *extra, f"--directory={tree}", *argv])


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def unmount_below(folder: Path) -> None:
    """Detach whatever a killed preparation left mounted below a folder."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for point in sorted((p for p in points if Path(p).is_relative_to(folder)), key=len, reverse=True):
        run(["umount", "-l", point])
