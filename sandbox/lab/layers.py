"""Turn the upper directory of an overlay into a container image layer: a gzip'd tar with OCI whiteouts.

The same tree always gives the same bytes, so an unchanged layer keeps its digest and is pulled once.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import stat
import tarfile
from dataclasses import dataclass
from pathlib import Path

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
# Written while packages are installed and of no use in an image.
DROPPED = (
    "var/lib/apt/lists",
    "var/cache",
    "var/log",
    "tmp",
    "dev",
    "proc",
    "sys",
    "run",
    "usr/share/doc",
    "usr/share/man",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/bash-completion",
    "etc/resolv.conf",
    "etc/hostname",
)


@dataclass(frozen=True)
class Layer:
    path: Path
    digest: str
    diff_id: str
    size: int


class _Hashing:
    """A write-only file that remembers what went through it."""

    def __init__(self, inner: gzip.GzipFile) -> None:
        self.inner = inner
        self.digest = hashlib.sha256()

    def write(self, content: bytes) -> int:
        self.digest.update(content)
        return self.inner.write(content)


def pack(tree: Path, target: Path, dropped: tuple[str, ...] = DROPPED) -> Layer:
    """Write `tree` as the layer `target`; folders named in `dropped` are kept, but empty."""
    with target.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as squeezed:
        plain = _Hashing(squeezed)
        with tarfile.open(fileobj=plain, mode="w|", format=tarfile.PAX_FORMAT) as archive:  # type: ignore[call-overload]
            _walk(archive, tree, "", dropped, {})
    content = hashlib.sha256()
    with target.open("rb") as packed:
        while block := packed.read(1 << 20):
            content.update(block)
    return Layer(target, f"sha256:{content.hexdigest()}", f"sha256:{plain.digest.hexdigest()}", target.stat().st_size)


def _walk(
    archive: tarfile.TarFile, folder: Path, prefix: str, dropped: tuple[str, ...], linked: dict[int, str]
) -> None:
    for entry in sorted(os.scandir(folder), key=lambda item: item.name):
        name = prefix + entry.name
        found = entry.stat(follow_symlinks=False)
        is_folder = entry.is_dir(follow_symlinks=False)
        if stat.S_ISCHR(found.st_mode) and found.st_rdev == 0:
            archive.addfile(tarfile.TarInfo(prefix + WHITEOUT + entry.name))
            continue
        if (name in dropped and not is_folder) or stat.S_ISSOCK(found.st_mode):
            continue
        _add(archive, Path(entry.path), name, found, linked)
        if is_folder and name not in dropped:
            if _opaque(entry.path):
                archive.addfile(tarfile.TarInfo(f"{name}/{OPAQUE}"))
            _walk(archive, Path(entry.path), f"{name}/", dropped, linked)


def _opaque(path: str) -> bool:
    try:
        return os.getxattr(path, "trusted.overlay.opaque") == b"y"
    except OSError:
        return False


def _add(archive: tarfile.TarFile, path: Path, name: str, found: os.stat_result, linked: dict[int, str]) -> None:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.uid, entry.gid = stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid
    entry.mtime = int(found.st_mtime)
    if stat.S_ISLNK(found.st_mode):
        entry.type, entry.linkname = tarfile.SYMTYPE, os.readlink(path)
    elif stat.S_ISDIR(found.st_mode):
        entry.type = tarfile.DIRTYPE
    elif found.st_nlink > 1 and found.st_ino in linked:
        entry.type, entry.linkname = tarfile.LNKTYPE, linked[found.st_ino]
    elif stat.S_ISREG(found.st_mode):
        linked[found.st_ino] = name
        entry.size = found.st_size
        with path.open("rb") as content:
            archive.addfile(entry, content)
        return
    else:
        return
    archive.addfile(entry)
