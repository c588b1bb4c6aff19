"""The one place that runs commands on a host: asyncssh with a pinned host key, and nothing taken from this machine.

No agent, no configuration files, no trust on first use: only the key a server was given at birth is accepted, and
before that is proven nothing is sent. A connection lost in the middle of a command is HostUnreachable; whoever calls
checks before acting, so a repeat is safe.
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Literal

import asyncssh
from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from domain.errors import clip
from providers.errors import (
    CommandFailed,
    DiskFull,
    HostKeyMismatch,
    HostUnreachable,
    ProviderError,
    Transient,
    Unauthorized,
)
from providers.hosts import files
from providers.hosts.files import FULL
from providers.hosts.programs import Program
from providers.hosts.redaction import Redactor
from providers.hosts.target import HostTarget

LineSink = Callable[[str, str], Awaitable[None]]
Show = Literal["all", "command", "nothing"]

KEEPALIVE_SECONDS = 5.0
KEEPALIVE_MISSES = 3  # so a cut line is noticed after about 15 s
# Authenticated ciphers every OpenSSH knows, those first that cost asyncssh least.
CIPHERS = ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com"]
KEPT_OUTPUT = 1_000_000  # characters of a stream that are kept; more is dropped from the front
LONGEST_LINE = 8_000

_tracer = trace.get_tracer("slipway.hosts")


@dataclass(frozen=True)
class CommandResult:
    """How a command ended. Both streams are redacted already."""

    exit_status: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        return self.exit_status == 0

    def tail(self, lines: int = 15) -> str:
        """The last lines of both streams: what an operator needs to see of a failure."""
        text = [line for line in (*self.stdout.splitlines(), *self.stderr.splitlines()) if line.strip()]
        return "\n".join(text[-lines:])


def connect(
    target: HostTarget,
    *,
    on_line: LineSink | None = None,
    redact: Iterable[str] = (),
    connect_timeout: float = 10,
) -> Host:
    """A host to be entered with `async with`; see `Host` for what may be raised."""
    return Host(target, on_line=on_line, redact=redact, connect_timeout=connect_timeout)


class Host:
    """One SSH connection.

    Raises HostUnreachable (refused, timed out, dropped), HostKeyMismatch (another key than the pinned one; nothing was
    sent), Unauthorized (the host does not accept our key for this user), CommandFailed, DiskFull, and Transient for a
    command that does not end in its time.
    """

    def __init__(
        self, target: HostTarget, *, on_line: LineSink | None, redact: Iterable[str], connect_timeout: float
    ) -> None:
        self.target = target
        self._on_line = on_line
        self._redact = Redactor((target.private_key, *redact))
        self._connect_timeout = connect_timeout
        self._connection: asyncssh.SSHClientConnection | None = None
        self._files: asyncssh.SFTPClient | None = None

    @property
    def user(self) -> str:
        return self.target.user

    def redacted(self, text: str) -> str:
        return self._redact(text)

    # ---- connection --------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Host:
        target, place = self.target, f"{self.target.user}@{self.target.address}:{self.target.port}"
        pinned = asyncssh.import_public_key(target.host_key)
        try:
            self._connection = await asyncssh.connect(
                target.address,
                target.port,
                username=target.user,
                config=None,
                known_hosts=([pinned], [], []),
                server_host_key_algs=host_key_algorithms(pinned),
                client_keys=[asyncssh.import_private_key(target.private_key)],
                agent_path=None,
                agent_forwarding=False,
                x509_trusted_certs=None,
                preferred_auth="publickey",
                public_key_auth=True,
                password_auth=False,
                kbdint_auth=False,
                host_based_auth=False,
                gss_host=None,
                compression_algs=None,
                encryption_algs=CIPHERS,
                keepalive_interval=KEEPALIVE_SECONDS,
                keepalive_count_max=KEEPALIVE_MISSES,
                connect_timeout=self._connect_timeout,
                login_timeout=self._connect_timeout,
            )
        except asyncssh.HostKeyNotVerifiable as error:
            raise HostKeyMismatch(
                f"{place} does not hold the host key this server was given at birth; nothing was sent to it"
            ) from error
        except asyncssh.KeyExchangeFailed as error:
            # The only algorithm offered is the pinned key's: a host without such a key is another host.
            if "host key" in str(error).lower():
                raise HostKeyMismatch(f"{place} offers no key of the pinned kind; nothing was sent to it") from error
            raise HostUnreachable(f"{place}: {error}") from error
        except asyncssh.PermissionDenied as error:
            raise Unauthorized(f"{place} does not accept this server's key") from error
        except (OSError, asyncssh.Error, TimeoutError) as error:
            raise HostUnreachable(f"{place} does not answer: {_reason(error)}") from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace_back: TracebackType | None
    ) -> None:
        connection, self._connection, self._files = self._connection, None, None
        if connection is not None:
            connection.close()
            with contextlib.suppress(OSError, asyncssh.Error, TimeoutError):
                await asyncio.wait_for(connection.wait_closed(), 5)

    def _open(self) -> asyncssh.SSHClientConnection:
        if self._connection is None:
            raise RuntimeError("the host is used outside of its `async with` block")
        return self._connection

    # ---- commands ----------------------------------------------------------------------------------------------------

    async def run(
        self,
        argv: Sequence[str],
        *,
        input: str | None = None,
        timeout: float = 60,
        check: bool = True,
        secret_input: bool = False,
        show: Show = "all",
        keep: Callable[[str], bool] | None = None,
    ) -> CommandResult:
        """Run one program and stream its lines to the sink as they come.

        `show` says how much of it the sink gets, `keep` which lines; the result always holds all. `secret_input` adds
        `input` to what is redacted. With `check`, another exit status than 0 is CommandFailed or DiskFull.
        """
        redact = self._redact if not secret_input else _both(self._redact, Redactor([input or ""]))
        line = shlex.join(argv)
        about = {"host": self.target.address, "user": self.target.user, "argv": [redact(word) for word in argv]}
        with _tracer.start_as_current_span("host.run", kind=SpanKind.CLIENT, attributes=about) as span:
            if show != "nothing":
                await self._say("command", redact(line))
            try:
                result = await asyncio.wait_for(self._execute(line, input, redact, show, keep), timeout)
            except TimeoutError as error:
                raise Transient(f"`{argv[0]}` did not end within {timeout:.0f} s: {redact(clip(line, 300))}") from error
            except (OSError, asyncssh.Error) as error:
                raise self._lost(redact(line), error) from error
            span.set_attribute("exit_status", result.exit_status)
            if check and not result.ok:
                span.set_status(Status(StatusCode.ERROR, f"exit status {result.exit_status}"))
        if check and not result.ok:
            raise failure(argv, result)
        return result

    @contextlib.asynccontextmanager
    async def start(self, argv: Sequence[str], *, show: Show = "command") -> AsyncIterator[Program]:
        """A program whose streams the caller works, in bytes: for what is too big to keep, or is to stay running.

        When the block is left the program loses its input and its outlet, so that it ends.
        """
        line = self._redact(shlex.join(argv))
        if show != "nothing":
            await self._say("command", line)
        try:
            process = await self._open().create_process(shlex.join(argv), encoding=None)
        except (OSError, asyncssh.Error) as error:
            raise self._lost(line, error) from error
        async with Program(process, argv, self._redact, lambda error: self._lost(line, error)) as program:
            yield program

    async def _execute(
        self,
        line: str,
        input: str | None,
        redact: Callable[[str], str],
        show: Show,
        keep: Callable[[str], bool] | None,
    ) -> CommandResult:
        process = await self._open().create_process(line, encoding="utf-8", errors="replace")
        readers = [
            asyncio.create_task(self._read(stream, name, redact, show, keep))
            for stream, name in ((process.stdout, "stdout"), (process.stderr, "stderr"))
        ]
        try:
            if input is not None:
                process.stdin.write(input)
            process.stdin.write_eof()
            outputs = await asyncio.gather(*readers)
            await process.wait_closed()
        finally:
            process.close()
            for reader in readers:
                reader.cancel()
            await asyncio.gather(*readers, return_exceptions=True)
        status = process.returncode
        if status is None:
            raise asyncssh.ConnectionLost("the connection ended before the command did")
        return CommandResult(status, *outputs)

    async def _read(
        self,
        stream: asyncssh.SSHReader[str],
        name: str,
        redact: Callable[[str], str],
        show: Show,
        keep: Callable[[str], bool] | None,
    ) -> str:
        """Read to the end. Only whole lines are redacted and passed on, so no secret slips through in two halves."""
        kept, rest = "", ""
        while chunk := await stream.read(65536):
            *lines, rest = (rest + chunk.replace("\r\n", "\n").replace("\r", "\n")).split("\n")
            for line in lines:
                await self._pass_on(redact(line), name, show, keep)
            kept = (kept + "".join(f"{redact(line)}\n" for line in lines))[-KEPT_OUTPUT:]
            if len(rest) > KEPT_OUTPUT:
                rest = rest[-KEPT_OUTPUT:]
        if rest:
            await self._pass_on(redact(rest), name, show, keep)
        return redact(kept + rest)  # once more over the whole: a value may span lines

    async def _pass_on(self, line: str, name: str, show: Show, keep: Callable[[str], bool] | None) -> None:
        if show == "all" and line.strip() and (keep is None or keep(line)):
            await self._say(name, line[:LONGEST_LINE].rstrip())

    async def _say(self, stream: str, text: str) -> None:
        if self._on_line is not None:
            await self._on_line(stream, text)

    def _lost(self, doing: str, error: BaseException) -> HostUnreachable:
        place = f"{self.target.user}@{self.target.address}"
        return HostUnreachable(f"the connection to {place} was lost in `{clip(doing, 300)}`: {_reason(error)}")

    # ---- files -------------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _sftp(self, doing: str) -> AsyncIterator[asyncssh.SFTPClient]:
        try:
            if self._files is None:
                self._files = await self._open().start_sftp_client()
            yield self._files
        except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection) as error:
            raise self._lost(doing, error) from error
        except asyncssh.SFTPError as error:
            if FULL.lower() in str(error).lower():
                raise DiskFull(f"{doing}: {FULL}") from error
            raise CommandFailed(f"{doing}: {self._redact(str(error))}") from error
        except (OSError, asyncssh.Error) as error:
            raise self._lost(doing, error) from error

    async def put(self, path: str, content: bytes | str, *, mode: int) -> bool:
        """Write a file whole or not at all (a temporary name, then a rename). False when it is so already."""
        data = content.encode() if isinstance(content, str) else content
        async with self._sftp(f"writing {path}") as sftp:
            if await files.is_so(sftp, path, data, mode):
                return False
            await files.replace(sftp, path, data, mode)
        return True

    async def content(self, path: str) -> bytes | None:
        """A file as it is, or None where there is none."""
        async with self._sftp(f"reading {path}") as sftp:
            try:
                return await files.content(sftp, path)
            except asyncssh.SFTPNoSuchFile:
                return None
        raise AssertionError("unreachable")

    async def read(self, path: str) -> str | None:
        """A text file, or None where there is none."""
        found = await self.content(path)
        return None if found is None else found.decode("utf-8", "replace")

    async def exists(self, path: str) -> bool:
        async with self._sftp(f"looking for {path}") as sftp:
            try:
                await sftp.lstat(path)
            except asyncssh.SFTPNoSuchFile:
                return False
            return True
        raise AssertionError("unreachable")


def host_key_algorithms(pinned: asyncssh.SSHKey) -> list[str]:
    """Those of the pinned key, so that a host cannot answer with another one. RSA signs with SHA-2 only (RFC 8332)."""
    return ["rsa-sha2-512", "rsa-sha2-256"] if pinned.get_algorithm() == "ssh-rsa" else [pinned.get_algorithm()]


def failure(argv: Sequence[str], result: CommandResult) -> ProviderError:
    """The error of a command that ended badly; its text holds the last lines, redacted."""
    tail = result.tail()
    kind = DiskFull if FULL.lower() in (result.stdout + result.stderr).lower() else CommandFailed
    message = f"`{clip(shlex.join(argv), 300)}` ended with {result.exit_status}"
    return kind(f"{message}:\n{tail}" if tail else message, exit_status=result.exit_status, output=tail)


def _both(first: Callable[[str], str], second: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: second(first(text))


def _reason(error: BaseException) -> str:
    return clip(str(error) or type(error).__name__, 300)
