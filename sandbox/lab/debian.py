"""Where Debian packages come from: the mirror this machine already uses, other suites beside it, and what it lacks.

The machine's own apt sources stay untouched. No mirror is named here: it is read from those sources at run time.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from sandbox.lab.tools import RecipeError, run

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

# binary on this machine -> the package that brings it.
HOST_PACKAGES = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "docker-registry": "docker-registry",
    "pdns_server": "pdns-server",
    "ip": "iproute2",
    "mkfs.ext4": "e2fsprogs",
}
HOST_FILES = {
    "/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql": "pdns-backend-sqlite3",
    str(KEYRING): "debian-archive-keyring",
}
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
POLICY = Path("/usr/sbin/policy-rc.d")


def mirror(sources: Path = Path("/etc/apt")) -> str:
    """The Debian archive this machine installs from, unless SLIPWAY_LAB_MIRROR says otherwise."""
    if chosen := os.environ.get("SLIPWAY_LAB_MIRROR"):
        return chosen
    files = [sources / "sources.list", *sorted((sources / "sources.list.d").glob("*"))]
    text = "\n".join(path.read_text() for path in files if path.is_file())
    found = re.findall(r"^(?:URIs:|deb(?:\s+\[[^\]]*\])?)\s+(\S+)", text, flags=re.MULTILINE)
    for address in found:
        if address.rstrip("/").endswith("/debian"):
            return str(address)
    raise RecipeError("no Debian archive in this machine's apt sources: set SLIPWAY_LAB_MIRROR to one")


def absent_packages() -> list[str]:
    """Packages of the host machine that are still to be installed."""
    folders = SEARCH_PATH.split(":")
    absent = [
        package
        for binary, package in HOST_PACKAGES.items()
        if not any(Path(folder, binary).exists() for folder in folders)
    ]
    return absent + [package for path, package in HOST_FILES.items() if not Path(path).exists()]


def install_absent() -> list[str]:
    """Install what is absent without starting a single daemon, neither now nor at the next boot."""
    packages = absent_packages()
    if not packages:
        return []
    env = {"RUNLEVEL": "1", "DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-o", "DPkg::Lock::Timeout=300"]
    # Where no policy exists, the packages' scripts would start pdns on port 53 of the machine.
    guard = not POLICY.exists()
    if guard:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        install = [*apt, "install", "-y", "--no-install-recommends", *packages]
        try:
            run(install, env=env)
        except RecipeError:
            run([*apt, "update"], env=env)
            run(install, env=env)
    finally:
        if guard:
            POLICY.unlink(missing_ok=True)
    if Path("/run/systemd/system").exists():
        for unit in ("pdns.service", "docker-registry.service"):
            run(["systemctl", "disable", unit])
    return packages


def download(suite: str, packages: list[str], into: Path) -> list[Path]:
    """Fetch .debs of another suite (no dependencies) with an apt configuration of its own; returns the files."""
    state = into / "apt"
    (state / "lists" / "partial").mkdir(parents=True)
    (state / "cache" / "archives" / "partial").mkdir(parents=True)
    (state / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror()} {suite} main\n")
    options = {
        "Dir::Etc::sourcelist": state / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": state / "lists",
        "Dir::Cache": state / "cache",
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "root",
    }
    apt = ["apt-get", *[word for key, value in options.items() for word in ("-o", f"{key}={value}")]]
    run([*apt, "update"])
    run([*apt, "download", *packages], cwd=into)
    return sorted(into.glob("*.deb"))
