"""Remove what sandboxes that are gone left behind: running hosts, networks, outdated parts, on request the cache.

Only what carries the lab's own names is touched, and nothing a living process holds.
"""

from __future__ import annotations

import asyncio
import fcntl
import shutil
from pathlib import Path

from sandbox.hosts import machine_cgroups, network
from sandbox.lab.paths import RECIPES, Lab
from sandbox.lab.tools import RecipeError, unmount_below


def clean(lab: Lab, everything: bool = False) -> list[str]:
    """Returns the names of what was removed."""
    gone = asyncio.run(network.clear_abandoned())
    if not machine_cgroups.names():
        machine_cgroups.remove_parent()
    if not lab.root.is_dir():
        return gone
    with (lab.root / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RecipeError("the lab is being prepared right now") from None
        current = set() if everything else {lab.part(name) for name in RECIPES}
        for path in sorted(lab.root.iterdir()):
            known = path.name.startswith(".making-") or path.name.rpartition("-")[0] in RECIPES
            if known and path not in current and not _in_use(path):
                unmount_below(path)
                shutil.rmtree(path)
                gone.append(str(path))
    return gone


def _in_use(path: Path) -> bool:
    """Whether a host's disk stands on it: its mount names it as a lower layer."""
    return any(
        f"{path}" in line.split()[3] for line in Path("/proc/mounts").read_text().splitlines() if "lowerdir=" in line
    )
