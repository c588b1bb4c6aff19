"""Steps 2 and 3, and their undo: an application's files and environment on a host, as the deploy user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from domain.ids import is_slug
from providers.errors import CommandFailed
from providers.hosts import commands
from providers.hosts.blueprints import AdminAccount, Blueprint, DeployContext
from providers.hosts.commands import Argv, as_root
from providers.hosts.packages import Say
from providers.hosts.ssh import Host


@dataclass(frozen=True)
class Application:
    """One blueprint in one place. Knows its argv; holds no secret."""

    blueprint: Blueprint
    context: DeployContext

    def __post_init__(self) -> None:
        if not is_slug(self.context.slug):  # it becomes a folder that is removed recursively
            raise ValueError(f"{self.context.slug!r} is no slug")

    def compose(self, *words: str) -> Argv:
        c = self.context
        return commands.compose(c.project, c.root, c.compose_file, c.env_file, *words)

    def in_service(self, service: str, *argv: str) -> Argv:
        return self.compose(*commands.exec_words(service, argv))


async def transfer(host: Host, app: Application, say: Say) -> bool:
    """Bring the application's files to the host; only what differs is written. Whether anything was."""
    files = app.blueprint.render(app.context)
    folders = sorted({app.context.root, *(f.path.rpartition("/")[0] for f in files)})
    await host.run(commands.make_directories(folders, mode="0750"), show="command")
    changed = 0
    for file in files:
        name = file.path.removeprefix(f"{app.context.root}/")
        written = await host.put(file.path, file.content, mode=file.mode)
        changed += written
        await say(f"{name}: {'transferred' if written else 'already present'}")
    return changed > 0


async def write_env(
    host: Host,
    app: Application,
    say: Say,
    *,
    values: Mapping[str, str],
    admin: AdminAccount,
    extra: Mapping[str, str] | None = None,
) -> bool:
    """Write `.env.production` (0600). The caller brings the same secrets on every retry (X39). Whether it changed."""
    text = app.blueprint.render_environment(app.context, values=values, admin=admin, extra=extra)
    await host.run(commands.make_directories([app.context.root], mode="0750"), show="command")
    changed = await host.put(app.context.env_file, text, mode=0o600)
    count = sum("=" in line for line in text.splitlines())
    await say(f".env.production: {'written' if changed else 'already present'} ({count} variables)")
    return changed


async def remove(host: Host, app: Application, say: Say) -> bool:
    """Take the application off a shared host: containers, volumes, site, files, TLS. Whether anything was there."""
    context, found = app.context, False
    # The site first: from here on nobody is sent to what is about to disappear.
    if await host.exists(context.site_link) or await host.exists(context.site_file):
        found = True
        await host.run(commands.remove_file(context.site_link), show="command")
        await host.run(as_root(commands.check_nginx()), show="command")
        await host.run(as_root(commands.reload_nginx()), show="command")
        await host.run(commands.remove_file(context.site_file), show="command")
        await say(f"nginx no longer serves {context.fqdn}")
    down = await host.run(commands.compose_down(context.project), timeout=300, check=False)
    if not down.ok:
        raise CommandFailed(f"containers of {context.project} could not be removed:\n{down.tail()}")
    for path, what in ((context.root, "files"), (context.tls_dir, "TLS key and certificate")):
        if await host.exists(path):
            found = True
            await host.run(commands.remove_tree([path]), timeout=120)
            await say(f"Removed {what}: {path}")
    if not found:
        await say("The application: already absent")
    return found
