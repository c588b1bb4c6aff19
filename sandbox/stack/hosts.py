"""Which hosts the sandbox cloud gives birth to: real Debian machines where this machine can, else emulated ones."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sandbox.lab import missing
from sandbox.lab.checks import machine_lacks
from sandbox.stack.layout import PROJECT, Layout, StackError, write_json

Kind = Literal["machine", "emulated"]


@dataclass(frozen=True)
class Choice:
    kind: Kind
    why: str
    demanded: bool = False


def choose(layout: Layout) -> Choice:
    """HOSTS=auto|machine|emulated; a state folder stays with what it began with, for its servers are of that kind."""
    wanted, before = os.environ.get("HOSTS") or "auto", _before(layout)
    if wanted not in ("auto", "machine", "emulated"):
        raise StackError(f"HOSTS={wanted} is not one of auto, machine, emulated")
    if before is not None and wanted not in ("auto", before):
        raise StackError(
            f"The servers in {layout.root} are {before} hosts: start without HOSTS={wanted}, "
            "or with another SLIPWAY_STATE_DIR, or `make clean` first"
        )
    if "emulated" in (wanted, before):
        return Choice("emulated", "HOSTS=emulated" if wanted == "emulated" else "as this state folder began")
    lacks = machine_lacks()
    if not lacks:
        return Choice("machine", "root on Linux", demanded="machine" in (wanted, before))
    if "machine" in (wanted, before):
        raise StackError("Real hosts are not possible here: " + " ".join(lacks))
    return Choice("emulated", lacks[0])


def without_lab(choice: Choice, error: StackError) -> Choice:
    """What to do when the lab could not be prepared: emulate, unless real hosts were demanded."""
    if choice.demanded:
        raise error
    return Choice("emulated", "the lab could not be prepared")


def remember(layout: Layout, choice: Choice) -> None:
    write_json(layout.root / "hosts.json", {"kind": choice.kind})


def _before(layout: Layout) -> Kind | None:
    kind = layout.read_json(layout.root / "hosts.json").get("kind")
    return kind if kind in ("machine", "emulated") else None


async def prepare(progress: Callable[[str], None]) -> None:
    """Make what the real hosts need, once; its own process, so that Ctrl-C ends it cleanly between two parts."""
    if not await asyncio.to_thread(missing):
        return
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sandbox.lab", "prepare", cwd=PROJECT, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    lines: list[str] = []
    try:
        if process.stdout is not None:
            async for line in process.stdout:
                lines.append(line.decode(errors="replace").rstrip())
                progress(lines[-1])
        status = await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    if status:
        end = "\n".join(lines[-15:])
        raise StackError(f"The lab could not be prepared (HOSTS=emulated does without it):\n{end}")
