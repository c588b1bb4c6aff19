"""Make, once, all that the lab needs. Safe to run twice at once, safe to kill: a part is there whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sandbox.lab import aptrepo, authority, debian, images, pebble, rootfs
from sandbox.lab.paths import RECIPES, Lab
from sandbox.lab.tools import RecipeError, unmount_below

Report = Callable[[str], None]

SAID = {
    "authority": "certificate authority",
    "base": "Debian 13 base image",
    "apt": "apt repository",
    "baked": "layer with the packages installed",
    "hosting": "layer with web and mail packages installed",
    "images": "container images",
    "pebble": "ACME server",
}


def prepare(lab: Lab | None = None, report: Report = print) -> None:
    """Install absent packages of this machine and build each part whose recipe has no result yet."""
    lab = lab or Lab()
    if os.geteuid() != 0:
        raise RecipeError("the lab is prepared by root")
    begun = time.monotonic()

    def say(text: str) -> None:
        report(f"lab {time.monotonic() - begun:6.1f}s  {text}")

    # Every file of an image keeps the mode it is made with, and services there are not root.
    os.umask(0o022)
    lab.root.mkdir(parents=True, exist_ok=True)
    lab.root.chmod(0o755)
    with _alone(lab.root, say):
        # What a killed preparation left; nobody else can be making anything while we hold the lock.
        for scratch in lab.root.glob(".making-*"):
            _discard(scratch)
        if absent := debian.absent_packages():
            say(f"installing on this machine: {' '.join(absent)}")
            debian.install_absent()
        for part in RECIPES:
            if lab.part(part).exists():
                say(f"{SAID[part]}: there")
                continue
            say(f"{SAID[part]}: making it ...")
            _build(lab, part)
        say("ready")


@contextlib.contextmanager
def _alone(root: Path, say: Report) -> Iterator[None]:
    with (root / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another preparation to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(lab: Lab, part: str) -> None:
    # A name of its own and one rename: a reader, or a power cut, never meets half of a part.
    scratch = Path(tempfile.mkdtemp(prefix=f".making-{part}-", dir=lab.root))
    target = scratch / part
    try:
        if part == "authority":
            authority.ensure_authority(target)
        elif part == "base":
            rootfs.build_base(target, lab.authority)
        elif part == "apt":
            aptrepo.build_repository(target, lab.base_rootfs, rootfs.debian_sources())
        elif part == "baked":
            rootfs.build_layer(target, lab.base_rootfs, lab.apt_repo, aptrepo.SETUP_PACKAGES)
        elif part == "hosting":
            rootfs.build_layer(target, lab.base_rootfs, lab.apt_repo, aptrepo.HOSTING_PACKAGES)
        elif part == "images":
            images.build_images(target, scratch / "scratch")
        else:
            pebble.build_pebble(target, scratch / "scratch")
        os.sync()
        target.rename(lab.part(part))
    finally:
        _discard(scratch)


def _discard(scratch: Path) -> None:
    unmount_below(scratch)
    shutil.rmtree(scratch, ignore_errors=True)
