"""A TLS key's change on its server: a fresh one beside it, put in its place together with the certificate for it.

    tls.key         in use
    tls.key.next    made for a CSR, or brought with an uploaded certificate; not in use yet
    tls.key.old     was in use; kept until the web server has read the new pair, then removed

Every step is a rename, so a change that broke off is gone on with, or taken back, and no key is read back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from providers.hosts import commands
from providers.hosts.ssh import Host

PublicHalf = Callable[[Host, str], Awaitable[bytes]]


def next_of(key_file: str) -> str:
    return f"{key_file}.next"


def old_of(key_file: str) -> str:
    return f"{key_file}.old"


async def use(host: Host, key_file: str, spki: bytes, public_half: PublicHalf) -> bool:
    """Have the key of this public half (DER) in use. False: the server has none; nothing was changed then."""
    if await host.exists(key_file) and await public_half(host, key_file) == spki:
        return True
    fresh = next_of(key_file)
    if not await host.exists(fresh) or await public_half(host, fresh) != spki:
        return False
    if await host.exists(key_file):
        await host.run(commands.rename(key_file, old_of(key_file)), show="command")
    await host.run(commands.rename(fresh, key_file), show="command")
    return True


async def bring(host: Host, key_file: str, key_pem: str) -> None:
    """Lay a private key that came with an uploaded certificate beside the one in use. A fresh one there is lost."""
    await host.run(commands.make_directories([key_file.rpartition("/")[0]], mode="0700"), show="command")
    await host.put(next_of(key_file), key_pem, mode=0o600)


async def discard_next(host: Host, key_file: str) -> None:
    await host.run(commands.remove_file(next_of(key_file)), show="command")


async def take_back(host: Host, key_file: str) -> None:
    """The key as it was before `use`; nothing where it changed nothing."""
    if await host.exists(old_of(key_file)):
        await host.run(commands.rename(key_file, next_of(key_file)), show="command")
        await host.run(commands.rename(old_of(key_file), key_file), show="command")


async def forget_old(host: Host, key_file: str) -> None:
    if await host.exists(old_of(key_file)):
        await host.run(commands.remove_file(old_of(key_file)), show="command")
