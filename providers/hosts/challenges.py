"""HTTP-01 answers on a host (RFC 8555 §8.3): a folder that nginx serves on port 80, and files put there for a while.

Values are public, tokens are the CA's. The folder belongs to whom we sign in as, so no customer can answer for another.
"""

from __future__ import annotations

import re

from providers.errors import InvalidInput
from providers.hosts import commands
from providers.hosts.ssh import Host

WELL_KNOWN = "/.well-known/acme-challenge/"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,128}")  # base64url


def location(folder: str) -> str:
    """What a server block on port 80 says, so that the CA finds there what was put into `folder`."""
    return f"""\
    location ^~ {WELL_KNOWN} {{
        root {folder};
        default_type text/plain;
        try_files $uri =404;
    }}
"""


async def publish(host: Host, folder: str, token: str, content: str) -> None:
    """InvalidInput(field='token') for what would be another file's name."""
    path = _file(folder, token)
    await host.run(commands.make_directories([folder, path.rpartition("/")[0]], mode="0755"), show="command")
    await host.put(path, content, mode=0o644)


async def withdraw(host: Host, folder: str, token: str) -> None:
    await host.run(commands.remove_file(_file(folder, token)), show="command")


def _file(folder: str, token: str) -> str:
    if not _TOKEN.fullmatch(token):
        raise InvalidInput("the challenge's token is no base64url", field="token")
    return f"{folder}{WELL_KNOWN}{token}"
