"""What of a modelled host is reachable: real sockets on its own address, opened only while something listens.

An idle host costs one listening socket a port: no task, no server object. Keys and TLS contexts are made when somebody
connects.
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import socket
import ssl
import tempfile
import time
from urllib.parse import urlsplit

import asyncssh

from sandbox.hosts.emulated import application
from sandbox.hosts.emulated.machine import Dropped, Machine
from sandbox.hosts.emulated.sftp import Sftp
from sandbox.hosts.emulated.webserver import Site

BACKLOG = 64
LARGEST_REQUEST = 1 << 20


class Network:
    """The ports of one machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._sockets: dict[int, tuple[str, socket.socket]] = {}
        self._connections: set[asyncssh.SSHServerConnection] = set()
        self._tasks: dict[asyncio.Task[None], socket.socket] = {}
        self._contexts: dict[str, tuple[tuple[bytes, bytes], ssl.SSLContext]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.plugged = True
        machine.changed = self.refresh

    def refresh(self) -> None:
        """Make what listens equal to what the machine says should."""
        wanted = self.machine.listening() if self.plugged else {}
        for port in [p for p, (what, _) in self._sockets.items() if wanted.get(p) != what]:
            self._close(port)
        for port, what in wanted.items():
            if port not in self._sockets:
                self._listen(port, what)
        self._look_again()

    def _look_again(self) -> None:
        """A fault that ends by the clock gives its port back by the clock."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        ends = [fault.until for fault in self.machine.state.faults if fault.until is not None and not fault.over]
        if ends and self.machine.state.running and self.plugged:
            wait = max(0.0, min(ends) - time.time()) + 0.01
            self._timer = asyncio.get_running_loop().call_later(wait, self.refresh)

    def cut(self) -> None:
        """Every connection ends without a word."""
        for connection in list(self._connections):
            connection.abort()
        for task in list(self._tasks):
            task.cancel()

    def _listen(self, port: int, what: str) -> None:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        try:
            listener.bind((self.machine.state.spec.address, port))
        except OSError:
            listener.close()
            raise
        listener.listen(BACKLOG)
        self._sockets[port] = (what, listener)
        asyncio.get_running_loop().add_reader(listener, self._accept, listener, what)

    def _close(self, port: int) -> None:
        _, listener = self._sockets.pop(port)
        asyncio.get_running_loop().remove_reader(listener)
        listener.close()

    def _accept(self, listener: socket.socket, what: str) -> None:
        try:
            accepted, _ = listener.accept()
        except OSError:
            return
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if what == "container":
            accepted.close()
            return
        serve = self._serve_ssh(accepted) if what == "ssh" else self._serve_web(accepted, tls=what == "tls")
        task = asyncio.get_running_loop().create_task(serve)
        self._tasks[task] = accepted
        task.add_done_callback(self._served)

    def _served(self, task: asyncio.Task[None]) -> None:
        accepted = self._tasks.pop(task)
        # Cut before it began: nobody else knows of this connection yet.
        if task.cancelled():
            accepted.close()

    # ---- SSH ---------------------------------------------------------------------------------------------------------

    async def _serve_ssh(self, accepted: socket.socket) -> None:
        state = self.machine.state
        key = asyncssh.import_private_key(state.host_key)
        if state.fault("wrong_host_key") is not None:
            key = asyncssh.generate_private_key("ssh-ed25519")
        with contextlib.suppress(OSError, asyncssh.Error, TimeoutError):
            await asyncssh.run_server(
                accepted,
                server_factory=lambda: _Door(self.machine, self._connections),
                server_host_keys=[key],
                process_factory=self._process,
                sftp_factory=lambda channel: Sftp(channel, self.machine),
                allow_scp=False,
                password_auth=False,
                kbdint_auth=False,
                host_based_auth=False,
                gss_host=None,
                agent_forwarding=False,
                x11_forwarding=False,
                compression_algs=None,
                encoding="utf-8",
                errors="replace",
                login_timeout=30,
            )

    async def _process(self, process: asyncssh.SSHServerProcess[str]) -> None:
        line, user = process.command, process.get_extra_info("username")
        if line is None:
            process.exit(1)
            return
        try:
            stdin = await process.stdin.read()
            status = await self.machine.run(user, line, stdin, process.stdout.write, process.stderr.write)
        except Dropped:
            process.get_extra_info("connection").abort()
            return
        except (asyncssh.Error, OSError):
            return
        process.exit(status)

    # ---- nginx -------------------------------------------------------------------------------------------------------

    async def _serve_web(self, accepted: socket.socket, *, tls: bool) -> None:
        port = 443 if tls else 80
        context = self._context(port) if tls else None
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=65536)
        protocol = asyncio.StreamReaderProtocol(reader)
        with contextlib.suppress(OSError, ssl.SSLError, asyncio.IncompleteReadError, TimeoutError):
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol, accepted, ssl=context, ssl_handshake_timeout=10 if context else None
            )
            writer = asyncio.StreamWriter(transport, protocol, reader, loop)
            try:
                await asyncio.wait_for(self._exchange(reader, writer, port), 30)
            finally:
                writer.close()
                with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
                    await asyncio.wait_for(writer.wait_closed(), 5)
            return
        accepted.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, *_ = [*head[0].split(), "", ""]
        fields = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
        length = min(int(fields.get("content-length") or 0), LARGEST_REQUEST)
        body = await reader.readexactly(length) if length else b""
        name = (urlsplit(f"//{fields.get('host', '')}").hostname or "").lower()
        status, headers, content = self.respond(name, port, method, target, body)
        reason = http.HTTPStatus(status).phrase
        headers |= {"Content-Length": str(len(content)), "Connection": "close", "Server": "nginx"}
        lines = [f"HTTP/1.1 {status} {reason}", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
        writer.write("\r\n".join(lines).encode("latin-1") + (b"" if method == "HEAD" else content))
        await writer.drain()

    def respond(self, name: str, port: int, method: str, target: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """nginx's choice: the server by name, the location by its longest prefix, then what that says."""
        site = self._site(name, port)
        path = target.split("?")[0] or "/"
        fitting = [entry for entry in site.locations if path.startswith(entry[0])] if site else []
        if site is None or not fitting:
            return 404, {}, b""
        prefix, (verb, *words) = max(fitting, key=lambda entry: len(entry[0]))
        headers = dict(site.headers)
        if verb == "return":
            if len(words) > 1:
                headers["Location"] = words[1].replace("$request_uri", target).replace("$host", name)
            return int(words[0]), headers, b""
        if verb == "root":
            found = self.machine.tree.find(f"{words[0]}{path}")
            shown = found is not None and found.kind == "f" and found.mode & 0o004
            return (
                (200, {**headers, "Content-Type": "text/plain"}, found.data) if found and shown else (404, headers, b"")
            )
        upstream = urlsplit(words[0])
        inner = path.replace(prefix, upstream.path, 1) if upstream.path else path
        answer = application.answer(self.machine.state, upstream.port or 80, method, inner, body)
        if answer is None:
            return 502, headers, b"<html><body>502 Bad Gateway</body></html>"
        return answer.status, {**headers, "Content-Type": answer.kind}, answer.body

    def _site(self, name: str, port: int) -> Site | None:
        there = [s for s in self.machine.sites if port in s.ports]
        named = next((s for s in there if name in s.names), None)
        return named or next((s for s in there if s.default), there[0] if there else None)

    def _context(self, port: int) -> ssl.SSLContext:
        """The default server's context; the name the client asks for switches to that site's own."""
        default = self._site("", port)
        if default is None:
            raise OSError("nothing listens with TLS")

        def choose(connection: ssl.SSLObject, asked: str | None, _: ssl.SSLContext) -> None:
            site = self._site((asked or "").lower(), port)
            if site is not None:
                connection.context = self._context_of(site)

        context = self._context_of(default)
        context.sni_callback = choose
        return context

    def _context_of(self, site: Site) -> ssl.SSLContext:
        pair, label = (site.chain, site.key), site.names[0] if site.names else ""
        kept = self._contexts.get(label)
        if kept is not None and kept[0] == pair:
            return kept[1]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # The ssl module reads keys from files only.
        with tempfile.NamedTemporaryFile(dir=self.machine.folder, suffix=".pem") as file:
            file.write(site.key + b"\n" + site.chain)
            file.flush()
            context.load_cert_chain(file.name)
        self._contexts[label] = (pair, context)
        return context


class _Door(asyncssh.SSHServer):
    """Public keys only, as the host's own files say at this moment."""

    def __init__(self, machine: Machine, connections: set[asyncssh.SSHServerConnection]) -> None:
        self._machine, self._connections = machine, connections
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection is not None:
            self._connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        kept = self._machine.authorized_keys(username)
        offered = key.public_data
        for line in filter(None, (part.strip() for part in kept.splitlines())):
            with contextlib.suppress(asyncssh.KeyImportError):
                if asyncssh.import_public_key(line).public_data == offered:
                    return True
        return False
