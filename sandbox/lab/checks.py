"""Can this machine run the lab? One clear sentence for each thing that stands in the way."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from sandbox.lab.debian import absent_packages
from sandbox.lab.paths import RECIPES, Lab

# Bits of CapEff (capability.h), needed for bridges and namespaces, and for mounts.
CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21}


def machine_lacks() -> list[str]:
    """What no preparation can mend."""
    if not sys.platform.startswith("linux"):
        return ["The lab needs Linux."]
    lacks = []
    if os.geteuid() != 0:
        lacks.append("The lab needs root: it makes network namespaces, mounts and containers.")
    else:
        effective = _effective_capabilities()
        lacks += [
            f"Root here has no {name}: run on a machine or in a privileged container."
            for name, bit in CAPABILITIES.items()
            if not effective >> bit & 1
        ]
    if "overlay" not in Path("/proc/filesystems").read_text().split():
        lacks.append("The kernel has no overlayfs, on which hosts share one base image.")
    if not Path("/proc/self/ns/net").exists():
        lacks.append("The kernel has no network namespaces.")
    if not any(Path("/sys/fs/cgroup").glob("*/cgroup.procs")) and not Path("/sys/fs/cgroup/cgroup.procs").exists():
        lacks.append("No control groups are mounted at /sys/fs/cgroup.")
    if not Path("/usr/bin/apt-get").exists():
        lacks.append("The lab is prepared with apt-get, so it needs Debian or a relative of it.")
    return lacks


def missing(lab: Lab | None = None) -> list[str]:
    """Everything that keeps the lab from running now; empty when it can."""
    lab = lab or Lab()
    lacks = machine_lacks()
    if packages := absent_packages():
        lacks.append(f"This machine lacks the packages {', '.join(packages)}: run `python -m sandbox.lab prepare`.")
    parts = [name for name in RECIPES if not lab.part(name).exists()]
    if parts:
        lacks.append(f"{lab.root} lacks {', '.join(parts)}: run `python -m sandbox.lab prepare`.")
    return lacks


def _effective_capabilities() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0
