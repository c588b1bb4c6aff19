"""What a new server is told at birth: its name, its SSH host key and the one key that may sign in.

The host key is made here before the server exists, so it can be pinned before the first connection. The document holds
that private key: it goes to the cloud and nowhere else.
"""

from __future__ import annotations

from typing import Any

import asyncssh
import bcrypt
import yaml

HEADER = "#cloud-config\n"


def new_keypair() -> tuple[str, str]:
    """(private key in OpenSSH format, public key line), ed25519 (R330)."""
    key = asyncssh.generate_private_key("ssh-ed25519", comment="slipway")
    return key.export_private_key().decode(), key.export_public_key().decode().strip()


def public_line(private_key: str) -> str:
    """The public key line of a private key in OpenSSH or PEM format. ValueError when it is none."""
    try:
        return asyncssh.import_private_key(private_key).export_public_key().decode().strip()
    except asyncssh.KeyImportError as error:
        raise ValueError("the private key is not readable") from error


def user_data(
    *, hostname: str, authorized_key: str, host_private_key: str, host_public_key: str, apt_source: str = ""
) -> str:
    """A cloud-config document. `apt_source` is one line that replaces every package source of the image.

    Keys: https://docs.cloud-init.io/en/latest/reference/modules.html (Hostname, SSH, Users and Groups, Write Files).
    """
    document: dict[str, Any] = {
        "hostname": hostname,
        "manage_etc_hosts": True,
        # Only root, only by our key, until step 1 has made the deploy user and closed root's door.
        "users": [],
        "disable_root": False,
        "ssh_pwauth": False,
        "ssh_authorized_keys": [authorized_key.strip()],
        # The image's own host keys go, and none but the given one is made.
        "ssh_deletekeys": True,
        "ssh_keys": {"ed25519_private": _ended(host_private_key), "ed25519_public": host_public_key.strip()},
        "package_update": False,
        "package_upgrade": False,
    }
    if apt_source:
        document["apt"] = {"preserve_sources_list": True}
        document["write_files"] = [
            {"path": "/etc/apt/sources.list", "content": _ended(apt_source), "permissions": "0644"},
            # Images keep Debian's own sources here; emptied, it adds nothing to the given one.
            {"path": "/etc/apt/sources.list.d/debian.sources", "content": "", "permissions": "0644"},
        ]
    return HEADER + yaml.safe_dump(document, sort_keys=False, default_flow_style=False, width=4096)


def with_root_password(customers: str, password: str) -> str:
    """The customer's own user data with a root password that must be changed at the first login (X21).

    Where there is user data of any kind, both travel as a cloud-config archive, which takes each part as it is.
    https://docs.cloud-init.io/en/latest/explanation/format.html (Cloud config archive), module Set Passwords.
    """
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(12)).decode()
    document: dict[str, Any] = {
        "ssh_pwauth": True,
        "disable_root": False,
        "chpasswd": {"expire": True, "users": [{"name": "root", "password": hashed, "type": "hash"}]},
        # Written before sshd starts. Of two settings sshd takes the first, and images bring files of their own.
        "write_files": [{"path": "/etc/ssh/sshd_config.d/00-root-password.conf",
                         "content": "PermitRootLogin yes\nPasswordAuthentication yes\n"}],
    }  # fmt: skip
    if not customers:
        return HEADER + yaml.safe_dump(document, sort_keys=False)
    # The last part says how it is merged: lists grow, and what the customer has set stays as it is.
    document["merge_how"] = "dict(no_replace,recurse_list)+list(append)+str()"
    parts = [{"content": customers},
             {"type": "text/cloud-config", "content": HEADER + yaml.safe_dump(document, sort_keys=False)}]  # fmt: skip
    return "#cloud-config-archive\n" + yaml.safe_dump(parts, sort_keys=False)


def _ended(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"
