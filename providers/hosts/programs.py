"""A program that runs on a host while its streams are worked from here, in bytes: uploads, downloads, held locks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType

import asyncssh

from providers.errors import CommandFailed, HostUnreachable

CHUNK = 256 * 1024
KEPT_ERRORS = 8_000  # bytes of stderr that are kept
KEPT_LINES = 15

Lost = Callable[[BaseException], HostUnreachable]


class Program:
    """Made by `Host.start`. Each call raises HostUnreachable when the connection is lost in it."""

    def __init__(
        self,
        process: asyncssh.SSHClientProcess[bytes],
        argv: Sequence[str],
        redact: Callable[[str], str],
        lost: Lost,
    ) -> None:
        self._process = process
        self._name = argv[0]
        self._redact = redact
        self._lost = lost
        self._errors = b""
        # Read all the time: a program whose complaints nobody takes would stop at a full pipe.
        self._listener = asyncio.create_task(self._listen())

    async def __aenter__(self) -> Program:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace_back: TracebackType | None
    ) -> None:
        self._process.close()
        self._listener.cancel()
        await asyncio.gather(self._listener, return_exceptions=True)

    async def _listen(self) -> None:
        with contextlib.suppress(OSError, asyncssh.Error):
            while chunk := await self._process.stderr.read(65536):
                self._errors = (self._errors + chunk)[-KEPT_ERRORS:]

    def _complaint(self) -> str:
        """The last lines of stderr, whole ones only: the redactor would not know the half of a secret."""
        text = self._errors.decode("utf-8", "replace")
        if len(self._errors) == KEPT_ERRORS:
            text = text.partition("\n")[2]
        return "\n".join(self._redact(text).strip().splitlines()[-KEPT_LINES:])

    async def read(self, size: int = CHUNK) -> bytes:
        """Up to `size` bytes of what it prints; none at its end."""
        try:
            return await self._process.stdout.read(size)
        except (OSError, asyncssh.Error) as error:
            raise self._lost(error) from error

    async def chunks(self) -> AsyncIterator[bytes]:
        while chunk := await self.read():
            yield chunk

    async def write(self, data: bytes) -> None:
        try:
            self._process.stdin.write(data)
            await self._process.stdin.drain()
        except BrokenPipeError:
            return  # it stopped reading; its exit status says why
        except (OSError, asyncssh.Error) as error:
            raise self._lost(error) from error

    async def end(self) -> None:
        """Close its input and wait for its end. CommandFailed when its exit status is not 0."""
        with contextlib.suppress(OSError):  # it may have ended already
            self._process.stdin.write_eof()
        try:
            await self._process.wait_closed()
        except (OSError, asyncssh.Error) as error:
            raise self._lost(error) from error
        status = self._process.returncode
        if status is None:
            raise self._lost(asyncssh.ConnectionLost("the connection ended before the program did"))
        if status != 0:
            await asyncio.gather(self._listener, return_exceptions=True)
            said = self._complaint()
            raise CommandFailed(f"`{self._name}` ended with {status}:\n{said}", exit_status=status, output=said)
