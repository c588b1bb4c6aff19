"""The network of one sandbox: a bridge `slw{index}` with 10.77.{index}.0/24, and a namespace with one link per host.

Several sandboxes live side by side: an index belongs to whoever holds the lock on its file, and the kernel drops that
lock when the holder dies. What a dead holder left is taken over by the same state folder, and by nobody else as long
as that folder exists. Everything made here carries the index in its name; nothing else is ever touched.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import re
from pathlib import Path

from sandbox.hosts import machine_cgroups as cgroups
from sandbox.hosts.machine_tools import HostError, command, load, save, unmount_below

RUN = Path("/run/slipway-lab")
NETNS = Path("/run/netns")
INDEXES = range(1, 251)
FIRST_HOST, LAST_HOST = 2, 250


class Network:
    """A claimed index. Everything is idempotent; `release()` gives the index back and keeps nothing running."""

    def __init__(self, index: int, lock: int) -> None:
        self.index = index
        self._lock = lock
        self.bridge = f"slw{index}"
        self.gateway = f"10.77.{index}.1"
        self.subnet = f"10.77.{index}.0/24"

    def address(self, number: int) -> str:
        return f"10.77.{self.index}.{number}"

    def number(self, address: str) -> int:
        """The last octet of an address of this network."""
        prefix, _, last = address.rpartition(".")
        if prefix != f"10.77.{self.index}" or not last.isdigit() or int(last) not in range(FIRST_HOST, LAST_HOST + 1):
            raise ValueError(f"{address} is no host address of {self.subnet}")
        return int(last)

    def mac(self, number: int) -> str:
        # Fixed for an address: with a random one, neighbours keep talking to the dead card for up to 36 s.
        return f"02:77:0a:4d:{self.index:02x}:{number:02x}"

    def namespace(self, number: int) -> str:
        return f"slw{self.index}-{number}"

    def link(self, number: int) -> str:
        return f"slw{self.index}v{number}"

    async def up(self) -> None:
        if not _exists(self.bridge):
            await command("ip", "link", "add", self.bridge, "type", "bridge", "forward_delay", "0")
        await command("ip", "addr", "replace", f"{self.gateway}/24", "dev", self.bridge)
        await command("ip", "link", "set", self.bridge, "up")

    async def attach(self, number: int) -> None:
        """Give host `number` its namespace and its link to the bridge."""
        space, link = self.namespace(number), self.link(number)
        if not (NETNS / space).exists():
            await command("ip", "netns", "add", space)
        if not _exists(link):
            peer = ("peer", "name", "eth0", "address", self.mac(number), "netns", space)
            await command("ip", "link", "add", link, "type", "veth", *peer)
        await command("ip", "link", "set", link, "master", self.bridge, "up")
        await command("ip", "-n", space, "link", "set", "lo", "up")
        await command("ip", "-n", space, "addr", "replace", f"{self.address(number)}/24", "dev", "eth0")
        await command("ip", "-n", space, "link", "set", "eth0", "up")
        await command("ip", "-n", space, "route", "replace", "default", "via", self.gateway)

    async def detach(self, number: int) -> None:
        await _remove_link(self.link(number))
        await _remove_namespace(self.namespace(number))

    async def set_link(self, number: int, state: str) -> None:
        await command("ip", "link", "set", self.link(number), state)

    async def release(self) -> None:
        """Take the bridge down and let the index go."""
        await _remove_link(self.bridge)
        os.close(self._lock)


def _exists(link: str) -> bool:
    return Path("/sys/class/net", link).exists()


async def _remove_link(link: str) -> None:
    if _exists(link):
        await command("ip", "link", "del", link, check=False)


async def _remove_namespace(space: str) -> None:
    if (NETNS / space).exists():
        await command("ip", "netns", "del", space, check=False)


def try_lock(index: int) -> int | None:
    """The open lock file of an index, or nothing while another process holds it."""
    RUN.mkdir(parents=True, exist_ok=True)
    handle = os.open(RUN / f"{index}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


async def claim(state_dir: Path, index: int | None = None) -> Network:
    """The index this state folder had before, or the one asked for, or the first that is free."""
    record = state_dir / "network.json"
    before = (load(record) or {}).get("index")
    wanted = [index] if index is not None else [before] if before is not None else list(INDEXES)
    for number in wanted:
        lock = try_lock(number)
        if lock is None:
            continue
        owner = RUN / f"{number}.json"
        theirs = (load(owner) or {}).get("state_dir")
        if theirs not in (None, str(state_dir)):
            if index is None and before is None and (load(Path(theirs, "network.json")) or {}).get("index") == number:
                os.close(lock)
                continue
            await clear(number, Path(theirs))
        state_dir.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(save, record, {"index": number})
        await asyncio.to_thread(save, owner, {"state_dir": str(state_dir), "pid": os.getpid()})
        return Network(number, lock)
    if len(wanted) == 1:
        holder = (load(RUN / f"{wanted[0]}.json") or {}).get("pid")
        raise HostError(f"network 10.77.{wanted[0]}.0/24 is in use by process {holder}")
    raise HostError("every network from 10.77.1.0/24 to 10.77.250.0/24 is in use")


def leftovers(index: int) -> list[str]:
    """Names of everything of an index that exists now: links, namespaces and cgroups."""
    mine = re.compile(rf"slw{index}(?:v\d+|-\d+)?")
    links = [path.name for path in Path("/sys/class/net").iterdir()]
    spaces = [path.name for path in NETNS.iterdir()] if NETNS.is_dir() else []
    return sorted({name for name in [*links, *spaces, *cgroups.names()] if mine.fullmatch(name)})


async def clear(index: int, state_dir: Path | None = None, keep: frozenset[int] = frozenset()) -> None:
    """Remove what a dead holder of an index left running, but for the hosts numbered in `keep`."""
    for name in leftovers(index):
        tail = re.split(r"[v-]", name.removeprefix("slw"), maxsplit=1)
        if len(tail) == 1 or int(tail[1]) in keep:
            continue
        if "-" in name:
            await cgroups.kill(name)
            await cgroups.remove(name)
            await _remove_namespace(name)
        else:
            await _remove_link(name)
    if not keep:
        await _remove_link(f"slw{index}")
        if state_dir is not None:
            await unmount_below(state_dir)


async def clear_abandoned() -> list[str]:
    """Remove the networks and running hosts of every holder that is gone; their disks stay. Returns what went."""
    gone = []
    for index in INDEXES:
        found = leftovers(index)
        lock = try_lock(index) if found or (RUN / f"{index}.json").exists() else None
        if lock is None:
            continue
        with contextlib.suppress(json.JSONDecodeError):
            owner = load(RUN / f"{index}.json") or {}
            await clear(index, Path(owner["state_dir"]) if "state_dir" in owner else None)
            gone += found
        (RUN / f"{index}.json").unlink(missing_ok=True)
        os.close(lock)
    return gone
