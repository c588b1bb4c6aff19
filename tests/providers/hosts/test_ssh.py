"""The executor: nothing to a stranger, lines as they come, secrets in no line, and a cut line noticed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import asyncssh
import pytest

from providers.errors import CommandFailed, HostKeyMismatch, HostUnreachable, Transient, Unauthorized
from providers.hosts.cloud_init import new_keypair
from providers.hosts.ssh import connect
from providers.hosts.target import HostTarget
from tests.providers.hosts.conftest import Subject


@dataclass
class Impostor:
    """A server at the right address with another key. Writes down whatever a client tries after the key exchange."""

    port: int
    seen: list[str] = field(default_factory=list)


class _Server(asyncssh.SSHServer):
    def __init__(self, impostor: Impostor) -> None:
        self._impostor = impostor

    def begin_auth(self, username: str) -> bool:
        self._impostor.seen.append(f"auth {username}")
        return False  # everybody is welcome


@pytest.fixture(params=["ssh-ed25519", "ssh-rsa"])
async def impostor(request: pytest.FixtureRequest) -> AsyncIterator[Impostor]:
    made = Impostor(0)

    async def process(process: asyncssh.SSHServerProcess[str]) -> None:
        made.seen.append(f"run {process.command}")
        process.exit(0)

    server = await asyncssh.listen(
        "127.0.0.1", 0, server_factory=lambda: _Server(made), process_factory=process,
        server_host_keys=[asyncssh.generate_private_key(request.param)],
    )  # fmt: skip
    made.port = server.get_port()
    yield made
    server.close()
    await server.wait_closed()


class TestStrictness:
    async def test_an_impostor_gets_no_byte(self, impostor: Impostor) -> None:
        private, _ = new_keypair()
        _, pinned = new_keypair()
        target = HostTarget(address="127.0.0.1", port=impostor.port, private_key=private, host_key=pinned)
        with pytest.raises(HostKeyMismatch, match="nothing was sent"):
            async with connect(target) as host:
                await host.put("/srv/.env.production", "JWT_SECRET=x", mode=0o600)
        await asyncio.sleep(0.05)
        assert impostor.seen == []

    async def test_a_key_changed_after_birth_is_refused(self, subject: Subject) -> None:
        subject.driver.fault(subject.name, "wrong_host_key", times=1)
        with pytest.raises(HostKeyMismatch):
            async with connect(subject.root):
                pass
        assert list(subject.machine.commands) == []

    async def test_a_foreign_client_key_is_unauthorized(self, subject: Subject) -> None:
        with pytest.raises(Unauthorized):
            async with connect(subject.root.model_copy(update={"private_key": new_keypair()[0]})):
                pass

    async def test_nobody_listens_is_unreachable(self, subject: Subject) -> None:
        subject.driver.fault(subject.name, "refuse_ssh")
        with pytest.raises(HostUnreachable, match="does not answer"):
            async with connect(subject.root, connect_timeout=2):
                pass

    async def test_the_private_key_shows_nowhere(self, subject: Subject) -> None:
        assert subject.root.private_key not in repr(subject.root)
        assert subject.root.private_key.splitlines()[1] not in str(connect(subject.root).__dict__["target"])


class TestCommands:
    async def test_lines_arrive_with_their_stream_and_the_command_itself(self, subject: Subject) -> None:
        async with connect(subject.root, on_line=subject.story.sink) as host:
            result = await host.run(["cat", "/etc/os-release"])
            assert "VERSION_ID" in result.stdout
            await host.run(["cat", "/nothing"], check=False)
        assert subject.story.lines[0] == ("command", "cat /etc/os-release")
        assert ("stdout", "ID=debian") in subject.story.lines
        assert subject.story.lines[-1][0] == "stderr"

    async def test_a_failure_carries_status_and_last_lines(self, subject: Subject) -> None:
        async with connect(subject.root) as host:
            with pytest.raises(CommandFailed, match="No such file") as caught:
                await host.run(["cat", "/nothing"])
        assert caught.value.exit_status == 1

    async def test_an_unknown_program_is_127(self, subject: Subject) -> None:
        async with connect(subject.root) as host:
            assert (await host.run(["certbot", "renew"], check=False)).exit_status == 127
        assert subject.machine.unknown == ["certbot renew"]

    async def test_a_command_that_does_not_end_is_transient(self, subject: Subject) -> None:
        subject.driver.fault(subject.name, "cloud_init_running", seconds=20)
        async with connect(subject.root) as host:
            with pytest.raises(Transient, match="did not end within"):
                await host.run(["cloud-init", "status", "--wait"], timeout=0.2)

    async def test_a_connection_dropped_in_the_middle_is_unreachable(self, subject: Subject) -> None:
        subject.driver.fault(subject.name, "drop", times=1, match="os-release")
        async with connect(subject.root) as host:
            with pytest.raises(HostUnreachable, match="lost in `cat /etc/os-release`"):
                await host.run(["cat", "/etc/os-release"])
            with pytest.raises(HostUnreachable):
                await host.read("/etc/os-release")

    async def test_words_are_quoted_once_and_never_interpreted(self, subject: Subject) -> None:
        async with connect(subject.root) as host:
            await host.run(["cat", "/tmp/$(id); rm -rf /"], check=False)
        assert subject.machine.commands[-1] == ("root", "cat '/tmp/$(id); rm -rf /'")


class TestRedaction:
    async def test_known_values_leave_neither_lines_nor_results_nor_errors(self, subject: Subject) -> None:
        secret = "s3cr$t'val\"ue"
        subject.machine.tree.write("/etc/leak", f"one {secret}\ntwo s3cr%24t%27val%22ue\n".encode())
        async with connect(subject.root, on_line=subject.story.sink, redact=[secret]) as host:
            result = await host.run(["cat", "/etc/leak"])
            assert result.stdout == "one [REDACTED]\ntwo [REDACTED]\n"
            with pytest.raises(CommandFailed) as caught:
                await host.run(["cat", f"/{secret}"])
        assert secret not in str(caught.value)
        assert secret not in str(subject.story.lines)

    async def test_standard_input_marked_secret_is_redacted_too(self, subject: Subject) -> None:
        async with connect(subject.root, on_line=subject.story.sink) as host:
            result = await host.run(["cat", "/hunter22"], input="hunter22", secret_input=True, check=False)
        assert "hunter22" not in result.stderr + str(subject.story.lines)


class TestFiles:
    async def test_a_file_is_written_once(self, subject: Subject) -> None:
        async with connect(subject.root) as host:
            assert await host.put("/etc/one", "text\n", mode=0o600) is True
            assert await host.put("/etc/one", "text\n", mode=0o600) is False
            assert await host.put("/etc/one", "text\n", mode=0o644) is True
            assert await host.put("/etc/one", b"\x00\xff", mode=0o644) is True
            assert await host.exists("/etc/one")
            assert await host.read("/etc/two") is None
        node = subject.machine.tree.get("/etc/one")
        assert (node.data, node.mode) == (b"\x00\xff", 0o644)
        assert [n for n in subject.machine.tree.children("/etc") if n.endswith(".new")] == []

    async def test_a_missing_folder_is_a_failed_command(self, subject: Subject) -> None:
        async with connect(subject.root) as host:
            with pytest.raises(CommandFailed, match="writing /no/such/place"):
                await host.put("/no/such/place", "x", mode=0o600)
