"""Where the lab's cache lies, and under which name each of its parts: a changed recipe is another part, built anew."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from sandbox.lab.debian import SEARCH_PATH

HERE = Path(__file__).parent
# part -> (the files whose text is its recipe, the parts it is made from). `authority` is made once and kept.
RECIPES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "authority": ((), ()),
    "base": (("rootfs.py",), ("authority",)),
    "apt": (("aptrepo.py",), ("base",)),
    "baked": (("rootfs.py", "aptrepo.py"), ("base", "apt")),
    "hosting": (("rootfs.py", "aptrepo.py"), ("base", "apt")),
    "images": (("images.py", "layers.py", "registry.py", "apps/*"), ()),
    "pebble": (("pebble.py",), ()),
}


@cache
def version(part: str) -> str:
    """A short name of what a part's recipe says, and of all it is made from."""
    files, parts = RECIPES[part]
    digest = hashlib.sha256()
    for pattern in files:
        for path in sorted(HERE.glob(pattern)):
            if path.is_file():
                digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    for name in parts:
        digest.update(version(name).encode())
    return digest.hexdigest()[:12]


def default_root() -> Path:
    return Path(os.environ.get("SLIPWAY_LAB_ROOT") or "/var/lib/slipway-lab")


def program(name: str) -> Path | None:
    """Where this machine has a program, also when its folder is not on the caller's path."""
    found = (Path(folder, name) for folder in SEARCH_PATH.split(":"))
    return next((path for path in found if path.exists()), None)


@dataclass(frozen=True)
class Lab:
    """The lab's parts on disk. Nothing here says that they exist: `missing()` does."""

    root: Path = field(default_factory=default_root)

    def part(self, name: str) -> Path:
        return self.root / f"{name}-{version(name)}"

    @property
    def authority(self) -> Path:
        """Folder with ca.pem and ca.key: the CA that hosts trust, behind the registry and the ACME API."""
        return self.part("authority")

    @property
    def ca_file(self) -> Path:
        return self.authority / "ca.pem"

    @property
    def base_rootfs(self) -> Path:
        return self.part("base")

    @property
    def baked_layer(self) -> Path:
        return self.part("baked")

    @property
    def hosting_layer(self) -> Path:
        return self.part("hosting")

    @property
    def apt_repo(self) -> Path:
        return self.part("apt")

    @property
    def registry_storage(self) -> Path:
        return self.part("images")

    @property
    def pebble(self) -> Path:
        return self.part("pebble") / "usr/bin/pebble"

    @property
    def pdns(self) -> Path | None:
        return program("pdns_server")

    @property
    def pdns_schema(self) -> Path:
        return Path("/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql")

    @property
    def registry(self) -> Path | None:
        return program("docker-registry")
