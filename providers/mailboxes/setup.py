"""From a Debian 13 host to one that takes, keeps and serves mail. Check, then act; a repeat finds its work done.

Runs as root. What stood in Postfix's and Dovecot's main files before is kept beside them; an administrator's own
settings for Dovecot go into /etc/dovecot/local.conf, which is read last and never written here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from pydantic import BaseModel, Field

from providers.errors import CommandFailed, InvalidInput, Transient, Unauthorized
from providers.hosts import commands as host_commands
from providers.hosts import packages
from providers.hosts.packages import Say
from providers.hosts.ssh import Host
from providers.mailboxes import commands, host_files
from providers.mailboxes.addresses import domain_of
from providers.mailboxes.host_files import Certificate

DOVECOT_SERIES = "2.4."  # its configuration is of another language than 2.3's


class MailPlan(BaseModel, frozen=True):
    """`hostname` is the name in greetings, certificates and MX records; it must not be a mail domain itself.

    Without `certificate` and `key`, paths on the host, the self-signed pair of Debian's ssl-cert serves.
    """

    hostname: str
    certificate: str = Field(default=host_files.SNAKEOIL[0], pattern=r"^/[\w./-]+$")
    key: str = Field(default=host_files.SNAKEOIL[1], pattern=r"^/[\w./-]+$")
    lock_patience: float = 120  # seconds to wait for another process's package lock

    @property
    def pair(self) -> Certificate:
        return Certificate(self.certificate, self.key)


@dataclass(frozen=True)
class MailSetUp:
    """`already` when nothing had to be done; `version` is that of the files on the host."""

    already: bool
    version: str


async def set_up(host: Host, plan: MailPlan, say: Say) -> MailSetUp:
    """Errors: Unauthorized (not root), InvalidInput (hostname, certificate, another Dovecot), NotReady, Transient,
    HostUnreachable, CommandFailed, DiskFull.
    """
    if host.user != "root":
        raise Unauthorized("a mail host is set up as root")
    hostname = domain_of(plan.hostname)
    version = host_files.version(hostname, plan.pair)
    if await _version_on(host) == version and await _running(host):
        await say(f"Mail server: already present (version {version})")
        return MailSetUp(True, version)
    await packages.wait_for_cloud_init(host, say)
    await packages.install(host, host_files.PACKAGES, (), say, patience=plan.lock_patience)
    await _check(host, plan)
    await _places(host)
    await _dovecot(host, plan, say)
    await _postfix(host, plan, hostname, say)
    await _firewall(host, say)
    if not await _running(host):
        raise Transient("the mail services are not active yet")
    marker = json.dumps({"version": version, "by": "slipway", "hostname": hostname}) + "\n"
    await host.put(host_files.MARKER, marker, mode=0o644)
    await say(f"Mail server {hostname} is set up (version {version})")
    return MailSetUp(False, version)


async def reload_certificate(host: Host, say: Say) -> None:
    """After the certificate's files were replaced: both servers show the new one to whoever connects next."""
    for unit in host_files.UNITS:
        await host.run(host_commands.reload_unit(unit), show="command")
    await say("Mail server: certificate read anew")


async def _version_on(host: Host) -> str | None:
    try:
        found = json.loads(await host.read(host_files.MARKER) or "null")
    except ValueError:
        return None
    return str(found.get("version")) if isinstance(found, dict) else None


async def _running(host: Host) -> bool:
    return (await host.run(host_commands.unit_states(host_files.UNITS), check=False, show="command")).ok


async def _check(host: Host, plan: MailPlan) -> None:
    found = (await host.run(commands.dovecot_version(), show="command")).stdout.strip()
    if not found.startswith(DOVECOT_SERIES):
        raise InvalidInput(f"the host has Dovecot {found}; Debian 13's {DOVECOT_SERIES}x is needed", field="host")
    for name, path in (("certificate", plan.certificate), ("key", plan.key)):
        if not await host.exists(path):
            raise InvalidInput(f"there is no {path} on the host", field=name)


async def _places(host: Host) -> None:
    if not (await host.run(host_commands.user_exists(host_files.MAIL_USER), check=False, show="command")).ok:
        await host.run(commands.add_system_user(host_files.MAIL_USER, host_files.MAIL))
    for path, mode, owner, group in host_files.directories():
        made = host_commands.make_directories([path], mode=mode, owner=owner, group=group)
        await host.run(made, show="command")
    await host.put(host_files.PROGRAM, host_files.REPLACE, mode=0o755)
    await host.put(host_files.SENDERS, host_files.SENDERS_TABLE, mode=0o644)
    if not await host.exists(host_files.DOMAINS):
        await host.put(host_files.DOMAINS, "", mode=0o644)


async def _dovecot(host: Host, plan: MailPlan, say: Say) -> None:
    await _keep_foreign(host, host_files.DOVECOT_CONF, say)
    draft = f"{host_files.DOVECOT_CONF}.draft"
    await host.put(draft, host_files.dovecot_conf(plan.pair), mode=0o644)
    await host.run(commands.check_dovecot(draft), show="command")
    await host.run(host_commands.rename(draft, host_files.DOVECOT_CONF), show="command")
    await host.run(host_commands.enable_units(["dovecot.service"]), show="command")
    # A restart, because Debian's own first start has other listeners than ours.
    await host.run(host_commands.restart_unit("dovecot.service"), show="command")
    probe = await host.run(commands.known_user("nobody@slipway.invalid"), check=False, show="command")
    if probe.exit_status != commands.NO_SUCH_USER:
        raise CommandFailed(f"Dovecot does not look users up:\n{probe.tail()}", exit_status=probe.exit_status)
    await say("Dovecot serves IMAP over TLS on port 993 and takes mail from Postfix")


async def _postfix(host: Host, plan: MailPlan, hostname: str, say: Say) -> None:
    await _keep_foreign(host, host_files.POSTFIX_CONF, say)
    await host.put(host_files.POSTFIX_CONF, host_files.postfix_conf(hostname, plan.pair), mode=0o644)
    await host.run(commands.define_service(*host_files.SUBMISSION), show="command")
    entry = host_files.SUBMISSION[0]
    await host.run(commands.service_options(entry, host_files.SUBMISSION_OPTIONS), show="command")
    await host.run(commands.check_postfix(), show="command")
    await host.run(host_commands.enable_units(["postfix.service"]), show="command")
    await host.run(host_commands.restart_unit("postfix.service"), show="command")
    await say("Postfix takes mail on port 25, and signed in on port 587")


async def _keep_foreign(host: Host, path: str, say: Say) -> None:
    if (await host.read(path) or host_files.OURS).startswith(host_files.OURS):
        return
    await host.run(commands.keep_copy(path, path + host_files.BEFORE), show="command")
    await say(f"What stood in {path} is kept as {path}{host_files.BEFORE}")


async def _firewall(host: Host, say: Say) -> None:
    """Opens the mail ports where a firewall is at work; a host without one is not given one here."""
    status = (await host.run(host_commands.firewall_status(), check=False, show="command")).stdout
    if "Status: active" not in status:
        return
    for port in host_files.PORTS:
        await host.run(host_commands.firewall_allow(port), show="command")
    await say(f"Firewall: {', '.join(map(str, host_files.PORTS))} are open")
