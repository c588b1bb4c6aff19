"""Pebble, a real ACME certificate authority for tests. The newest comes from Debian's unstable suite.

Its programs are static but for libc and run unchanged on the stable suite, so they are unpacked, not installed.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from sandbox.lab.debian import download
from sandbox.lab.tools import run

SUITE = "sid"


def build_pebble(target: Path, scratch: Path) -> None:
    scratch.mkdir(parents=True, exist_ok=True)
    (package,) = download(SUITE, ["pebble"], scratch)
    unpacked = scratch / "unpacked"
    run(["dpkg-deb", "-x", package, unpacked])
    (target / "usr").mkdir(parents=True)
    shutil.copytree(unpacked / "usr/bin", target / "usr/bin")
