"""Step 4: pull the images and start the containers of an application; say which is not well and what it said last."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

from pydantic import BaseModel, Field

from providers.errors import (
    CommandFailed,
    InvalidInput,
    ProviderError,
    RateLimited,
    Transient,
    Unauthorized,
    Unhealthy,
)
from providers.hosts import commands
from providers.hosts.application import Application
from providers.hosts.files import FULL
from providers.hosts.packages import Say
from providers.hosts.ssh import CommandResult, Host, failure

PULL_SECONDS = 600
LOG_LINES = 12
SHOWN_SERVICES = 3


class RegistryLogin(BaseModel, frozen=True):
    username: str
    password: str = Field(repr=False)


@dataclass(frozen=True)
class Container:
    """A line of `docker compose ps`. `health` is empty where the image names no check."""

    service: str
    id: str
    state: str
    health: str
    exit_code: int

    @property
    def well(self) -> bool:
        return self.state == "running" and self.health in ("", "healthy")

    def __str__(self) -> str:
        detail = f", {self.health}" if self.health else f" with {self.exit_code}" if self.state == "exited" else ""
        return f"{self.service} is {self.state}{detail}"


async def start_services(host: Host, app: Application, say: Say, *, login: RegistryLogin | None = None) -> bool:
    """Pull what is missing, start what does not run, wait until all are well. Whether a container is new.

    Errors: Unhealthy (with the last lines of who is not well), Transient, RateLimited, Unauthorized or InvalidInput
    (field `registry`) from the registry, DiskFull.
    """
    await pull(host, app, say, login=login)
    before = {c.id for c in await containers(host, app)}
    words = commands.up_words(app.blueprint.start_seconds)
    services = {s.name for s in app.blueprint.services}
    up = await host.run(app.compose(*words), timeout=app.blueprint.start_seconds + 120, check=False,
                        keep=lambda line: _mentions(line, services))  # fmt: skip
    now = await containers(host, app)
    if not up.ok and FULL.lower() in (up.stderr + up.stdout).lower():
        raise failure(app.compose(*words), up)
    ill = sick(app, now)
    if ill:
        raise Unhealthy(await _diagnosis(host, app, ill, now))
    if not up.ok:
        raise CommandFailed(f"docker compose up failed:\n{up.tail()}", exit_status=up.exit_status)
    fresh = {c.id for c in now} - before
    await say(f"All {len(now)} services are running" + ("" if fresh else ": already present"))
    return bool(fresh)


async def pull(host: Host, app: Application, say: Say, *, login: RegistryLogin | None) -> None:
    """Fetch the images; none is asked for again that the host has, since versions are never re-tagged."""
    images = app.blueprint.images(app.context)
    if (await host.run(commands.inspect_images(images), check=False, show="nothing")).ok:
        await say("Images: already present")
        return
    services = {s.name for s in app.blueprint.services}
    async with _signed_in(host, app, say, login):
        result = await host.run(app.compose(*commands.PULL), timeout=PULL_SECONDS, check=False,
                                keep=lambda line: _mentions(line, services))  # fmt: skip
    if not result.ok:
        raise pull_failure(app, result)
    await say(f"Pulled {len(images)} images")


@contextlib.asynccontextmanager
async def _signed_in(host: Host, app: Application, say: Say, login: RegistryLogin | None) -> AsyncIterator[None]:
    """Signed in to the registry for as long as it is needed: no credentials stay on a customer's server."""
    if login is None:
        yield
        return
    registry = app.context.registry or app.blueprint.registry
    result = await host.run(commands.docker_login(registry, login.username), input=login.password, secret_input=True,
                            timeout=60, check=False)  # fmt: skip
    if not result.ok:
        raise pull_failure(app, result)
    await say(f"Signed in to {registry}")
    try:
        yield
    finally:
        await host.run(commands.docker_logout(registry), check=False, show="command")


def pull_failure(app: Application, result: CommandResult) -> ProviderError:
    """What a registry's refusal means. Docker only says it in words."""
    text = (result.stdout + result.stderr).lower()
    registry, tail = app.context.registry or app.blueprint.registry, result.tail(6)
    if FULL.lower() in text:
        return failure(app.compose(*commands.PULL), result)
    if "toomanyrequests" in text or "rate limit" in text:
        return RateLimited(f"{registry} limits pulls:\n{tail}", retry_after=60)
    if re.search(r"manifest unknown|manifest for .* not found|repository .* not found|invalid reference", text):
        return InvalidInput(f"{registry} does not have the images:\n{tail}", field="registry")
    if re.search(r"unauthorized|denied|incorrect username or password|authentication required", text):
        return Unauthorized(f"{registry} refuses our credentials:\n{tail}", field="registry")
    return Transient(f"images could not be pulled from {registry}:\n{tail}", field="registry")


async def containers(host: Host, app: Application) -> list[Container]:
    """Every container of the project, running or not."""
    result = await host.run(app.compose(*commands.STATES), show="command", timeout=60)
    return parse_states(result.stdout)


def parse_states(text: str) -> list[Container]:
    """`docker compose ps --format json` prints one object a line, or one array before 2.21."""
    text = text.strip()
    rows = json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines() if line]
    return [
        Container(row["Service"], row.get("ID", ""), row["State"], row.get("Health", ""), int(row.get("ExitCode", 0)))
        for row in rows
    ]


def sick(app: Application, found: list[Container]) -> list[str]:
    """Names of services that are not running and well, in the blueprint's order."""
    well = {c.service for c in found if c.well}
    return [s.name for s in app.blueprint.services if s.name not in well]


async def _diagnosis(host: Host, app: Application, ill: list[str], found: list[Container]) -> str:
    by_name = {c.service: c for c in found}
    states = [str(by_name[name]) if name in by_name else f"{name} was not created" for name in ill]
    parts = [f"{len(ill)} of {len(app.blueprint.services)} services are not well: {'; '.join(states)}"]
    for name in [name for name in ill if name in by_name][:SHOWN_SERVICES]:
        log = await host.run(app.compose(*commands.log_words(name, LOG_LINES)), check=False, show="nothing")
        if text := log.tail(LOG_LINES):
            parts.append(f"{name} said last:\n{text}")
    return "\n".join(parts)


def _mentions(line: str, services: set[str]) -> bool:
    """Progress of whole services; the many lines about layers are left out."""
    words = re.split(r"[\s-]+", line.strip())
    return bool(set(words[:4]) & services) or "rror" in line
