"""The file system of a modelled host: a small Debian that all share, and each host's own changes over it.

Knows owners and permission bits, since product code relies on both; and a full disk, since disks fill.
"""

from __future__ import annotations

import base64
import errno
import os
import posixpath
import stat
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

OS_RELEASE = 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nNAME="Debian GNU/Linux"\nVERSION_ID="13"\nID=debian\n'


@dataclass(frozen=True)
class Node:
    kind: str  # d, f or l
    mode: int
    owner: str = "root"
    group: str = "root"
    data: bytes = b""  # content of a file, target of a link

    @property
    def st_mode(self) -> int:
        return {"d": stat.S_IFDIR, "f": stat.S_IFREG, "l": stat.S_IFLNK}[self.kind] | self.mode


@dataclass(frozen=True)
class Who:
    """A user with the groups it is in."""

    name: str
    groups: frozenset[str] = frozenset()


ROOT = Who("root", frozenset({"root"}))


def _base() -> dict[str, Node]:
    folders = [
        "/",
        "/bin",
        "/boot",
        "/dev",
        "/etc",
        "/etc/apt",
        "/etc/apt/apt.conf.d",
        "/etc/apt/sources.list.d",
        "/etc/ssh",
        "/etc/ssh/sshd_config.d",
        "/etc/sudoers.d",
        "/etc/systemd",
        "/etc/systemd/system",
        "/home",
        "/opt",
        "/proc",
        "/run",
        "/srv",
        "/usr",
        "/usr/lib",
        "/usr/share",
        "/var",
        "/var/lib",
        "/var/log",
        "/var/cache",
    ]
    nodes = {path: Node("d", 0o755) for path in folders}
    nodes["/root"] = Node("d", 0o700)
    nodes["/tmp"] = Node("d", 0o1777)
    nodes["/etc/os-release"] = Node("l", 0o777, data=b"../usr/lib/os-release")
    nodes["/usr/lib/os-release"] = Node("f", 0o644, data=OS_RELEASE.encode())
    nodes["/etc/ssh/sshd_config"] = Node("f", 0o644, data=b"Include /etc/ssh/sshd_config.d/*.conf\n")
    return nodes


BASE = _base()


