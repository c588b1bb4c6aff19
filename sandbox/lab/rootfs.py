"""The disk image of the lab's hosts: a bare Debian 13 as a cloud ships it, and layers with packages baked in.

The bare tree holds nothing of Docker, nginx or ufw: installing them is the product's work. What is added to Debian
here is only what a container needs to behave like a machine, and each addition says why.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from sandbox.lab.debian import KEYRING, mirror
from sandbox.lab.tools import inside, overlay, run, write

SUITE = "trixie"
PACKAGES = [
    "systemd-sysv",
    "dbus",
    "libpam-systemd",
    "openssh-server",
    "sudo",
    "cloud-init",
    "cron",
    "curl",
    "ca-certificates",
    "gnupg",
    "less",
    "kmod",
    "procps",
    "iproute2",
    "iputils-ping",
    "netbase",
    "python3-minimal",
    "openssl",
    "tzdata",
]

# Controllers of cgroup v1 are read-only in a container and Docker needs to write them. 'bind' is essential: without it
# the kernel answers "mount point is busy". With cgroup v2 the container's own tree is writable already.
CGROUP_SHIM = """\
[Unit]
Description=Make this machine's cgroup controllers writable
DefaultDependencies=no
Before=sysinit.target
ConditionPathExists=!/sys/fs/cgroup/cgroup.controllers

[Service]
Type=oneshot
ExecStart=/bin/sh -c "for c in /sys/fs/cgroup/*/; do mount -o remount,bind,rw,nosuid,nodev,noexec $$c || true; done"

[Install]
WantedBy=sysinit.target
"""

# A container's /dev is its own and holds no loop devices, on which a machine mounts images of disks.
LOOP_SHIM = """\
[Unit]
Description=Give this machine its loop devices
DefaultDependencies=no
Before=local-fs-pre.target
Wants=local-fs-pre.target
ConditionPathExists=!/dev/loop-control

[Service]
Type=oneshot
ExecStart=/bin/mknod -m 600 /dev/loop-control c 10 237
ExecStart=/bin/sh -c "for n in $$(seq 0 63); do mknod -m 660 /dev/loop$$n b 7 $$n || true; done"

[Install]
WantedBy=sysinit.target
"""

CLOUD_CONFIG = """\
datasource_list: [NoCloud]
network: {config: disabled}
apt: {preserve_sources_list: true}
users: []
disable_root: false
ssh_pwauth: false
"""

# cloud-init's own file already says what it would write: else it restarts sshd in the middle of the first connections.
CLOUD_INIT_SSHD = "PasswordAuthentication no\n"
SSHD = "PermitRootLogin prohibit-password\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
# Documentation and translations are half of an installation's time and of no use to a test.
DPKG_EXCLUDES = (
    "path-exclude=/usr/share/doc/*",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
)
# A host's first keys come from its user-data, so nothing else may make any; the rest would only slow a boot.
MASKED = [
    "sshd-keygen.service",
    "systemd-firstboot.service",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "fstrim.timer",
    "systemd-networkd.service",
    "systemd-networkd.socket",
    "systemd-resolved.service",
    "systemd-timesyncd.service",
    "systemd-networkd-wait-online.service",
    "cloud-init-hotplugd.socket",
    "console-getty.service",
]


def debian_sources() -> list[str]:
    """apt lines of the suite the hosts run."""
    return [f"deb [signed-by={KEYRING}] {mirror()} {suite} main" for suite in (SUITE, f"{SUITE}-updates")]


def build_base(target: Path, authority: Path) -> None:
    """Make the bare tree; `authority` is the lab's CA, which its hosts trust like any public one."""
    options = [word for line in DPKG_EXCLUDES for word in ("--dpkgopt", line)]
    apt = ["--aptopt", 'Acquire::Languages "none"']
    include = "--include=" + ",".join(PACKAGES)
    shape = ["--mode=root", "--variant=minbase", "--format=directory"]
    run(["mmdebstrap", "--quiet", *shape, *options, *apt, include, SUITE, target, *debian_sources()])
    _configure(target)
    shutil.copy(authority / "ca.pem", target / "usr/local/share/ca-certificates/slipway-lab.crt")
    inside(target, ["update-ca-certificates"])
    inside(target, ["systemctl", "mask", *MASKED])
    inside(target, ["systemctl", "enable", "lab-cgroup-rw.service", "lab-loop.service", "ssh.service"])
    _forget_identity(target)


def _configure(tree: Path) -> None:
    etc = tree / "etc"
    write(etc / "systemd/system/lab-cgroup-rw.service", CGROUP_SHIM)
    write(etc / "systemd/system/lab-loop.service", LOOP_SHIM)
    write(etc / "cloud/cloud.cfg.d/90-lab.cfg", CLOUD_CONFIG)
    write(etc / "ssh/sshd_config.d/10-lab.conf", SSHD)
    write(etc / "ssh/sshd_config.d/50-cloud-init.conf", CLOUD_INIT_SSHD, 0o600)
    # sshd may only answer once cloud-init has put the pinned host key in place.
    drop_in = "[Unit]\nAfter=cloud-init-network.service cloud-init.service\n"
    write(etc / "systemd/system/ssh.service.d/10-lab.conf", drop_in)
    write(etc / "dpkg/dpkg.cfg.d/lab", "force-unsafe-io\n" + "\n".join(DPKG_EXCLUDES) + "\n")
    write(etc / "apt/apt.conf.d/90lab", 'Acquire::Languages "none";\nAPT::Update::Post-Invoke-Success "";\n')
    write(etc / "systemd/journald.conf.d/lab.conf", "[Journal]\nStorage=persistent\nSystemMaxUse=32M\n")
    # Without this a stuck service would hold a test's shutdown for Debian's minute and a half.
    write(etc / "systemd/system.conf.d/lab.conf", "[Manager]\nDefaultTimeoutStopSec=20s\n")
    for leftover in (etc / "apt/sources.list", *(etc / "apt/sources.list.d").glob("*")):
        leftover.unlink(missing_ok=True)


def _forget_identity(tree: Path) -> None:
    for key in (tree / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    (tree / "etc/machine-id").write_text("")
    (tree / "var/lib/dbus/machine-id").unlink(missing_ok=True)
    (tree / "etc/hostname").unlink(missing_ok=True)
    for folder in ("var/lib/apt/lists", "var/cache/apt", "var/log/journal", "var/lib/cloud"):
        shutil.rmtree(tree / folder, ignore_errors=True)
    (tree / "var/lib/apt/lists/partial").mkdir(parents=True)
    (tree / "var/cache/apt/archives/partial").mkdir(parents=True)


def build_layer(target: Path, base: Path, repository: Path, packages: Sequence[str]) -> None:
    """The layer that installing packages leaves behind, so that tests of what comes after need not wait for it."""
    with overlay([base], target) as tree:
        source = tree / "etc/apt/sources.list"
        source.write_text("deb [trusted=yes] file:/srv/apt ./\n")
        binds = {repository: "/srv/apt"}
        inside(tree, ["apt-get", "update", "-q"], binds=binds)
        install = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *packages]
        inside(tree, install, binds=binds)
        source.unlink()
        _forget_identity(tree)
