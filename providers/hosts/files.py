"""Files over SFTP: whole or not at all, only where something differs, and a full disk called by its name."""

from __future__ import annotations

import contextlib
import secrets
import stat

import asyncssh

from providers.errors import DiskFull

FULL = "No space left on device"


async def content(sftp: asyncssh.SFTPClient, path: str) -> bytes:
    async with sftp.open(path, "rb") as file:
        found = await file.read()
    return found.encode() if isinstance(found, str) else found


async def is_so(sftp: asyncssh.SFTPClient, path: str, data: bytes, mode: int) -> bool:
    """Whether the path is a regular file of this mode and content already."""
    try:
        found = await sftp.lstat(path)
        permissions = found.permissions or 0
        if not stat.S_ISREG(permissions) or stat.S_IMODE(permissions) != mode or found.size != len(data):
            return False
        return await content(sftp, path) == data
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPPermissionDenied):
        return False


async def replace(sftp: asyncssh.SFTPClient, path: str, data: bytes, mode: int) -> None:
    """Write under a temporary name, then rename. DiskFull, or the SFTP error."""
    temporary = f"{path}.{secrets.token_hex(4)}.new"
    try:
        # The mode is set at creation: at no moment may others read what is meant for the owner.
        async with sftp.open(temporary, "wb", asyncssh.SFTPAttrs(permissions=mode)) as file:
            await file.write(data)
        await sftp.chmod(temporary, mode)
        await sftp.posix_rename(temporary, path)
    except asyncssh.SFTPFailure as error:
        full = await _is_full(sftp, path, len(data))
        with contextlib.suppress(asyncssh.SFTPError):
            await sftp.remove(temporary)
        raise (DiskFull(f"writing {path}: {FULL}") if full else error) from error


async def _is_full(sftp: asyncssh.SFTPClient, path: str, wanted: int) -> bool:
    """OpenSSH answers a full disk with the one word "Failure", so the file system is asked."""
    try:
        found = await sftp.statvfs(path.rpartition("/")[0] or "/")
    except asyncssh.SFTPError:
        return False
    return (found.bavail or 0) * (found.frsize or 4096) < wanted + 65536 or found.favail == 0
