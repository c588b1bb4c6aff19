"""What hosting runs on a web server, as argv; the general commands are in providers/hosts/commands.py.

No secret is an argument, and nothing here is a shell's.
"""

from __future__ import annotations

from collections.abc import Sequence

from providers.hosting.account import PHP, Account
from providers.hosts.commands import Argv

GROUP = "slipway-sites"
SMALL_JOURNAL_MB = 4
BYTES_PER_INODE = 8192


def lock(path: str, seconds: int) -> Argv:
    """`cat` under the lock: its first echo says that the lock is held, the end of its input gives it back."""
    return ["flock", "--wait", str(seconds), path, "cat"]


def as_user(user: str, argv: Sequence[str]) -> Argv:
    """As the customer, so that whatever lies in the customer's folders cannot turn it against root."""
    return ["setpriv", "--reuid", user, "--regid", user, "--init-groups", "--no-new-privs", "--", *argv]


# ---- users ----------------------------------------------------------------------------------------------------------


def make_group(name: str) -> Argv:
    return ["groupadd", "--system", "--force", name]


def passwd_entry(user: str) -> Argv:
    """The exit status is 2 where there is none."""
    return ["getent", "passwd", user]


def shadow_entry(user: str) -> Argv:
    return ["getent", "shadow", user]


def groups_of(user: str) -> Argv:
    return ["id", "-nG", user]


def add_user(account: Account) -> Argv:
    """One command makes user and mark, so no user of ours is ever without it."""
    return ["useradd", "--no-create-home", "--home-dir", account.home, "--shell", "/usr/sbin/nologin",
            "--user-group", "--groups", GROUP, "--comment", account.gecos, account.system_user]  # fmt: skip


def remove_user(user: str) -> Argv:
    return ["userdel", user]


def set_password_hash() -> Argv:
    """`user:hash` on standard input."""
    return ["chpasswd", "--encrypted"]


def no_password(user: str) -> Argv:
    return ["usermod", "--password", "!", user]


def expire(user: str) -> Argv:
    """Since 1970-01-02: PAM refuses the account whatever key or password is shown."""
    return ["usermod", "--expiredate", "1970-01-02", user]


def never_expire(user: str) -> Argv:
    return ["usermod", "--expiredate", "", user]


def end_processes(user: str) -> Argv:
    """The exit status is 1 when there was none."""
    return ["pkill", "-KILL", "-U", user]


# ---- volumes --------------------------------------------------------------------------------------------------------


def set_size(path: str, megabytes: int) -> Argv:
    """Makes a sparse file or lengthens one; it is never cut."""
    return ["truncate", "--size", f">{megabytes}M", path]


def make_file_system(path: str, *, content: str = "") -> Argv:
    """With a copy of the folder `content`, owners, modes and times as they are there."""
    return ["mkfs.ext4", "-q", "-F", "-m", "0", "-i", str(BYTES_PER_INODE), "-J", f"size={SMALL_JOURNAL_MB}",
            "-E", "root_owner=0:0,nodiscard", *(["-d", content] if content else []), path]  # fmt: skip


def check_file_system(path: str) -> Argv:
    """The exit status is 1 when something was mended."""
    return ["e2fsck", "-f", "-p", path]


def grow_file_system(path: str) -> Argv:
    return ["resize2fs", path]


def mount_to_read(volume: str, path: str) -> Argv:
    return ["mount", "-t", "ext4", "-o", "loop,ro,nosuid,nodev,noexec", volume, path]


def unmount(path: str) -> Argv:
    return ["umount", path]


def mounted(path: str) -> Argv:
    return ["mountpoint", "--quiet", path]


def sizes(path: str) -> Argv:
    """Bytes of a mounted file system: total, used, available."""
    return ["df", "--block-size=1", "--output=size,used,avail", path]


def apparent_size(folder: str) -> Argv:
    """Megabytes of all files by their lengths, holes included."""
    return ["du", "--apparent-size", "--block-size=1M", "--summarize", folder]


def stop_units(names: Sequence[str]) -> Argv:
    return ["systemctl", "stop", *names]


def start_units(names: Sequence[str]) -> Argv:
    return ["systemctl", "start", *names]


def reload_or_restart(unit: str) -> Argv:
    """Starts a unit that does not run."""
    return ["systemctl", "reload-or-restart", unit]


def enabled_units(names: Sequence[str]) -> Argv:
    """The exit status is not 0 unless each starts at boot."""
    return ["systemctl", "is-enabled", "--quiet", *names]


def remove_empty(path: str) -> Argv:
    """Only a folder with nothing in it: a volume that is still mounted is never emptied by mistake."""
    return ["rmdir", "--", path]


# ---- sites ----------------------------------------------------------------------------------------------------------


def check_candidate(file: str) -> Argv:
    return ["nginx", "-t", "-c", file]


def check_php() -> Argv:
    return [f"php-fpm{PHP}", "--test"]


def reload_php() -> Argv:
    return ["systemctl", "reload", f"php{PHP}-fpm.service"]


def first_entry(folder: str) -> Argv:
    """Prints one path where there is anything in the folder."""
    return ["find", folder, "-mindepth", "1", "-maxdepth", "1", "-print", "-quit"]


def copy_unless_there(source: str, target: str) -> Argv:
    return ["cp", "--update=none", source, target]


def ask(domain: str, path: str = "/") -> Argv:
    """The site's own answer over HTTP on the loopback, its status on a line of its own behind the body."""
    here = ["--noproxy", "*", "--resolve", f"{domain}:80:127.0.0.1"]
    return ["curl", "--silent", "--show-error", "--max-time", "5", *here, "--write-out", "\\n%{http_code}",
            f"http://{domain}{path}"]  # fmt: skip


def served_names(folders: Sequence[str]) -> Argv:
    """The `server_name` lines of all sites; the exit status is 1 when there is none."""
    return ["grep", "--recursive", "--no-filename", "--word-regexp", "--", "server_name", *folders]


# ---- back-ups -------------------------------------------------------------------------------------------------------


def pack(home: str, target: str) -> Argv:
    """The exit status is 1 when a file changed while it was read. Links are stored, not followed."""
    return ["tar", "--create", "--gzip", "--numeric-owner", "--one-file-system", "--file", target,
            "--directory", home, "public", "private"]  # fmt: skip


def unpack(home: str) -> Argv:
    """From standard input, to be run as the customer."""
    return ["tar", "--extract", "--gzip", "--no-same-owner", "--no-overwrite-dir", "--directory", home, "--file", "-"]


def digest(path: str) -> Argv:
    return ["sha256sum", "--", path]


def file_size(path: str) -> Argv:
    return ["stat", "--format", "%s", "--", path]


def list_names(folder: str) -> Argv:
    return ["ls", "-1", "--", folder]