class Tree:
    """Paths are absolute. Errors are OSError with the errno a kernel would give."""

    def __init__(self, changes: dict[str, Node | None] | None = None) -> None:
        self.changes: dict[str, Node | None] = changes or {}
        self.full = False

    # ---- reading -----------------------------------------------------------------------------------------------------

    def raw(self, path: str) -> Node | None:
        return self.changes[path] if path in self.changes else BASE.get(path)

    def resolve(self, path: str, *, follow: bool = True) -> str:
        """The path with every link followed; the last component only if `follow`."""
        done = "/"
        parts = [p for p in posixpath.normpath(path).split("/") if p]
        for _ in range(100):
            if not parts:
                return done
            step = posixpath.join(done, parts.pop(0))
            node = self.raw(step)
            if node is not None and node.kind == "l" and (parts or follow):
                target = posixpath.normpath(posixpath.join(done, node.data.decode()))
                parts, done = [*(p for p in target.split("/") if p), *parts], "/"
            else:
                done = step
        raise _error(errno.ELOOP, path)

    def find(self, path: str, *, follow: bool = True) -> Node | None:
        return self.raw(self.resolve(path, follow=follow))

    def get(self, path: str, *, follow: bool = True) -> Node:
        node = self.find(path, follow=follow)
        if node is None:
            raise _error(errno.ENOENT, path)
        return node

    def read(self, path: str, who: Who = ROOT) -> bytes:
        real = self.resolve(path)
        node = self.get(real)
        if node.kind == "d":
            raise _error(errno.EISDIR, path)
        self._may_pass(real, who)
        if not _allowed(node, who, 4):
            raise _error(errno.EACCES, path)
        return node.data

    def text(self, path: str) -> str:
        """For the model itself: what a root program reads, empty where there is nothing."""
        node = self.find(path)
        return node.data.decode("utf-8", "replace") if node is not None and node.kind == "f" else ""

    def children(self, path: str) -> list[str]:
        prefix = path.rstrip("/") + "/"
        known = {*BASE, *self.changes}
        return sorted(
            p[len(prefix):] for p in known
            if p != "/" and p.startswith(prefix) and "/" not in p[len(prefix):] and self.raw(p) is not None
        )  # fmt: skip

    # ---- writing -----------------------------------------------------------------------------------------------------

    def write(self, path: str, data: bytes, *, who: Who = ROOT, mode: int = 0o644) -> None:
        """Create or overwrite; an existing file keeps its owner and mode."""
        real = self.resolve(path)
        old = self.raw(real)
        if old is None:
            self._may_change(real, who)
            node = Node("f", mode, who.name, who.name, data)
        else:
            if old.kind == "d":
                raise _error(errno.EISDIR, path)
            self._may_pass(real, who)
            if not _allowed(old, who, 2):
                raise _error(errno.EACCES, path)
            node = replace(old, data=data)
        if self.full and data:
            raise _error(errno.ENOSPC, path)
        self.changes[real] = node

    def make_directory(self, path: str, *, who: Who = ROOT, mode: int = 0o755) -> None:
        real = self.resolve(path)
        if self.raw(real) is not None:
            raise _error(errno.EEXIST, path)
        self._may_change(real, who)
        self.changes[real] = Node("d", mode, who.name, who.name)

    def link(self, target: str, path: str, *, who: Who = ROOT) -> None:
        real = self.resolve(path, follow=False)
        if self.raw(real) is not None:
            raise _error(errno.EEXIST, path)
        self._may_change(real, who)
        self.changes[real] = Node("l", 0o777, who.name, who.name, target.encode())

    def remove(self, path: str, *, who: Who = ROOT) -> None:
        real = self.resolve(path, follow=False)
        node = self.get(real, follow=False)
        self._may_change(real, who)
        if node.kind == "d" and self.children(real):
            raise _error(errno.ENOTEMPTY, path)
        self._forget(real)

    def remove_tree(self, path: str, *, who: Who = ROOT) -> None:
        real = self.resolve(path, follow=False)
        node = self.get(real, follow=False)
        if node.kind == "d":
            for name in self.children(real):
                self.remove_tree(f"{real}/{name}", who=who)
        self.remove(real, who=who)

    def rename(self, source: str, target: str, *, who: Who = ROOT) -> None:
        old, new = self.resolve(source, follow=False), self.resolve(target, follow=False)
        node = self.get(old, follow=False)
        if node.kind == "d":
            raise _error(errno.EXDEV, source)  # nobody renames folders here
        self._may_change(old, who)
        self._may_change(new, who)
        self._forget(old)
        self.changes[new] = node

    def set_mode(self, path: str, mode: int, *, who: Who = ROOT) -> None:
        real = self.resolve(path)
        node = self.get(real)
        if who.name not in ("root", node.owner):
            raise _error(errno.EPERM, path)
        self.changes[real] = replace(node, mode=mode)

    def set_owner(self, path: str, owner: str, group: str) -> None:
        real = self.resolve(path)
        node = self.get(real)
        self.changes[real] = replace(node, owner=owner or node.owner, group=group or node.group)

    def _forget(self, path: str) -> None:
        if path in BASE:
            self.changes[path] = None
        else:
            self.changes.pop(path, None)

    # ---- permissions -------------------------------------------------------------------------------------------------

    def _may_pass(self, path: str, who: Who) -> None:
        """Every folder on the way must exist and be searchable."""
        folder = posixpath.dirname(path)
        while True:
            node = self.raw(folder)
            if node is None:
                raise _error(errno.ENOENT, path)
            if node.kind != "d":
                raise _error(errno.ENOTDIR, path)
            if not _allowed(node, who, 1):
                raise _error(errno.EACCES, path)
            if folder == "/":
                return
            folder = posixpath.dirname(folder)

    def _may_change(self, path: str, who: Who) -> None:
        self._may_pass(path, who)
        if not _allowed(self.get(posixpath.dirname(path)), who, 2):
            raise _error(errno.EACCES, path)

    # ---- keeping -----------------------------------------------------------------------------------------------------

    def dump(self) -> dict[str, Any]:
        return {
            path: None if n is None else [n.kind, n.mode, n.owner, n.group, base64.b64encode(n.data).decode()]
            for path, n in self.changes.items()
        }

    @classmethod
    def load(cls, kept: dict[str, Any]) -> Tree:
        return cls(
            {p: None if n is None else Node(n[0], n[1], n[2], n[3], base64.b64decode(n[4])) for p, n in kept.items()}
        )


def _allowed(node: Node, who: Who, bit: int) -> bool:
    if who.name == "root":
        return True
    shift = 6 if node.owner == who.name else 3 if node.group in who.groups else 0
    return bool((node.mode >> shift) & bit)


def _error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)


def matching(tree: Tree, folder: str, suffix: str) -> Iterable[tuple[str, str]]:
    """(path, text) of the files in a folder, in the order a daemon includes them."""
    for name in tree.children(folder):
        if name.endswith(suffix) and tree.find(f"{folder}/{name}") is not None:
            yield f"{folder}/{name}", tree.text(f"{folder}/{name}")
