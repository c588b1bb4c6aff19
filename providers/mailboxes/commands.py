"""Every command the mail host is given beyond those of providers/hosts/commands.py, as argv: pure builders."""

from __future__ import annotations

from collections.abc import Iterable

from providers.hosts.commands import Argv

LOCK_WAIT_SECONDS = 30
NO_SUCH_USER = 67  # sysexits.h EX_NOUSER, by doveadm(1)
CHANGED_MEANWHILE = 75
LOCK_BUSY = 76


def replace(program: str, lock: str, base: str, draft: str, target: str, reload: str = "") -> Argv:
    """Under the host's lock. `base` and `draft` as the program says (`host_files.REPLACE`)."""
    return ["flock", "--timeout", str(LOCK_WAIT_SECONDS), "--conflict-exit-code", str(LOCK_BUSY), lock,
            program, base, draft, target, *([reload] if reload else [])]  # fmt: skip


def add_system_user(name: str, home: str) -> Argv:
    return ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", home,
            "--shell", "/usr/sbin/nologin", name]  # fmt: skip


def keep_copy(path: str, copy: str) -> Argv:
    """Never over a copy that is there."""
    return ["cp", "--archive", "--update=none", "--", path, copy]


def dovecot_version() -> Argv:
    return ["dovecot", "--version"]


def check_dovecot(path: str) -> Argv:
    return ["doveconf", "-c", path, "-n"]


def check_postfix() -> Argv:
    return ["postfix", "check"]


def postfix_setting(name: str) -> Argv:
    return ["postconf", "-h", name]


def define_service(entry: str, line: str) -> Argv:
    """A service of master.cf, anew; its options are gone then."""
    return ["postconf", "-M", f"{entry}={line}"]


def service_options(entry: str, options: Iterable[tuple[str, str]]) -> Argv:
    return ["postconf", "-P", *(f"{entry}/{name}={value}" for name, value in options)]


def known_user(address: str) -> Argv:
    return ["doveadm", "user", address]


def used_quota(address: str) -> Argv:
    return ["doveadm", "-f", "json", "quota", "get", "-u", address]


def end_sessions(address: str) -> Argv:
    return ["doveadm", "kick", address]


def size_of(path: str) -> Argv:
    return ["du", "--summarize", "--bytes", "--", path]


def pack(folder: str, name: str, target: str) -> Argv:
    """The exit status is 1 when a file changed while it was read."""
    return ["tar", "--create", "--gzip", "--numeric-owner", "--one-file-system", "--file", target,
            "--directory", folder, "--", name]  # fmt: skip


def digest(path: str) -> Argv:
    return ["sha256sum", "--", path]


def file_size(path: str) -> Argv:
    return ["stat", "--format", "%s", "--", path]


def names_in(folder: str) -> Argv:
    return ["find", folder, "-mindepth", "1", "-maxdepth", "1", "-printf", "%f\\n"]


def move_whole(source: str, target: str) -> Argv:
    """A rename; an existing target is not entered."""
    return ["mv", "--no-target-directory", "--", source, target]


def remove_empty(folder: str, *, tolerant: bool = False) -> Argv:
    return ["rmdir", *(["--ignore-fail-on-non-empty"] if tolerant else []), "--", folder]
