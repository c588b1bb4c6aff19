"""Paid orders on real parts: a site over HTTPS by name, a mailbox that takes a mail and gives it back, money once."""

from __future__ import annotations

import asyncio
import contextlib
import imaplib
import json
import smtplib
import ssl
import time
import uuid
from email.message import EmailMessage
from typing import Any

import dns.message
import dns.query
import pytest
from pydantic import SecretStr

from providers.hosts.ssh import connect
from providers.hosts.target import HostTarget
from providers.mailboxes.passwords import hash_password
from providers.mailboxes.postfix import PostfixMailboxes
from tests.e2e.stack import Running

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(900)]

PASSWORD = "correct horse battery staple"
PATIENCE = 240.0


class Shop:
    """The marketing site's side, and what an operator sees of it."""

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

    def choose_password(self, address: str, owner: str) -> None:
        async def choose() -> None:
            target = HostTarget(
                address=self.address, private_key=self.house["private"], host_key=self.house["host_public"]
            )
            async with connect(target) as host:
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


@pytest.fixture(scope="module")
def shop(machines: Running) -> Shop:
    return Shop(machines)


def test_a_documented_order_ends_with_a_live_site_and_a_working_mailbox(shop: Shop, machines: Running) -> None:
    payment = f"pi_{uuid.uuid4().hex}"
    placed = shop.pay(payment, domain="cafe.example")
    assert placed["created"] is True
    told = shop.until(placed["order"]["id"], "FULFILLED")
    assert told["subscription"]["status"] == "ACTIVE"
    assert {job["type"]: job["status"] for job in told["jobs"]} == dict.fromkeys(
        ("FULFIL_ORDER", "PROVISION_DNS", "PROVISION_HOSTING", "PROVISION_MAIL"), "SUCCESS")  # fmt: skip
    # The name, at the name server; the site, by name, with a certificate of the CA's.
    assert shop.lookup("cafe.example", "A") == shop.lookup("www.cafe.example", "A") == {shop.address}
    for name in ("cafe.example", "www.cafe.example"):
        code, page = machines.get_site(shop.address, name)
        assert code == 200
        assert "<!doctype html>" in page.lower()
    # The mailbox.
    assert any("srv1-mail" in value for value in shop.lookup("cafe.example", "MX"))
    shop.choose_password("info@cafe.example", told["subscription"]["id"])
    shop.send("info@cafe.example", "The first mail.")
    deadline = time.monotonic() + 60
    while not (mails := shop.inbox("info@cafe.example")):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert "The first mail." in mails[0]
    # The same payment again is the same order, and nothing new.
    again = shop.pay(payment, domain="cafe.example", status=200)
    assert (again["created"], again["order"]["id"]) == (False, placed["order"]["id"])


def test_an_order_without_a_domain_gets_a_name_of_the_platforms(shop: Shop, machines: Running) -> None:
    for _ in range(2):
        machines.kill("worker")  # what was under way is gone on with
        placed = shop.pay(f"pi_{uuid.uuid4().hex}", email="bob@example.com")
        told = shop.until(placed["order"]["id"], "FULFILLED")
        assert told["subscription"]["status"] == "ACTIVE"
