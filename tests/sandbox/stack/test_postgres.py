"""The stack's own PostgreSQL: found or fetched, never root's process, data kept over restarts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from sandbox.stack import keys, postgres
from sandbox.stack.forget import forget_everything
from sandbox.stack.layout import Layout, StackError
from sandbox.stack.ports import Ports
from sandbox.stack.postgres import Postgres, Server, choose
from sandbox.stack.reports import Reports
from tests.parts import require
from tests.sandbox.stack.conftest import Watched


@pytest.fixture
def server(layout: Layout) -> Iterator[Postgres]:
    require("postgres")
    yield Postgres(layout, keys.load(layout), Ports(layout).get("postgres"))
    forget_everything(layout, Reports(lambda event: None))


class TestServer:
    async def test_starts_answers_and_keeps_its_data_over_a_restart(self, watched: Watched, server: Postgres) -> None:
        found = server.find()
        assert found is not None
        assert str(found.major) in await server.prepare(found)
        await watched.supervisor.start(server.service())
        with psycopg.connect(server.url, autocommit=True) as link:
            link.execute("create table kept (word text)")
            link.execute("insert into kept values ('é')")
            fsync, encryption = (link.execute(f"show {name}").fetchone() for name in ("fsync", "password_encryption"))
            assert (fsync, encryption) == (("on",), ("scram-sha-256",))
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(server.url.replace(server._secrets.database_password, "wrong"))
        await watched.supervisor.stop()

        again = Watched(watched.layout)
        await server.prepare(found)
        await again.supervisor.start(server.service())
        try:
            with psycopg.connect(server.url) as link:
                assert link.execute("select word from kept").fetchone() == ("é",)
            pid = again.supervisor.pid("postgres")
            owner = Path(f"/proc/{pid}").stat().st_uid if Path("/proc/self").exists() else 1
            assert owner != 0
        finally:
            await again.supervisor.stop()

    async def test_data_is_private(self, server: Postgres) -> None:
        found = server.find()
        assert found is not None
        await server.prepare(found)
        assert server.data.stat().st_mode & 0o077 == 0
        assert list(server.home.glob("postgres.*")) == []
        if os.geteuid() == 0:
            assert server.data.stat().st_uid != 0

    async def test_data_of_another_version_is_refused_with_both_versions(self, server: Postgres) -> None:
        server.data.mkdir(parents=True)
        (server.data / "PG_VERSION").write_text("12\n")
        assert server.find() is None
        with pytest.raises(StackError, match=r"was made by PostgreSQL 12, but only 15 is here"):
            await server.prepare(Server(Path("/usr/lib/postgresql/15/bin"), 15))


class TestChoice:
    servers = [Server(Path("/a"), 18), Server(Path("/b"), 15)]  # noqa: RUF012

    def test_takes_the_newest_for_new_data(self) -> None:
        assert choose(self.servers, None) == self.servers[0]

    def test_takes_the_one_that_made_the_data(self) -> None:
        assert choose(self.servers, 15) == self.servers[1]
        assert choose(self.servers, 16) is None

    def test_looks_where_packages_put_it(self) -> None:
        require("postgres")
        assert all(server.major >= postgres.OLDEST for server in postgres.installed())
        assert postgres.installed()

    async def test_an_address_that_does_not_answer_is_seen(self) -> None:
        assert not await postgres.answers("postgresql://nobody@127.0.0.1:9/none")
