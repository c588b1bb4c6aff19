"""Ports: the public ones are asked for, the inner ones are chosen once and kept; who sits on a taken one is told."""

from __future__ import annotations

import os
import random
import socket
from pathlib import Path

from sandbox.stack.layout import Layout, StackError, write_json

# Below Linux' range for outgoing connections: one of those could sit on a kept port when its part restarts.
INNER = range(20_000, 32_000)
LISTEN = "0A"


def is_free(port: int, address: str = "127.0.0.1") -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def from_environment(variable: str, default: int) -> int:
    text = os.environ.get(variable) or str(default)
    if not text.isdigit() or not 0 < int(text) < 65_536:
        raise StackError(f"{variable}={text} is not a port number")
    return int(text)


def require_free(port: int, what: str, variable: str) -> None:
    """Raise the one sentence that says which port is taken, by whom, and how to choose another."""
    if is_free(port):
        return
    who = holder(port)
    by = f" by {who}" if who else ""
    raise StackError(f"Port {port} for {what} is taken{by}; free it, or choose another: {variable}={port + 10} make up")


def holder(port: int) -> str:
    """Name and pid of the process that listens on a port, where this machine lets us see it."""
    sockets = _listening_sockets(port)
    for folder in Path("/proc").glob("[0-9]*/fd"):
        try:
            if any(os.readlink(entry) in sockets for entry in folder.iterdir()):
                return f"{(folder.parent / 'comm').read_text().strip()} (process {folder.parent.name})"
        except OSError:
            continue  # it ended meanwhile, or belongs to somebody else
    return ""


def _listening_sockets(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            if fields[3] == LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(f"socket:[{fields[9]}]")
    return found


class Ports:
    """Inner ports by name, kept in ports.json; one that somebody took meanwhile is chosen anew at the next start."""

    def __init__(self, layout: Layout) -> None:
        self._file = layout.root / "ports.json"
        self._kept = {name: int(port) for name, port in layout.read_json(self._file).items()}
        self._given: set[int] = set()

    def get(self, name: str) -> int:
        port = self._kept.get(name, 0)
        while port == 0 or port in self._given or not is_free(port):
            port = random.choice(INNER)
        self._given.add(port)
        if self._kept.get(name) != port:
            self._kept[name] = port
            write_json(self._file, dict(self._kept))
        return port
