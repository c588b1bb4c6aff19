"""Step 1: from a fresh Debian to a host that carries applications. Check, then act; a repeat finds its work done.

Order matters. Everything is prepared as root; the marker is written; the deploy user is proven to work; only then is
root's door closed, as the last act. So a connection that dies anywhere leaves a host that can be entered again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from pydantic import BaseModel, Field

from providers.errors import HostUnreachable, InvalidInput, Transient, Unauthorized, Unhealthy
from providers.hosts import commands, packages, setup_files
from providers.hosts.commands import DEPLOY_USER
from providers.hosts.packages import Say
from providers.hosts.ssh import Host, LineSink, connect
from providers.hosts.target import HostTarget

OLDEST_DEBIAN = 13  # the first whose docker-compose is `docker compose` and whose nginx knows `http2 on`


class SetUpPlan(BaseModel, frozen=True):
    """What one installation of Slipway wants of its hosts."""

    authorized_key: str = Field(pattern=r"^ssh-ed25519 [A-Za-z0-9+/=]+")
    minimum_memory_mb: int = 0
    insecure_registries: tuple[str, ...] = ()
    lock_patience: float = 120  # seconds to wait for another process's package lock


@dataclass(frozen=True)
class SetUp:
    """`already` when nothing had to be done; `version` is that of the files on the host."""

    already: bool
    version: str


def deploy_target(root: HostTarget) -> HostTarget:
    """The same host and key, as the user everything after step 1 runs as."""
    return root.model_copy(update={"user": DEPLOY_USER})


async def set_up(
    root: HostTarget, plan: SetUpPlan, say: Say, *, on_line: LineSink | None = None, deploy_first: bool = False
) -> SetUp:
    """Bring a host from any point of step 1 to its end, and prove that root cannot sign in any more.

    `deploy_first` where step 1 is believed done: since OpenSSH 9.8 each refused login makes a host colder to our
    address (PerSourcePenalties), so none is spent that proves nothing.

    Errors: InvalidInput (too little memory, unknown system), NotReady, Transient, HostUnreachable, CommandFailed,
    DiskFull, Unauthorized (neither user is let in).
    """
    version = await _done_before(root, on_line, proven=False) if deploy_first else None
    if version is None:
        try:
            async with connect(root, on_line=on_line) as host:
                version = version_in(await host.read(setup_files.MARKER)) or await prepare(host, plan, say)
                await _prove_deploy_user(root, on_line)
                await close_root(host, say)
        except Unauthorized as refused:
            version = await _done_before(root, on_line, proven=True)
            if version is None:
                raise refused
        else:
            if not await root_refused(root):
                raise Unhealthy("root can still sign in after its login was switched off")
            await _done_before(root, on_line, proven=True)
            await say("Root login is off: proven by a refused attempt")
            return SetUp(False, version)
    await say(f"Server set-up: already present (version {version})")
    return SetUp(True, version)


async def _done_before(root: HostTarget, on_line: LineSink | None, *, proven: bool) -> str | None:
    """The version on a host that is set up and shut to root, as its deploy user finds it; else None.

    `proven`: root has just been refused, which is noted on the host for the next time.
    """
    try:
        async with connect(deploy_target(root), on_line=on_line) as host:
            version = version_in(await host.read(setup_files.MARKER))
            if proven and version is not None:
                await host.put(setup_files.ROOT_IS_OFF, "root was refused\n", mode=0o640)
                return version
            return version if await host.exists(setup_files.ROOT_IS_OFF) else None
    except Unauthorized:
        return None


def version_in(marker: str | None) -> str | None:
    try:
        found = json.loads(marker or "null")
    except ValueError:
        return None
    return str(found["version"]) if isinstance(found, dict) and found.get("version") else None


async def root_refused(root: HostTarget) -> bool:
    """Whether the host turns root away although our key is right for the deploy user."""
    try:
        async with connect(root):
            return False
    except Unauthorized:
        return True


async def prepare(host: Host, plan: SetUpPlan, say: Say) -> str:
    """All of step 1 but the closing of root's door. Runs as root; returns the version written to the marker."""
    await packages.wait_for_cloud_init(host, say)
    await _check_machine(host, plan)
    early = setup_files.before_packages(plan.insecure_registries)
    await host.run(commands.make_directories(sorted({p.rpartition("/")[0] for p in early}), mode="0755"))
    await _put_files(host, early, say, "Docker configuration")
    await packages.install(host, setup_files.PACKAGES, setup_files.WANTED_PACKAGES, say, patience=plan.lock_patience)
    await _deploy_user(host, plan, say)
    await _web_server(host, say)
    await _firewall(host, say)
    await _services(host, say)
    version = setup_files.version()
    await host.put(setup_files.MARKER, json.dumps({"version": version, "by": "slipway"}) + "\n", mode=0o644)
    await say(f"Server set up (version {version})")
    return version


