"""Step 6: wait for PostgreSQL, migrate in the application's own container, verify, and say what was done."""

from __future__ import annotations

import asyncio
import json

from providers.errors import MigrationFailed, Unhealthy
from providers.hosts.application import Application
from providers.hosts.packages import Say
from providers.hosts.ssh import CommandResult, Host

DATABASE_SECONDS = 90
PAUSE_SECONDS = 2.0
SHOWN_LINES = 20


async def run_migrations(host: Host, app: Application, say: Say, *, command: list[str] | None = None) -> bool:
    """Whether a migration was run. `command` replaces the blueprint's.

    Errors: Unhealthy while the database does not answer, MigrationFailed with the last lines otherwise.
    """
    plan = app.blueprint.migration
    await wait_for_database(host, app)
    if command is None or command == plan.command:
        pending = _pending(await host.run(app.in_service(plan.service, *plan.verify), check=False, show="command"))
        if pending == []:
            await say("Database schema: already present")
            return False
    argv = app.in_service(plan.service, *(command or plan.command))
    result = await host.run(argv, timeout=plan.seconds, check=False)
    if not result.ok:
        raise _failed("the migration failed", result)
    verified = await host.run(app.in_service(plan.service, *plan.verify), check=False)
    if not verified.ok:
        raise _failed("the schema could not be verified after the migration", verified)
    if pending := _pending(verified):
        raise _failed(f"migrations are still pending: {', '.join(pending)}", result)
    await say("Database schema is migrated and verified")
    return True


async def wait_for_database(host: Host, app: Application, *, seconds: float = DATABASE_SECONDS) -> None:
    waited = 0.0
    while not (result := await database_answers(host, app)).ok:
        if waited >= seconds:
            raise Unhealthy(f"PostgreSQL did not accept connections within {seconds:.0f} s:\n{result.tail(5)}")
        await asyncio.sleep(PAUSE_SECONDS)
        waited += PAUSE_SECONDS


async def database_answers(host: Host, app: Application) -> CommandResult:
    """Asked over TCP: during its first start PostgreSQL answers on the socket before it is the real server."""
    database = app.blueprint.database
    question = ("pg_isready", "-h", "127.0.0.1", "-U", database.user, "-d", database.name)
    return await host.run(app.in_service(database.service, *question), check=False, show="nothing")


def _pending(result: CommandResult) -> list[str] | None:
    """The pending migrations if the status command printed them as JSON, else None: its exit status must do."""
    for line in reversed(result.stdout.splitlines()):
        if line.lstrip().startswith("{"):
            try:
                found = json.loads(line)
            except ValueError:
                return None
            pending = found.get("pending")
            return [str(name) for name in pending] if isinstance(pending, list) and result.ok else None
    return None


def _failed(what: str, result: CommandResult) -> MigrationFailed:
    tail = result.tail(SHOWN_LINES)
    return MigrationFailed(f"{what}:\n{tail}" if tail else what, exit_status=result.exit_status, output=tail)
