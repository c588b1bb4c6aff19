"""One real mail host, and the two ways the world meets it: SMTP from outside and IMAP over TLS."""

from __future__ import annotations

import asyncio
import imaplib
import smtplib
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from providers.errors import HostUnreachable
from providers.hosts.cloud_init import new_keypair, user_data
from providers.hosts.commands import firewall_allow, firewall_enable
from providers.hosts.ssh import Host, connect
from providers.hosts.target import HostTarget
from providers.mailboxes.host_files import SNAKEOIL
from providers.mailboxes.setup import MailPlan, MailSetUp, set_up
from sandbox.hosts.driver import HostSpec
from tests.parts import require
from tests.providers.hosts.conftest import Story

PLAN = MailPlan(hostname="mx1.lab.test")
# An administrator's own settings: here no growing delay behind a refused sign-in, for all clients are one address.
LOCAL_CONF = """\
auth_failure_delay = 0
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
"""


@dataclass
class MailHost:
    target: HostTarget
    gateway: str  # our own address, as the host sees it
    story: Story
    trust: ssl.SSLContext

    def enter(self, kind: Callable[..., Host] = connect) -> Host:
        return kind(self.target, on_line=self.story.sink)

    async def set_up(self) -> MailSetUp:
        async with self.enter() as host:
            return await set_up(host, PLAN, self.story.say)

    # ---- from outside ------------------------------------------------------------------------------------------------

    async def deliver(self, recipient: str, subject: str = "hello", *, body: str = "", announced: bool = True) -> int:
        """What a stranger's server is told in the end; 250 is taken."""
        return await asyncio.to_thread(self._deliver, recipient, subject, body, announced)

    def _deliver(self, recipient: str, subject: str, body: str, announced: bool) -> int:
        text = f"From: far@away.test\r\nTo: {recipient}\r\nSubject: {subject}\r\n\r\n{body}\r\n"
        with smtplib.SMTP(self.target.address, 25, timeout=30) as server:
            server.ehlo("away.test")
            assert server.mail("far@away.test", [f"SIZE={len(text)}"] if announced else [])[0] == 250
            code = server.rcpt(recipient)[0]
            return code if code != 250 else server.data(text)[0]

    async def submit(self, user: str, password: str, sender: str, recipient: str) -> int:
        """What a signed-in client is told on the submission port."""
        return await asyncio.to_thread(self._submit, user, password, sender, recipient)

    def _submit(self, user: str, password: str, sender: str, recipient: str) -> int:
        with smtplib.SMTP(self.target.address, 587, timeout=30) as server:
            server.ehlo("client.test")
            assert not server.has_extn("auth"), "no sign-in in clear"
            server.starttls(context=self.trust)
            try:
                server.login(user, password)
            except smtplib.SMTPAuthenticationError as refused:
                return refused.smtp_code
            server.mail(sender)
            code = server.rcpt(recipient)[0]
            return code if code != 250 else server.data(f"From: {sender}\r\nSubject: sent\r\n\r\nx\r\n")[0]

    async def subjects(self, user: str, password: str, *, wanted: int = 0) -> list[str] | None:
        """Of the mails in the inbox, once there are so many as `wanted`; None when the sign-in is refused."""
        for _ in range(100):
            found = await asyncio.to_thread(self._subjects, user, password)
            if found is None or len(found) >= wanted:
                return found
            await asyncio.sleep(0.1)
        return found

    def signed_in(self, user: str, password: str) -> imaplib.IMAP4_SSL:
        client = imaplib.IMAP4_SSL(self.target.address, 993, ssl_context=self.trust, timeout=30)
        try:
            client.login(user, password)
        except imaplib.IMAP4.error:
            client.shutdown()
            raise
        return client

    def _subjects(self, user: str, password: str) -> list[str] | None:
        try:
            client = self.signed_in(user, password)
        except imaplib.IMAP4.error as refused:
            if "AUTHENTICATIONFAILED" not in str(refused):
                raise
            return None
        with client:
            client.select("INBOX")
            numbers = client.search(None, "ALL")[1][0].split()
            headers = [client.fetch(n.decode(), "(BODY[HEADER.FIELDS (SUBJECT)])")[1][0] for n in numbers]
            return [part[1].decode().removeprefix("Subject:").strip() for part in headers if isinstance(part, tuple)]


@pytest.fixture(scope="module")
async def mail_host(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MailHost]:
    """Postfix and Dovecot as Debian leaves them behind their installation; nothing of ours yet."""
    require("lab")
    from sandbox.hosts.machine import MachineDriver
    from sandbox.lab import Lab

    driver = MachineDriver(Lab(), tmp_path_factory.mktemp("mail"), image="hosting")
    await driver.open()
    private, public = new_keypair()
    host_private, host_public = new_keypair()
    address = await driver.reserve_address()
    document = user_data(hostname="mx1", authorized_key=public, host_private_key=host_private,
                         host_public_key=host_public)  # fmt: skip
    await driver.create(HostSpec(name="mx1", address=address, hostname="mx1", user_data=document))
    await driver.start("mx1")
    target = HostTarget(address=address, private_key=private, host_key=host_public)
    yield MailHost(target, driver.gateway, Story(), await _trust(target))
    for name in await driver.names():
        await driver.destroy(name)
    await driver.close()


async def _trust(target: HostTarget) -> ssl.SSLContext:
    """Wait until the host answers; it shows the certificate it made for itself, and no other is accepted."""
    for _ in range(240):
        try:
            async with connect(target) as host:
                await host.run(["cloud-init", "status", "--wait"], timeout=120, check=False)
                context = ssl.create_default_context(cadata=await host.read(SNAKEOIL[0]))
                context.check_hostname = False
                return context
        except HostUnreachable:
            await asyncio.sleep(0.25)
    raise AssertionError("the host does not answer")


@pytest.fixture(scope="module")
async def served(mail_host: MailHost) -> MailHost:
    """The host, set up, behind a firewall that let nothing but SSH through before."""
    async with mail_host.enter() as host:
        await host.put("/etc/dovecot/local.conf", LOCAL_CONF, mode=0o644)
        # There is no name server here, and Postfix would wait for one at every connection.
        hosts = f"{await host.read('/etc/hosts')}\n{mail_host.gateway} client.lab.test\n"
        await host.put("/etc/hosts", hosts, mode=0o644)
        await host.run(firewall_allow(22))
        await host.run(firewall_enable())
    assert (await mail_host.set_up()).already is False
    return mail_host
