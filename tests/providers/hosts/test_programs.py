"""Programs whose streams are worked from here: bytes both ways, their end, and a connection that is lost meanwhile."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

import asyncssh
import pytest

from providers.errors import CommandFailed, HostUnreachable
from providers.hosts.cloud_init import new_keypair
from providers.hosts.programs import Program
from providers.hosts.ssh import connect
from providers.hosts.target import HostTarget

PIECE = bytes(range(256)) * 1024


class _Open(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return False


async def _serve(process: asyncssh.SSHServerProcess[bytes]) -> None:
    """`cat`, a program that complains, and a line that is cut."""
    match process.command:
        case "cat":
            while data := await process.stdin.read(65536):
                process.stdout.write(data)
                await process.stdout.drain()
            process.exit(0)
        case "complain secret-value":
            process.stderr.write(b"x" * 100_000 + b"\nno such secret-value\n")
            process.exit(3)
        case _:
            process.stdout.write(PIECE)
            await process.stdout.drain()
            process.channel.get_connection().abort()


@pytest.fixture(scope="module")
async def target() -> AsyncIterator[HostTarget]:
    host_private, host_public = new_keypair()
    server = await asyncssh.listen(
        "127.0.0.1", 0, server_factory=_Open, process_factory=_serve, encoding=None,
        server_host_keys=[asyncssh.import_private_key(host_private)],
    )  # fmt: skip
    yield HostTarget(address="127.0.0.1", port=server.get_port(), private_key=new_keypair()[0], host_key=host_public)
    server.close()
    await server.wait_closed()


async def test_bytes_pass_both_ways_unchanged_while_it_runs(target: HostTarget) -> None:
    digest, size = hashlib.sha256(), 0
    async with connect(target) as host, host.start(["cat"]) as program:
        for _ in range(10):
            await program.write(PIECE)
            while size % len(PIECE) or not size:
                chunk = await program.read()
                digest.update(chunk)
                size += len(chunk)
            size = 0
        await program.end()
    assert digest.digest() == hashlib.sha256(PIECE * 10).digest()


async def test_a_failure_carries_the_end_of_what_it_complained_redacted(target: HostTarget) -> None:
    async with connect(target, redact=["secret-value"]) as host, host.start(["complain", "secret-value"]) as program:
        assert [chunk async for chunk in program.chunks()] == []
        with pytest.raises(CommandFailed, match=r"ended with 3:\n.*no such \[REDACTED\]") as caught:
            await program.end()
    assert caught.value.exit_status == 3
    assert "secret-value" not in str(caught.value) + caught.value.output


async def test_a_connection_lost_meanwhile_is_no_end_of_the_data(target: HostTarget) -> None:
    async with connect(target) as host, host.start(["download"]) as program:
        with pytest.raises(HostUnreachable, match="lost in `download`"):
            await _whole(program)


async def _whole(program: Program) -> None:
    async for _ in program.chunks():
        pass
    await program.end()
