"""Step 7 from inside: what the host itself says of an application. The other half, from outside, is probe.py."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from providers.errors import Unhealthy
from providers.hosts import commands
from providers.hosts.application import Application
from providers.hosts.migrations import database_answers
from providers.hosts.packages import Say
from providers.hosts.services import containers, sick
from providers.hosts.ssh import CommandResult, Host


@dataclass
class Inspection:
    """Sentences of what was found. Nothing is wrong when `faults` is empty."""

    good: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def note(self, well: bool, good: str, fault: str) -> None:
        (self.good if well else self.faults).append(good if well else fault)


async def inspect_health(host: Host, app: Application, say: Say) -> Inspection:
    """R217–R219: containers, PostgreSQL, Redis, and every published service on the host's loopback.

    Raises Unhealthy with every fault found.
    """
    found, blueprint = Inspection(), app.blueprint
    states = await containers(host, app)
    ill = sick(app, states)
    well = f"all {len(states)} containers are running and healthy"
    found.note(not ill, well, f"containers not well: {', '.join(ill)}")
    database = await database_answers(host, app)
    found.note(database.ok, "PostgreSQL accepts connections", f"PostgreSQL: {database.tail(3)}")
    cache = await host.run(app.in_service(blueprint.cache, "redis-cli", "-e", "ping"), check=False, show="command")
    found.note(cache.ok and "PONG" in cache.stdout, "Redis answers", f"Redis: {cache.tail(3)}")
    for name, port in blueprint.ports(app.context.place).items():
        url = f"http://127.0.0.1:{port}{blueprint.service(name).path}"
        answer = await host.run(commands.get(url), check=False, show="command")
        status, body = _answer(answer)
        if name == blueprint.api:
            fault = api_fault(status, body)
            found.note(fault is None, "the backend says it is healthy", f"backend: {fault}")
        else:
            found.note(status == 200, f"{name} answers", f"{name} answers {status or answer.tail(2)} on {url}")
    for line in found.good:
        await say(f"Inside: {line}")
    if found.faults:
        raise Unhealthy("; ".join(found.faults))
    return found


def api_fault(status: int, body: str) -> str | None:
    """What is wrong with an answer of /api/health, None when it is `{status: healthy, database, redis: connected}`."""
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        return f"answered {status} without a JSON object"
    wrong = [
        f"{key} is {said.get(key)!r}"
        for key, wanted in (("status", "healthy"), ("database", "connected"), ("redis", "connected"))
        if said.get(key) != wanted
    ]
    if status != 200:
        wrong.insert(0, f"answered {status}")
    return ", ".join(wrong) or None


def _answer(result: CommandResult) -> tuple[int, str]:
    """Status and body of a `commands.get`; 0 when nothing answered."""
    body, _, status = result.stdout.rstrip().rpartition("\n")
    return (int(status) if status.isdigit() else 0), body
