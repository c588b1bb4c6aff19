"""The disk of a host: a copy-on-write clone of the base image, and the first-boot seed a cloud would hand it.

hosts/{name}/host.json    what it is and whether it should run
hosts/{name}/disk/        up and work of the overlay, docker and containerd: all that the host ever wrote
hosts/{name}/root/        the mounted tree the container starts from
hosts/{name}/disk.img     only with a limit: the small ext4 that is then mounted at disk/
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path

from sandbox.hosts.driver import HostSpec
from sandbox.hosts.machine_tools import command, mounts_below, unmount_below

# An overlay cannot stand on another overlay, so what stacks its own is kept beside the tree and bound into it.
BOUND = {"docker": "/var/lib/docker", "containerd": "/var/lib/containerd"}
APT_PORT = 3142
FILLER = "filler"
MEGABYTE = 1024 * 1024


class Disk:
    def __init__(self, folder: Path, layers: Sequence[Path]) -> None:
        self.folder = folder
        self.layers = layers
        self.root = folder / "root"
        self.store = folder / "disk"
        self.image = folder / "disk.img"

    async def create(self, limit_mb: int | None) -> None:
        for path in (self.root, self.store):
            path.mkdir(parents=True, exist_ok=True)
        if limit_mb and not self.image.exists():
            draft = self.image.with_suffix(".draft")
            with draft.open("wb") as file:
                file.truncate(limit_mb * MEGABYTE)
            await command("mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", draft)
            draft.rename(self.image)
        await self.mount()

    async def mount(self) -> None:
        """Mount whatever is not mounted yet; also right after the machine below us was restarted."""
        mounted = mounts_below(self.folder)
        if self.image.exists() and self.store not in mounted:
            await command("mount", "-o", "loop", self.image, self.store)
        for name in ("up", "work", *BOUND):
            (self.store / name).mkdir(mode=0o755, exist_ok=True)
        if self.root not in mounted:
            layers = ":".join(str(path) for path in self.layers)
            options = f"lowerdir={layers},upperdir={self.store / 'up'},workdir={self.store / 'work'}"
            await command("mount", "-t", "overlay", "overlay", "-o", options, self.root)

    async def unmount(self) -> None:
        await unmount_below(self.folder)

    async def delete(self) -> None:
        await self.unmount()
        if self.folder.exists():
            # Out of the way first: a deletion cut short must not look like a host.
            doomed = self.folder.with_name(f".gone-{self.folder.name}-{uuid.uuid4().hex[:8]}")
            self.folder.rename(doomed)
            await asyncio.to_thread(shutil.rmtree, doomed)

    def binds(self) -> list[str]:
        return [f"--bind={self.store / name}:{target}" for name, target in BOUND.items()]

    def seed(self, spec: HostSpec, gateway: str) -> None:
        """Write what a cloud gives a machine before its first boot."""
        short = spec.hostname.split(".")[0]
        names = spec.hostname if short == spec.hostname else f"{spec.hostname} {short}"
        metadata = {
            "instance-id": f"{spec.name}-{uuid.uuid4().hex[:12]}",
            "local-hostname": spec.hostname,
            "public-keys": spec.authorized_keys,
        }
        files = {
            "etc/hostname": f"{short}\n",
            "etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {names}\n",
            "etc/resolv.conf": f"nameserver {gateway}\noptions timeout:2 attempts:2\n",
            "etc/apt/sources.list": f"deb [trusted=yes] http://{gateway}:{APT_PORT}/ ./\n",
            # JSON is YAML, and needs no care for what a key's comment may hold.
            "var/lib/cloud/seed/nocloud/meta-data": json.dumps(metadata),
            "var/lib/cloud/seed/nocloud/user-data": spec.user_data or "#cloud-config\n{}\n",
        }
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            # A link, as resolv.conf often is, would be followed out of the tree and into this machine's own files.
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
            path.write_text(text)
        (self.root / "var/lib/cloud/seed/nocloud/user-data").chmod(0o600)

    def fill(self, leave_mb: int) -> int:
        """Use up a limited disk but for `leave_mb`; returns the megabytes taken."""
        if not self.image.exists():
            raise ValueError("only a host created with a disk limit can be filled up")
        taken = 0
        with (self.store / FILLER).open("ab") as file:
            # In ever smaller steps: the file system cannot give the last of what it calls free in one piece.
            for step in (8 * MEGABYTE, MEGABYTE, 4096):
                with contextlib.suppress(OSError):
                    while self._free() - step >= leave_mb * MEGABYTE:
                        os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), step)
                        taken += step
        return taken // MEGABYTE

    def _free(self) -> int:
        found = os.statvfs(self.store)
        return found.f_bavail * found.f_frsize

    def empty(self) -> None:
        (self.store / FILLER).unlink(missing_ok=True)