async def _check_machine(host: Host, plan: SetUpPlan) -> None:
    text = await host.read("/etc/os-release") or ""
    release = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    name, number = release.get("ID", "").strip('"'), release.get("VERSION_ID", "").strip('"')
    if name != "debian" or not number.isdigit() or int(number) < OLDEST_DEBIAN:
        raise InvalidInput(
            f"the host runs {name or 'an unknown system'} {number}; Debian {OLDEST_DEBIAN} or newer is needed",
            field="operating_system",
        )
    memory = (await host.run(commands.show("/proc/meminfo"), show="command")).stdout
    total = next((int(line.split()[1]) // 1024 for line in memory.splitlines() if line.startswith("MemTotal:")), 0)
    if total < plan.minimum_memory_mb:
        raise InvalidInput(
            f"the server has {total} MB of memory, the application needs {plan.minimum_memory_mb} MB (R327)",
            field="product",
        )


async def _put_files(host: Host, files: dict[str, tuple[str, int]], say: Say, what: str) -> bool:
    changed = [path for path, (content, mode) in files.items() if await host.put(path, content, mode=mode)]
    await say(f"{what}: {'written' if changed else 'already present'}")
    return bool(changed)


async def _deploy_user(host: Host, plan: SetUpPlan, say: Say) -> None:
    known = (await host.run(commands.user_exists(DEPLOY_USER), check=False, show="command")).ok
    if not known:
        await host.run(commands.add_user(DEPLOY_USER))
    # Whoever may talk to Docker is as good as root on this host; that is the deploy user's work, and nobody else's.
    await host.run(commands.join_group(DEPLOY_USER, "docker"), show="command")
    folder = setup_files.AUTHORIZED_KEYS.rpartition("/")[0]
    await host.run(commands.make_directories([folder], mode="0700", owner=DEPLOY_USER, group=DEPLOY_USER))
    key = plan.authorized_key.strip() + "\n"
    await host.put(setup_files.AUTHORIZED_KEYS, key, mode=0o600)
    await host.run(commands.change_owner(setup_files.AUTHORIZED_KEYS, f"{DEPLOY_USER}:{DEPLOY_USER}"), show="command")
    # sudo ignores names with a dot, so an unchecked list never counts.
    draft = f"{setup_files.SUDOERS}.draft"
    await host.put(draft, setup_files.sudoers(), mode=0o440)
    await host.run(commands.check_sudoers(draft), show="command")
    await host.run(commands.rename(draft, setup_files.SUDOERS), show="command")
    for path, mode, owner, group in setup_files.directories():
        await host.run(commands.make_directories([path], mode=mode, owner=owner, group=group), show="command")
    await say(f"Deployment user {DEPLOY_USER}: {'already present' if known else 'created'}")


async def _web_server(host: Host, say: Say) -> None:
    folder = setup_files.FALLBACK_KEY.rpartition("/")[0]
    if not await host.exists(setup_files.FALLBACK_CERTIFICATE):
        await host.run(commands.make_directories([folder], mode="0700"), show="command")
        draft = f"{setup_files.FALLBACK_CERTIFICATE}.new"
        await host.run(commands.make_self_signed(setup_files.FALLBACK_KEY, draft, "slipway.invalid"), show="command")
        await host.run(commands.rename(draft, setup_files.FALLBACK_CERTIFICATE), show="command")
    await _put_files(host, setup_files.after_packages(), say, "nginx configuration")
    await host.run(commands.link(setup_files.DEFAULT_SITE, setup_files.DEFAULT_SITE_LINK), show="command")
    await host.run(commands.remove_file(setup_files.DEBIAN_SITE_LINK), show="command")
    await host.run(commands.check_nginx())


async def _firewall(host: Host, say: Say) -> None:
    if firewall_is_right((await host.run(commands.firewall_status(), check=False, show="command")).stdout):
        await say("Firewall: already present")
        return
    await host.run(commands.firewall_default("incoming", "deny"))
    await host.run(commands.firewall_default("outgoing", "allow"))
    for port in setup_files.OPEN_PORTS:
        await host.run(commands.firewall_allow(port))
    await host.run(commands.firewall_enable(), timeout=120)
    status = (await host.run(commands.firewall_status())).stdout
    if not firewall_is_right(status):
        raise Unhealthy(f"the firewall is not as it was set:\n{status}")
    await say(f"Firewall: only {', '.join(map(str, setup_files.OPEN_PORTS))} are open")


def firewall_is_right(status: str) -> bool:
    """Whether `ufw status verbose` shows deny by default and exactly our ports, for IPv4 and IPv6."""
    if "Status: active" not in status or "deny (incoming)" not in status:
        return False
    allowed = {line.split()[0] for line in status.splitlines() if " ALLOW IN " in f" {line} "}
    return allowed == {f"{port}/tcp" for port in setup_files.OPEN_PORTS}


async def _services(host: Host, say: Say) -> None:
    if setup_files.WANTED_PACKAGES and not await packages.missing(host, setup_files.WANTED_PACKAGES):
        path, content = setup_files.upgrades()
        await host.put(path, content, mode=0o644)
    await host.run(commands.reload_units(), show="command")
    await host.run(commands.enable_units(setup_files.UNITS), timeout=180)
    # nginx was started by its package; the sites written since are read now.
    await host.run(commands.reload_nginx(), show="command")
    states = await host.run(commands.unit_states(setup_files.UNITS), check=False, show="command")
    if not states.ok:
        raise Transient(f"services are not active yet: {' '.join(states.stdout.split())}")
    version = (await host.run(commands.docker_version(), show="command")).stdout.strip()
    await say(f"Docker {version} and nginx are running")


async def _prove_deploy_user(root: HostTarget, on_line: LineSink | None) -> None:
    """Root is not shut out before the deploy user can do all that later steps ask of it."""
    try:
        async with connect(deploy_target(root), on_line=on_line) as host:
            await host.run(commands.as_root(commands.check_nginx()), show="command")
            await host.run(commands.docker_version(), show="command")
    except Unauthorized as error:
        raise HostUnreachable(f"the deploy user cannot sign in: {error.message}") from error


async def close_root(host: Host, say: Say) -> None:
    """sshd refuses root and passwords from here on, and root's bootstrap key is withdrawn."""
    await host.put(setup_files.SSHD_DROP_IN, setup_files.SSHD, mode=0o644)
    await host.run(commands.check_ssh_daemon(), show="command")
    effective = (await host.run(commands.effective_ssh_daemon(), show="nothing")).stdout.lower()
    for wanted in ("permitrootlogin no", "passwordauthentication no"):
        if wanted not in effective.splitlines():
            raise Unhealthy(f"sshd would not follow {setup_files.SSHD_DROP_IN}: `{wanted}` is not in force")
    await host.put(setup_files.ROOT_KEYS, "", mode=0o600)
    await host.run(commands.reload_unit("ssh.service"), show="command")
    await say("Root login switched off, bootstrap key withdrawn")
