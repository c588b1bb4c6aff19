"""Paid orders on real parts: a site over HTTPS by name, a mailbox that takes a mail and gives it back, money once, and
the site's certificate through every kind of renewal."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest

from tests.e2e import canaries
from tests.e2e.certificates import SiteCertificate
from tests.e2e.shop import Shop
from tests.e2e.stack import Running
from tests.providers.acme.bought import Seller

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def shop(machines: Running) -> Shop:
    return Shop(machines)


@pytest.fixture(scope="module")
def cafe(shop: Shop) -> dict[str, Any]:
    """A paid order for cafe.example, as its answer told, and as it ended."""
    payment = f"pi_{uuid.uuid4().hex}"
    placed = shop.pay(payment, domain="cafe.example")
    return {"payment": payment, "placed": placed, "told": shop.until(placed["order"]["id"], "FULFILLED")}


def test_a_documented_order_ends_with_a_live_site_and_a_working_mailbox(
    shop: Shop, machines: Running, cafe: dict[str, Any]
) -> None:
    payment, placed, told = cafe["payment"], cafe["placed"], cafe["told"]
    assert placed["created"] is True
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


def test_a_sites_certificate_is_renewed_by_every_proof_and_replaced_when_revoked(
    shop: Shop, machines: Running, cafe: dict[str, Any]
) -> None:
    site = SiteCertificate(shop, "cafe.example")
    first = site.shown()
    assert (first["challenge"], first["names"]) == ("dns-01", ["cafe.example", "www.cafe.example"])
    site.see(first)

    # The name and all below it, in DNS, and for another key.
    wild = site.renewed("?wildcard=true&freshKey=true")
    assert (wild["challenge"], sorted(wild["names"])) == ("dns-01", ["*.cafe.example", "cafe.example"])
    assert wild["key_sha256"] != first["key_sha256"]
    assert shop.lookup("_acme-challenge.cafe.example", "TXT") == set()

    # Through the server's nginx, by the key that stays; nothing is left there.
    plain = site.renewed("?wildcard=false&challenge=http-01")
    assert (plain["challenge"], plain["names"], plain["key_sha256"]) == ("http-01", first["names"], wild["key_sha256"])
    assert site.tokens() == []

    # The CA wants it now: the sweep does it by itself, in the way that the row remembers.
    site.move_window(plain)
    moved = site.awaited(plain)
    assert (moved["challenge"], moved["key_sha256"]) == ("http-01", plain["key_sha256"])

    # Revoked at the CA: noticed by itself, and replaced with another key.
    site.revoke(moved)
    last = site.awaited(moved)
    assert site.row(moved)["revoked"] is True
    assert last["key_sha256"] != moved["key_sha256"]
    assert site.tokens() == []

    # No key that was ever on the server is on any channel of ours.
    assert len(site.keys) == 3
    canaries.absent(site.key_texts(), site.channels())


def test_a_bought_certificate_takes_its_place_with_its_key_and_leaves_it_when_it_is_withdrawn(
    shop: Shop, machines: Running, cafe: dict[str, Any]
) -> None:
    site = SiteCertificate(shop, "cafe.example")
    own = site.shown()
    with canaries.Processes() as seen:
        bought = site.uploaded(Seller())
        assert (bought["shared_key"], bought["renewal"]["action"]) == (True, "renew")
        after = site.withdrawn(bought)
    assert (after["shared_key"], after["names"]) == (False, ["cafe.example", "www.cafe.example"])
    assert after["key_sha256"] not in (own["key_sha256"], bought["key_sha256"])
    assert len(site.keys) == 2
    canaries.absent(site.key_texts(), {
        **site.channels(),
        "process arguments": "\n".join(seen.arguments),
        "process environments": "\n".join(seen.environments),
    })  # fmt: skip
