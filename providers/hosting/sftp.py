"""Who may use SFTP for an account: public keys, and a password of which only the hash is ever known here."""

from __future__ import annotations

import re
from collections.abc import Sequence

import asyncssh
from pydantic import SecretStr

from providers.errors import InvalidInput
from providers.hosting import commands
from providers.hosting.account import Account
from providers.hosting.locks import exclusive
from providers.hosting.ownership import require_user
from providers.hosts import commands as general
from providers.hosts.packages import Say
from providers.hosts.ssh import Host

# yescrypt, SHA-512 and bcrypt in crypt(5)'s form. A colon or a line break would reach another user's line.
_HASH = re.compile(r"\$(?:y|6|2[aby])\$[./A-Za-z0-9$=]{20,200}")
_NONE = ("", "!", "*", "!!")


async def ensure_keys(host: Host, account: Account, keys: Sequence[str], say: Say) -> bool:
    """Exactly these public keys may sign in; none at all where the list is empty. Whether anything changed.

    InvalidInput (field `keys`) for what is no public key, or has options in front of it.
    """
    text = "".join(f"{_plain(key)}\n" for key in keys)
    async with exclusive(host):
        await require_user(host, account)
        if not text:
            changed = await host.exists(account.keys_file)
            await host.run(general.remove_file(account.keys_file), show="command")
        else:
            # sshd reads it as the user. It holds nothing secret.
            changed = await host.put(account.keys_file, text, mode=0o644)
    await say(f"SFTP keys of {account.system_user}: {f'{len(keys)} set' if changed else 'already present'}")
    return changed


async def ensure_password(host: Host, account: Account, password_hash: SecretStr | None, say: Say) -> bool:
    """The password whose crypt(5) hash this is may sign in; with None no password may. Whether anything changed.

    InvalidInput (field `password_hash`) for a hash of another kind than yescrypt, SHA-512 or bcrypt.
    """
    wanted = password_hash.get_secret_value() if password_hash is not None else None
    if wanted is not None and not _HASH.fullmatch(wanted):
        raise InvalidInput("the password's hash is none of yescrypt, SHA-512 or bcrypt", field="password_hash")
    async with exclusive(host):
        await require_user(host, account)
        entry = await host.run(commands.shadow_entry(account.system_user), show="nothing")
        found = [*entry.stdout.strip().split(":"), ""][1]
        changed = found not in _NONE if wanted is None else found != wanted
        if changed and wanted is None:
            await host.run(commands.no_password(account.system_user), show="command")
        elif changed:
            line = f"{account.system_user}:{wanted}\n"
            await host.run(commands.set_password_hash(), input=line, secret_input=True, show="command")
    await say(f"SFTP password of {account.system_user}: {'changed' if changed else 'already present'}")
    return changed


def _plain(key: str) -> str:
    """The key alone, in one line: comments, options and line breaks of whoever gave it are left behind."""
    try:
        return " ".join(asyncssh.import_public_key(key.strip()).export_public_key().decode().split()[:2])
    except (asyncssh.KeyImportError, ValueError) as error:
        raise InvalidInput("this is no public key in OpenSSH's form", field="keys") from error
