"""A flat apt repository with everything a host installs, so that installs are real, offline and at disk speed."""

from __future__ import annotations

import datetime
import email.utils
import gzip
import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from sandbox.lab.tools import RecipeError, inside, overlay, run

# What setting a host up needs ...
SETUP_PACKAGES = ["docker.io", "docker-cli", "docker-compose", "iptables", "ufw", "nginx", "openssl"]
# ... what a server of web sites and mailboxes needs ...
HOSTING_PACKAGES = [
    "nginx",
    "php8.4-fpm",
    "openssl",
    "ufw",
    "e2fsprogs",
    "postfix",
    "dovecot-imapd",
    "dovecot-lmtpd",
    "logrotate",
    "curl",
]
# ... and what operators, agents and backups may ask for.
MORE_PACKAGES = [
    "nftables",
    "certbot",
    "rsync",
    "jq",
    "restic",
    "acl",
    "fail2ban",
    "unattended-upgrades",
    "postgresql-client",
    "redis-tools",
    "gnupg",
    "python3-apt",
    "apparmor",
    "dnsutils",
    "lsof",
    "htop",
]


def build_repository(target: Path, base: Path, sources: Sequence[str]) -> None:
    """Let the bare host itself say what it would fetch, and keep exactly that."""
    target.mkdir(parents=True)
    with overlay([base], target.parent / f"{target.name}-scratch") as tree:
        (tree / "etc/apt/sources.list").write_text("\n".join(sources) + "\n")
        inside(tree, ["apt-get", "update", "-q"])
        fetch = ["apt-get", "install", "-qq", "-y", "--download-only", "--no-install-recommends"]
        inside(tree, [*fetch, *SETUP_PACKAGES, *HOSTING_PACKAGES, *MORE_PACKAGES])
        for package in (tree / "var/cache/apt/archives").glob("*.deb"):
            # A colon of an epoch is %3a on disk and would need quoting in every URL.
            shutil.copy(package, target / package.name.replace("%3a", "_"))
    shutil.rmtree(target.parent / f"{target.name}-scratch")
    write_index(target)


def write_index(folder: Path) -> None:
    """Packages, Packages.gz and Release of a folder of .debs."""
    packages = sorted(folder.glob("*.deb"))
    if not packages:
        raise RecipeError(f"no packages were fetched into {folder}")
    index = "\n".join(_stanza(path) for path in packages).encode()
    (folder / "Packages").write_bytes(index)
    (folder / "Packages.gz").write_bytes(gzip.compress(index, mtime=0))
    lines = [
        f" {hashlib.sha256(content).hexdigest()} {len(content)} {name}"
        for name in ("Packages", "Packages.gz")
        for content in [(folder / name).read_bytes()]
    ]
    date = email.utils.format_datetime(datetime.datetime.now(datetime.UTC), usegmt=True)
    head = f"Origin: slipway-lab\nLabel: slipway-lab\nSuite: lab\nArchitectures: all amd64 arm64\nDate: {date}\n"
    (folder / "Release").write_text(head + "SHA256:\n" + "\n".join(lines) + "\n")


def _stanza(package: Path) -> str:
    control = run(["dpkg-deb", "--field", package]).rstrip("\n")
    content = package.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return f"{control}\nFilename: ./{package.name}\nSize: {len(content)}\nSHA256: {digest}\n"
