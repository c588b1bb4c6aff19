"""What activities on the house's servers have in common: which server, and the way in as its administrator."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from temporalio.exceptions import ApplicationError

from activities._context import Deps
from activities._heartbeat import beating
from activities._log import Lines
from db import secrets
from db.models_hosting import Server
from db.queries import house_servers
from domain.errors import Trouble
from domain.journal import SubjectKind
from providers.hosts.ssh import Host, connect
from providers.hosts.target import HostTarget


async def server_of(deps: Deps, server_id: str) -> Server:
    async with deps.db.begin() as session:
        return await house_servers.get(session, server_id)


async def house_target(deps: Deps, server: Server) -> HostTarget:
    """Where to sign in, by our key, and by the host key that was pinned at registration."""
    async with deps.db.begin() as session:
        private = await secrets.read(session, deps.keys, house_servers.key_purpose(server.id))
    if private is None or not server.host_key:
        raise ApplicationError(f"the keys of server {server.hostname} are missing", type=Trouble.MISSING_SETTING,
                               non_retryable=True)  # fmt: skip
    return HostTarget(address=server.ip_address, port=server.ssh_port, user=server.ssh_user, private_key=private,
                      host_key=server.host_key)  # fmt: skip


@dataclass(frozen=True)
class Visit:
    """Signed in at a server for one job's step; `log` writes into the job's log."""

    server: Server
    host: Host
    log: Lines


@contextlib.asynccontextmanager
async def visit(
    deps: Deps, server: Server, job_id: str, step: str, *, redact: tuple[str, ...] = ()
) -> AsyncIterator[Visit]:
    """Signed in while the block lasts: heartbeats are sent, and every line of a command goes to the job's log."""
    target = await house_target(deps, server)
    async with Lines(deps, job_id, step, kind=SubjectKind.JOB) as log, beating():
        async with connect(target, on_line=log.sink, redact=redact) as host:
            yield Visit(server, host, log)
