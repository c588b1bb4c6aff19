"""SFTP over a modelled host's tree, with the user's own rights and OpenSSH's way of answering."""

from __future__ import annotations

import errno
import posixpath
from dataclasses import dataclass

import asyncssh
from asyncssh import SFTPAttrs, SFTPName, SFTPServer, SFTPVFSAttrs

from sandbox.hosts.emulated.files import Node
from sandbox.hosts.emulated.machine import Machine

BLOCK = 4096
_CODES = {
    errno.ENOENT: asyncssh.SFTPNoSuchFile,
    errno.EACCES: asyncssh.SFTPPermissionDenied,
    errno.EPERM: asyncssh.SFTPPermissionDenied,
}


def _answer(error: OSError) -> asyncssh.SFTPError:
    """OpenSSH's server knows three words; all else, a full disk too, is "Failure"."""
    kind = _CODES.get(error.errno or 0)
    return kind(error.strerror or "") if kind else asyncssh.SFTPFailure("Failure")


@dataclass
class OpenFile:
    path: str
    data: bytearray
    writing: bool


class Sftp(SFTPServer):
    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], machine: Machine) -> None:
        super().__init__(channel)
        self._machine = machine
        self._who = machine.who(channel.get_extra_info("username"))
        machine.tree.full = machine.state.fault("disk_full") is not None

    def _stat(self, node: Node) -> SFTPAttrs:
        return SFTPAttrs(size=len(node.data), permissions=node.st_mode, uid=0, gid=0, atime=0, mtime=0)

    def open(self, path: bytes, pflags: int, attrs: SFTPAttrs) -> object:
        tree, name = self._machine.tree, path.decode()
        try:
            if not pflags & asyncssh.FXF_WRITE:
                return OpenFile(name, bytearray(tree.read(name, self._who)), False)
            tree.write(name, b"", who=self._who, mode=(attrs.permissions or 0o666) & 0o777)
        except OSError as error:
            raise _answer(error) from error
        return OpenFile(name, bytearray(), True)

    def read(self, file_obj: object, offset: int, size: int) -> bytes:
        assert isinstance(file_obj, OpenFile)
        return bytes(file_obj.data[offset : offset + size])

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        assert isinstance(file_obj, OpenFile)
        file_obj.data[offset : offset + len(data)] = data
        try:
            self._machine.tree.write(file_obj.path, bytes(file_obj.data), who=self._who)
        except OSError as error:
            raise _answer(error) from error
        return len(data)

    def close(self, file_obj: object) -> None:
        assert isinstance(file_obj, OpenFile)
        if file_obj.writing:
            self._machine.save()

    def fstat(self, file_obj: object) -> SFTPAttrs:
        assert isinstance(file_obj, OpenFile)
        return SFTPAttrs(size=len(file_obj.data), permissions=0o100644)

    def stat(self, path: bytes) -> SFTPAttrs:
        return self._look(path, follow=True)

    def lstat(self, path: bytes) -> SFTPAttrs:
        return self._look(path, follow=False)

    def _look(self, path: bytes, *, follow: bool) -> SFTPAttrs:
        try:
            return self._stat(self._machine.tree.get(path.decode(), follow=follow))
        except OSError as error:
            raise _answer(error) from error

    def setstat(self, path: bytes, attrs: SFTPAttrs) -> None:
        try:
            if attrs.permissions is not None:
                self._machine.tree.set_mode(path.decode(), attrs.permissions & 0o7777, who=self._who)
        except OSError as error:
            raise _answer(error) from error
        self._machine.save()

    def remove(self, path: bytes) -> None:
        try:
            self._machine.tree.remove(path.decode(), who=self._who)
        except OSError as error:
            raise _answer(error) from error
        self._machine.save()

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        try:
            self._machine.tree.rename(oldpath.decode(), newpath.decode(), who=self._who)
        except OSError as error:
            raise _answer(error) from error
        self._machine.save()

    def realpath(self, path: bytes) -> bytes:
        return posixpath.normpath(posixpath.join("/", path.decode())).encode()

    def readlink(self, path: bytes) -> bytes:
        return self._machine.tree.get(path.decode(), follow=False).data

    async def listdir(self, path: bytes) -> list[bytes]:
        return [name.encode() for name in self._machine.tree.children(path.decode())]

    async def scandir(self, path: bytes):  # type: ignore[no-untyped-def]
        for name in self._machine.tree.children(path.decode()):
            node = self._machine.tree.get(posixpath.join(path.decode(), name), follow=False)
            yield SFTPName(name.encode(), attrs=self._stat(node))

    def statvfs(self, path: bytes) -> SFTPVFSAttrs:
        free = 0 if self._machine.tree.full else self._machine.state.spec.disk_gb * (1 << 30) // BLOCK
        return SFTPVFSAttrs(bsize=BLOCK, frsize=BLOCK, blocks=free + 1, bfree=free, bavail=free, files=1 << 20,
                            ffree=1 << 19, favail=1 << 19)  # fmt: skip
