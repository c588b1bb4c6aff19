"""The process beside each host: starts its container, starts it again when the host rebooted, passes SIGTERM on.

It runs in a session and in control groups of its own, so that a host outlives whoever started it. Standard library
only: it is run by path, without the repository on its path. Argument: a JSON file with `argv`, `env`, `groups`
(of this process), `machine_groups` (of the container), `pid_file`, `ended_file` and `console`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from types import FrameType

# What systemd-nspawn exits with when the machine inside asked to be rebooted.
REBOOT = 133


def enter(groups: list[str]) -> None:
    for group in groups:
        with open(f"{group}/cgroup.procs", "w") as processes:
            processes.write(str(os.getpid()))


def main() -> int:
    with open(sys.argv[1]) as file:
        plan = json.load(file)
    console = os.open(plan["console"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    os.dup2(console, 1)
    os.dup2(console, 2)
    os.close(console)
    with open(plan["pid_file"], "w") as file:
        file.write(str(os.getpid()))
    enter(plan["groups"])

    child: subprocess.Popen[bytes] | None = None
    stopping = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        if child is not None:
            child.terminate()

    signal.signal(signal.SIGTERM, stop)
    while True:
        child = subprocess.Popen(
            plan["argv"],
            stdin=subprocess.DEVNULL,
            env={**os.environ, **plan["env"]},
            preexec_fn=lambda: enter(plan["machine_groups"]),
        )
        # A SIGTERM that came while there was no child yet is not lost.
        if stopping:
            child.terminate()
        code = child.wait()
        print(f"[launcher] container ended with {code}", flush=True)
        if stopping:
            return 0
        if code != REBOOT:
            # The host switched itself off; the next opening of the sandbox must not switch it on again.
            with open(plan["ended_file"], "w") as file:
                file.write(str(code))
            return 0


if __name__ == "__main__":
    sys.exit(main())
