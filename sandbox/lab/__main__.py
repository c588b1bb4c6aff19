"""`python -m sandbox.lab prepare | check | clean [--all]`."""

from __future__ import annotations

import argparse
import signal
import sys

from sandbox.lab import Lab, missing, prepare
from sandbox.lab.clean import clean
from sandbox.lab.tools import RecipeError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox.lab", description="Real hosts and servers on this machine")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("prepare", help="make, once, all that the lab needs")
    commands.add_parser("check", help="say what keeps the lab from running here")
    cleaning = commands.add_parser("clean", help="remove what dead sandboxes left running, and outdated parts")
    cleaning.add_argument("--all", action="store_true", help="the cache, too")
    chosen = parser.parse_args()
    if chosen.command == "check":
        lacks = missing()
        for line in lacks:
            print(line)
        return 1 if lacks else 0
    # An orderly end: what was half made is unmounted and removed, and a program still at work is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if chosen.command == "prepare":
            prepare(report=lambda line: print(line, flush=True))
        else:
            for line in clean(Lab(), everything=chosen.all):
                print(f"removed {line}")
    except RecipeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
