"""The running half of a host: how its container is started, and how it is asked to end.

The process tree is launcher -> systemd-nspawn -> the host's own init, all in the host's control group.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from sandbox.hosts import machine_cgroups as cgroups
from sandbox.hosts.machine_disk import Disk
from sandbox.hosts.machine_tools import HostError, command, save
from sandbox.hosts.network import NETNS

PROGRAM = Path(__file__).with_name("machine_launch.py")
# Docker needs ten seconds for a container that ignores SIGTERM, and systemd twenty for a service that does.
STOP_TIMEOUT = 45.0
START_TIMEOUT = 10.0


def plan(disk: Disk, group: str) -> dict[str, object]:
    """What machine_launch.py is told."""
    folder = disk.folder
    # CAP_NET_ADMIN and the three calls are what ufw and Docker need; a namespace given by path brings neither.
    powers = ["--capability=CAP_NET_ADMIN", "--system-call-filter=add_key keyctl bpf"]
    quiet = ["--quiet", "--keep-unit", "--register=no", "--link-journal=no", "--resolv-conf=off", "--timezone=off"]
    place = [f"--directory={disk.root}", f"--machine={group}", f"--network-namespace-path={NETNS / group}"]
    return {
        "argv": ["systemd-nspawn", "--boot", *quiet, *powers, *place, *disk.binds()],
        # Writable network settings only: with "1" a guest's sysctls would reach this machine.
        "env": {"SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"},
        "groups": [str(path) for path in cgroups.groups(group, cgroups.LAUNCHER)],
        "machine_groups": [str(path) for path in cgroups.groups(group, cgroups.MACHINE)],
        "pid_file": str(folder / "launcher.pid"),
        "ended_file": str(folder / "ended"),
        "console": str(folder / "console.log"),
    }


async def boot(disk: Disk, group: str) -> None:
    """Start the container and return once it is in its group; its init may still be at its beginning."""
    folder = disk.folder
    ended(folder).unlink(missing_ok=True)
    await asyncio.to_thread(save, folder / "plan.json", plan(disk, group))
    # Forked away from us, so that neither our end nor our event loop's takes the host along.
    await command("setsid", "--fork", sys.executable, "-S", "-E", PROGRAM, folder / "plan.json")
    if (
        not await _until(lambda: cgroups.alive(group) or ended(folder).exists(), START_TIMEOUT)
        or ended(folder).exists()
    ):
        raise HostError(f"{folder.name} does not start: {console(folder)[-600:]}")


async def shut_down(folder: Path, group: str) -> None:
    """Press the power button, wait, and pull the plug of what does not end."""
    running = cgroups.processes(group)
    with contextlib.suppress(OSError, ValueError):
        launcher = int((folder / "launcher.pid").read_text())
        # A number in a file may be anyone's by now; only a process of this host is ever signalled.
        if launcher in running:
            os.kill(launcher, signal.SIGTERM)
            await _until(lambda: not cgroups.alive(group), STOP_TIMEOUT)
    await cgroups.kill(group)


def ended(folder: Path) -> Path:
    """Exists when the host switched itself off."""
    return folder / "ended"


def console(folder: Path) -> str:
    with contextlib.suppress(FileNotFoundError):
        return (folder / "console.log").read_text(errors="replace")
    return ""


async def _until(told: Callable[[], bool], seconds: float) -> bool:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while True:
        if told():
            return True
        if loop.time() > end:
            return False
        await asyncio.sleep(0.02)
