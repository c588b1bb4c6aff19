"""`python -m sandbox.stack --events FD`: the supervisor on its own, telling whoever waits at the pipe's other end."""

from __future__ import annotations

import argparse
import asyncio
import sys

from sandbox.stack.layout import Layout
from sandbox.stack.reports import Pipe, Reports
from sandbox.stack.up import up


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox.stack")
    parser.add_argument("--events", type=int, required=True, help="descriptor of the pipe to report to")
    return asyncio.run(up(Layout.from_environment(), Reports(Pipe(parser.parse_args().events))))


if __name__ == "__main__":
    sys.exit(main())
