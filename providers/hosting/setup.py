"""Make a Debian host a web server for many accounts. Check, then act; a repeat finds the marker and is over at once."""

from __future__ import annotations

import json

from providers.errors import CommandFailed, InvalidInput, Transient, Unhealthy
from providers.hosting import commands, setup_files
from providers.hosting.account import PHP
from providers.hosting.locks import exclusive
from providers.hosts import commands as general
from providers.hosts import packages
from providers.hosts.packages import Say
from providers.hosts.setup import OLDEST_DEBIAN, SetUp, version_in
from providers.hosts.ssh import Host


async def set_up(host: Host, say: Say, *, patience: float = 120) -> SetUp:
    """nginx that answers to no unknown name, php-fpm, SFTP-only sign-in for accounts, firewall, folders (R149).

    `patience` in seconds is for another process's package lock. `already` when this version was there and runs.
    Errors: InvalidInput (not Debian 13), NotReady, Transient, HostUnreachable, CommandFailed, DiskFull, Unhealthy.
    """
    version = setup_files.version()
    if await _done_before(host, version):
        await say(f"Web server: already present (version {version})")
        return SetUp(True, version)
    await packages.wait_for_cloud_init(host, say)
    await _check_system(host)
    await packages.install(host, setup_files.PACKAGES, (), say, patience=patience)
    await host.run(commands.make_group(commands.GROUP), show="command")
    for path, mode in setup_files.directories():
        await host.run(general.make_directories([path], mode=mode), show="command")
    async with exclusive(host):
        await _daemons(host, say)
        await _sftp(host, say)
    await _firewall(host, say)
    await host.put(setup_files.MARKER, json.dumps({"version": version, "by": "slipway"}) + "\n", mode=0o644)
    await say(f"Web server set up (version {version})")
    return SetUp(False, version)


async def _done_before(host: Host, version: str) -> bool:
    if version_in(await host.read(setup_files.MARKER)) != version:
        return False
    return (await host.run(general.unit_states(setup_files.UNITS), check=False, show="command")).ok


async def _check_system(host: Host) -> None:
    """The paths and names of Debian 13 are used, down to the version in PHP's."""
    text = await host.read("/etc/os-release") or ""
    release = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    name, number = release.get("ID", "").strip('"'), release.get("VERSION_ID", "").strip('"')
    if (name, number) != ("debian", str(OLDEST_DEBIAN)):
        raise InvalidInput(f"the host runs {name or 'an unknown system'} {number}; a web server is Debian 13")


async def _daemons(host: Host, say: Say) -> None:
    fresh = not await host.exists(setup_files.MARKER)
    for path, text in setup_files.configuration().items():
        await host.put(path, text, mode=0o644)
    await host.run(general.remove_file(setup_files.DEBIAN_SITE), show="command")
    await host.run(general.remove_file(setup_files.DEBIAN_POOL), show="command")
    await host.run(general.check_nginx(), show="command")
    await host.run(commands.check_php(), show="command")
    limits = [path for path, text in setup_files.daemon_limits().items() if await host.put(path, text, mode=0o644)]
    await host.run(general.reload_units(), show="command")
    units = [unit for unit in setup_files.UNITS if unit != "ssh.service"]
    # A limit of open files holds for a process from its start. Otherwise customers' requests are not cut off.
    act = general.restart_unit if fresh or limits else commands.reload_or_restart
    for unit in units:
        await host.run(act(unit), show="command")
    for unit in units:
        if not (await host.run(commands.enabled_units([unit]), check=False, show="command")).ok:
            await host.run(general.enable_units([unit]), show="command", timeout=120)
    states = await host.run(general.unit_states(units), check=False, show="command")
    if not states.ok:
        raise Transient(f"services are not active yet: {' '.join(states.stdout.split())}")
    await say(f"nginx and php{PHP}-fpm are running; unknown names get no answer")


async def _sftp(host: Host, say: Say) -> None:
    before = await host.read(setup_files.SSHD_DROP_IN)
    if not await host.put(setup_files.SSHD_DROP_IN, setup_files.SSHD, mode=0o644):
        await host.run(general.reload_unit("ssh.service"), show="command")
        await say("SFTP for accounts: already present")
        return
    test = await host.run(general.check_ssh_daemon(), check=False)
    if not test.ok:
        # A daemon that does not start at the next boot would shut us out as well.
        if before is None:
            await host.run(general.remove_file(setup_files.SSHD_DROP_IN), show="command")
        else:
            await host.put(setup_files.SSHD_DROP_IN, before, mode=0o644)
        raise CommandFailed(f"sshd refuses its new configuration; the old one was restored:\n{test.tail()}")
    await host.run(general.reload_unit("ssh.service"), show="command")
    await say("Accounts may sign in for SFTP only, each inside its own folder")


async def _firewall(host: Host, say: Say) -> None:
    """Our ports are open and the rest is closed, but for what others opened: a mail server may share the host."""
    status = (await host.run(general.firewall_status(), check=False, show="command")).stdout
    if _open(status):
        await say("Firewall: already present")
        return
    await host.run(general.firewall_default("incoming", "deny"), show="command")
    await host.run(general.firewall_default("outgoing", "allow"), show="command")
    for port in setup_files.OPEN_PORTS:
        await host.run(general.firewall_allow(port), show="command")
    await host.run(general.firewall_enable(), timeout=120)
    status = (await host.run(general.firewall_status(), show="command")).stdout
    if not _open(status):
        raise Unhealthy(f"the firewall is not as it was set:\n{status}")
    await say(f"Firewall: {', '.join(map(str, setup_files.OPEN_PORTS))} are open")


def _open(status: str) -> bool:
    allowed = {line.split()[0] for line in status.splitlines() if " ALLOW IN " in f" {line} "}
    wanted = {f"{port}/tcp" for port in setup_files.OPEN_PORTS}
    return "Status: active" in status and "deny (incoming)" in status and wanted <= allowed
