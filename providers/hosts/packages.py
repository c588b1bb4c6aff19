"""Debian packages on a host that may just be booting: locks are waited for, half-done work is repaired first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from providers.errors import NotReady, Transient
from providers.hosts import commands
from providers.hosts.ssh import CommandResult, Host, failure

Say = Callable[[str], Awaitable[None]]

# apt waits for dpkg's lock itself, but not for the one on the package lists; cloud-init and apt-daily hold both.
LOCK_WORDS = ("Could not get lock", "is another process using it", "lock was locked by another process",
              "Unable to acquire the dpkg frontend lock", "Unable to lock")  # fmt: skip
INTERRUPTED = "dpkg was interrupted"
APT_SECONDS = 900
# Three of four lines of an installation say only that it goes on.
CHATTER = ("Selecting previously", "(Reading database", "Preparing to unpack", "Unpacking ", "Get:", "Hit:", "Ign:",
           "Reading ", "Building ", "Processing triggers", "Created symlink", "Suggested packages", "  ")  # fmt: skip


async def wait_for_cloud_init(host: Host, say: Say, *, seconds: float = 300) -> None:
    """The image's first boot must end first: it installs, writes users and holds locks. NotReady while it runs."""
    try:
        result = await host.run(commands.cloud_init_wait(), timeout=seconds, check=False)
    except Transient as error:
        if type(error) is not Transient:
            raise  # the connection, not the wait
        raise NotReady("cloud-init is still at work on the host", retry_after=15) from error
    if result.exit_status == 127:
        await say("The image has no cloud-init; nothing to wait for")
    elif result.exit_status == 2:
        await say("cloud-init ended with warnings; going on")
    elif not result.ok:
        raise failure(commands.cloud_init_wait(), result)


async def repair(host: Host, say: Say, *, patience: float) -> None:
    """Finish what an interrupted installation left half configured."""
    if not (await host.run(commands.audit_packages(), check=False, show="command")).stdout.strip():
        return
    await say("An interrupted package installation is being finished")
    await patiently(host, commands.repair_packages(), patience=patience)


async def missing(host: Host, names: Sequence[str]) -> list[str]:
    """The names whose package is not fully installed."""
    found = await host.run(commands.package_states(names), check=False, show="command")
    installed = {words[0] for line in found.stdout.splitlines() if (words := line.split())[1:2] == ["ii"]}
    return [name for name in names if name not in installed]


async def offered(host: Host, name: str) -> bool:
    """Whether the host's package sources know it."""
    found = await host.run(commands.package_candidate(name), check=False, show="command")
    line = next((line for line in found.stdout.splitlines() if line.strip().startswith("Candidate:")), "")
    return bool(line) and "(none)" not in line


async def install(host: Host, names: Sequence[str], optional: Sequence[str], say: Say, *, patience: float) -> None:
    """Install what is missing of `names`, and of `optional` what the sources offer."""
    await repair(host, say, patience=patience)
    absent = await missing(host, [*names, *optional])
    if not absent:
        await say("Packages: already present")
        return
    await patiently(host, commands.refresh_packages(), patience=patience)
    wanted = [n for n in absent if n in names or await offered(host, n)]
    if not wanted:
        await say("Packages: already present")
        return
    await say(f"Installing {', '.join(wanted)}")
    await patiently(host, commands.install_packages(wanted), patience=patience)
    if left := await missing(host, names):
        raise Transient(f"packages are still missing after their installation: {', '.join(left)}")


async def patiently(host: Host, argv: Sequence[str], *, patience: float, pause: float = 3) -> CommandResult:
    """Run a package command; another process's lock is waited for up to `patience` seconds, then Transient says so."""
    waited = 0.0
    while True:
        result = await host.run(argv, timeout=APT_SECONDS, check=False, keep=lambda s: not s.startswith(CHATTER))
        text = result.stdout + result.stderr
        if result.ok:
            return result
        if INTERRUPTED in text and "--configure" not in argv:
            await host.run(commands.repair_packages(), timeout=APT_SECONDS)
        elif not any(word in text for word in LOCK_WORDS):
            raise failure(argv, result)
        if waited >= patience:
            raise Transient(f"the package manager is busy: another process has held its lock for {waited:.0f} s")
        await asyncio.sleep(pause)
        waited += pause
