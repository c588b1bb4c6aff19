"""The marketing site's side of the running product, and what an operator sees of it."""

from __future__ import annotations

import asyncio
import contextlib
import imaplib
import json
import smtplib
import ssl
import time
from email.message import EmailMessage
from typing import Any

import dns.message
import dns.query
from pydantic import SecretStr

from providers.hosts.ssh import connect
from providers.hosts.target import HostTarget
from providers.mailboxes.passwords import hash_password
from providers.mailboxes.postfix import PostfixMailboxes
from tests.e2e.stack import Running

PASSWORD = "correct horse battery staple"
PATIENCE = 240.0


class Shop:
    def __init__(self, stack: Running) -> None:
        self.stack = stack
        self.house = json.loads((stack.state / "house" / "keys.json").read_text())
        self.address = (stack.state / "house" / "address").read_text()

    def pay(
        self, payment: str, *, domain: str = "", email: str = "ann@example.com", status: int = 201
    ) -> dict[str, Any]:
        """The documented call (R044)."""
        body = {"tenantSlug": self.stack.details["tenant"], "priceId": self.stack.details["price"],
                "customerEmail": email, "stripePaymentIntentId": payment, "domain": domain}  # fmt: skip
        answer = self.stack.http.post(
            "/api/orders", json=body, headers={"x-internal-key": self.stack.details["order_key"], "Authorization": ""}
        )
        assert answer.status_code == status, answer.text
        return dict(answer.json())

    def order(self, order_id: str) -> dict[str, Any]:
        answer = self.stack.http.get(f"/api/orders/{order_id}")
        answer.raise_for_status()
        return dict(answer.json())

    def until(self, order_id: str, *wanted: str) -> dict[str, Any]:
        """Until the order has one of the statuses; what waits for an operator unasked fails at once."""
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(Exception):  # the API may just have been killed
                told = self.order(order_id)
                if told["order"]["status"] in wanted:
                    return told
                stuck = [job["parked"] for job in told["jobs"] if job["parked"]]
                if stuck and wanted == ("FULFILLED",):
                    raise AssertionError(stuck)
            assert time.monotonic() < deadline, told["jobs"]
            time.sleep(0.5)

    def lookup(self, name: str, kind: str) -> set[str]:
        host, _, port = self.stack.details["dns_server"].rpartition(":")
        answer = dns.query.udp(dns.message.make_query(name, kind), host, port=int(port), timeout=5)
        return {str(item).rstrip(".") for rrset in answer.answer for item in rrset}

    @property
    def target(self) -> HostTarget:
        """The house's server, as its administrator."""
        return HostTarget(address=self.address, private_key=self.house["private"], host_key=self.house["host_public"])

    def choose_password(self, address: str, owner: str) -> None:
        async def choose() -> None:
            async with connect(self.target) as host:
                await PostfixMailboxes(host).set_password(address, owner, hash_password(SecretStr(PASSWORD)))

        asyncio.run(choose())

    def send(self, recipient: str, text: str) -> None:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "somebody@elsewhere.example", recipient, "Hello"
        mail.set_content(text)
        with smtplib.SMTP(self.address, 25, timeout=30) as server:
            server.send_message(mail)

    def inbox(self, address: str) -> list[str]:
        trust = ssl.create_default_context()
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE  # until the mail server has a certificate
        with imaplib.IMAP4_SSL(self.address, 993, ssl_context=trust, timeout=30) as client:
            client.login(address, PASSWORD)
            client.select("INBOX")
            found = client.search(None, "ALL")[1][0].split()
            return [client.fetch(number, "(RFC822)")[1][0][1].decode() for number in found]  # type: ignore[index, union-attr]
