"""Every command Slipway runs on a host, as argv: pure builders, compared by equality in tests.

They know paths and flags and nothing of connections. No secret is ever an argument: secrets go by standard input or in
files. There is no shell syntax here; the SSH boundary joins the words once, quoted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Argv = list[str]

DEPLOY_USER = "slipway"
LOCK_WAIT_SECONDS = 120

_APT = ["env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "apt-get", "-q",
        "-o", f"DPkg::Lock::Timeout={LOCK_WAIT_SECONDS}", "-o", "Acquire::Retries=3"]  # fmt: skip


def as_root(argv: Sequence[str]) -> Argv:
    """For the deploy user: only what /etc/sudoers.d/slipway lists passes, and nothing ever asks for a password."""
    return ["sudo", "-n", *argv]


# ---- the machine ----------------------------------------------------------------------------------------------------


def whoami() -> Argv:
    return ["id", "-un"]


def user_exists(name: str) -> Argv:
    return ["id", "-u", name]


def cloud_init_wait() -> Argv:
    return ["cloud-init", "status", "--wait"]


def show(path: str) -> Argv:
    """For /proc, whose files have no size, so SFTP would read nothing."""
    return ["cat", path]


def make_directories(paths: Iterable[str], *, mode: str, owner: str = "", group: str = "") -> Argv:
    ownership = [*(["-o", owner] if owner else []), *(["-g", group] if group else [])]
    return ["install", "-d", "-m", mode, *ownership, *paths]


def change_owner(path: str, owner: str) -> Argv:
    return ["chown", owner, path]


def remove_tree(paths: Iterable[str]) -> Argv:
    return ["rm", "-rf", "--", *paths]


def remove_file(path: str) -> Argv:
    return ["rm", "-f", "--", path]


def link(target: str, name: str) -> Argv:
    return ["ln", "-sfn", target, name]


def rename(source: str, target: str) -> Argv:
    return ["mv", "-f", "--", source, target]


def add_user(name: str) -> Argv:
    return ["useradd", "--create-home", "--shell", "/bin/bash", name]


def join_group(name: str, group: str) -> Argv:
    return ["usermod", "--append", "--groups", group, name]


def check_sudoers(path: str) -> Argv:
    return ["visudo", "-c", "-f", path]


# ---- packages -------------------------------------------------------------------------------------------------------


def package_states(names: Iterable[str]) -> Argv:
    """Prints `name state` for each known package; the exit status is 1 when one of them is unknown."""
    return ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Abbrev}\\n", *names]


def audit_packages() -> Argv:
    """Prints nothing when no package is half installed."""
    return ["dpkg", "--audit"]


def repair_packages() -> Argv:
    return ["env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "dpkg", "--force-confold", "--configure", "-a"]


def refresh_packages() -> Argv:
    return [*_APT, "update"]


def install_packages(names: Iterable[str]) -> Argv:
    return [*_APT, "-o", "DPkg::Options::=--force-confold", "install", "-y", "--no-install-recommends", *names]


def package_candidate(name: str) -> Argv:
    return ["apt-cache", "policy", name]


# ---- services and firewall ------------------------------------------------------------------------------------------


def reload_units() -> Argv:
    return ["systemctl", "daemon-reload"]


def enable_units(names: Iterable[str]) -> Argv:
    return ["systemctl", "enable", "--now", *names]


def restart_unit(name: str) -> Argv:
    return ["systemctl", "restart", name]


def reload_unit(name: str) -> Argv:
    return ["systemctl", "reload", name]


def unit_states(names: Iterable[str]) -> Argv:
    """One word a line; the exit status is not 0 unless all are active."""
    return ["systemctl", "is-active", *names]


def firewall_status() -> Argv:
    return ["ufw", "status", "verbose"]


def firewall_default(direction: str, policy: str) -> Argv:
    return ["ufw", "default", policy, direction]


def firewall_allow(port: int) -> Argv:
    return ["ufw", "allow", f"{port}/tcp"]


def firewall_enable() -> Argv:
    return ["ufw", "--force", "enable"]


def check_ssh_daemon() -> Argv:
    return ["sshd", "-t"]


def effective_ssh_daemon() -> Argv:
    return ["sshd", "-T"]


# ---- nginx and TLS --------------------------------------------------------------------------------------------------


def check_nginx() -> Argv:
    return ["nginx", "-t"]


def reload_nginx() -> Argv:
    return reload_unit("nginx.service")


def make_key(path: str) -> Argv:
    """An EC P-256 key; openssl creates the file for its owner only (0600)."""
    return ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path]


def make_request(key: str, names: Sequence[str]) -> Argv:
    """Prints the CSR. The subject is empty on purpose: names stand in the SAN, and a common name ends at 64 letters."""
    return ["openssl", "req", "-new", "-sha256", "-key", key, "-subj", "/",
            "-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in names)]  # fmt: skip


def public_key(key: str) -> Argv:
    return ["openssl", "pkey", "-in", key, "-pubout"]


def make_self_signed(key: str, certificate: str, name: str, days: int = 3650) -> Argv:
    return ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-days", str(days), "-subj", f"/CN={name}", "-keyout", key, "-out", certificate]  # fmt: skip


# ---- Docker ---------------------------------------------------------------------------------------------------------


def docker_version() -> Argv:
    return ["docker", "version", "--format", "{{.Server.Version}}"]


def docker_login(registry: str, username: str) -> Argv:
    """The password is given on standard input."""
    return ["docker", "login", "--username", username, "--password-stdin", registry]


def docker_logout(registry: str) -> Argv:
    return ["docker", "logout", registry]


def inspect_images(references: Iterable[str]) -> Argv:
    """The exit status is 1 when one of them is not on the host."""
    return ["docker", "image", "inspect", "--format", "{{.Id}}", *references]


def compose(project: str, directory: str, file: str, env_file: str, *words: str) -> Argv:
    return ["docker", "compose", "--progress", "plain", "--project-name", project, "--project-directory", directory,
            "--file", file, "--env-file", env_file, *words]  # fmt: skip


def compose_down(project: str) -> Argv:
    """By the project's labels, so it works where the files are already gone."""
    return ["docker", "compose", "--progress", "plain", "--project-name", project,
            "down", "--volumes", "--remove-orphans", "--timeout", "20"]  # fmt: skip


PULL: tuple[str, ...] = ("pull",)
STATES: tuple[str, ...] = ("ps", "--all", "--format", "json")


def up_words(wait_seconds: int) -> tuple[str, ...]:
    return ("up", "--detach", "--wait", "--wait-timeout", str(wait_seconds), "--remove-orphans")


def log_words(service: str, lines: int) -> tuple[str, ...]:
    return ("logs", "--no-color", "--no-log-prefix", "--tail", str(lines), service)


def exec_words(service: str, argv: Sequence[str]) -> tuple[str, ...]:
    return ("exec", "-T", service, *argv)


def get(url: str, seconds: int = 5) -> Argv:
    """From the host itself: an unhealthy answer is still printed, its status on a line of its own behind the body."""
    return ["curl", "--silent", "--show-error", "--max-time", str(seconds), "--write-out", "\\n%{http_code}", url]
