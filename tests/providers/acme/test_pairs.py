"""What is uploaded: a chain and its key, read; and refused with a sentence where browsers would refuse it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from domain.certificate_pairs import CertificatePair
from providers.acme.csr import key_sha256
from providers.acme.pairs import read_pair
from providers.errors import InvalidInput
from tests.providers.acme.bought import Bought, Seller, key_pem, pem


@pytest.fixture(scope="module")
def seller() -> Seller:
    return Seller()


def read(seller: Seller, bought: Bought, *, chain: str | None = None, key: str | None = None) -> CertificatePair:
    return read_pair(bought.chain_pem if chain is None else chain, bought.key_pem if key is None else key,
                     [seller.root], datetime.now(UTC))  # fmt: skip


def refusal(seller: Seller, bought: Bought, **changes: str) -> tuple[str | None, str]:
    with pytest.raises(InvalidInput) as refused:
        read(seller, bought, **changes)
    assert bought.key_body not in str(refused.value)
    return refused.value.field, refused.value.message


def test_a_pair_is_read_with_the_names_that_people_know_it_by_first(seller: Seller) -> None:
    bought = seller.sell("*.shop.example", "shop.example")
    pair = read(seller, bought)
    assert pair.names == ["shop.example", "*.shop.example"]
    assert pair.key_sha256 == key_sha256(bought.leaf.public_key())
    assert (pair.serial, pair.key_type) == (f"{bought.leaf.serial_number:x}", "ec-secp256r1")
    assert pair.chain_pem == bought.chain_pem
    assert pair.key_pem not in repr(pair)


def test_a_key_of_another_form_is_kept_in_ours_and_a_root_is_left_away(seller: Seller) -> None:
    key = rsa.generate_private_key(65537, 2048)
    bought = seller.sell("shop.example", key=key)
    old = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    pair = read(seller, bought, chain=bought.chain_pem + seller.root_pem, key=old)
    assert (pair.chain_pem, pair.key_pem) == (bought.chain_pem, bought.key_pem)
    assert pair.key_type == "rsa-2048"


@pytest.mark.parametrize("text", ["", "hello", "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_said_to_be_none(seller: Seller, text: str) -> None:
    assert refusal(seller, seller.sell("a.example"), chain=text) == (
        "certificate", "this is not a certificate in PEM form")  # fmt: skip


def test_a_key_in_the_wrong_field_is_named(seller: Seller) -> None:
    bought = seller.sell("a.example")
    field, why = refusal(seller, bought, chain=bought.chain_pem + bought.key_pem)
    assert (field, "a field of its own" in why) == ("certificate", True)


def test_another_certificates_key_is_refused(seller: Seller) -> None:
    field, why = refusal(seller, seller.sell("a.example"), key=seller.sell("a.example").key_pem)
    assert (field, "not the certificate's key" in why) == ("private_key", True)


@pytest.mark.parametrize("text", ["", "hello", "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key_is_said_to_be_none(seller: Seller, text: str) -> None:
    assert refusal(seller, seller.sell("a.example"), key=text)[0] == "private_key"


def test_a_locked_key_is_asked_for_without_its_password(seller: Seller) -> None:
    bought = seller.sell("a.example")
    key = load_pem_private_key(bought.key_pem.encode(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word")).decode()
    assert "locked by a password" in refusal(seller, bought, key=locked)[1]


@pytest.mark.parametrize("kind", ["rsa-1024", "p-521", "ed25519"])
def test_keys_that_browsers_refuse_are_refused(seller: Seller, kind: str) -> None:
    if kind == "ed25519":
        raw = ed25519.Ed25519PrivateKey.generate()
        text = raw.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    else:
        # A key that small is a test's only: no browser would take it.
        text = key_pem(rsa.generate_private_key(65537, 1024) if kind == "rsa-1024"
                       else ec.generate_private_key(ec.SECP521R1()))  # fmt: skip
    assert "browsers want" in refusal(seller, seller.sell("a.example"), key=text)[1]


def test_a_chain_in_the_wrong_order_says_which_link_is_wrong(seller: Seller) -> None:
    bought = seller.sell("a.example")
    field, why = refusal(seller, bought, chain=bought.chain_pem + pem(bought.leaf))
    assert field == "certificate"
    assert "certificate 3 of the chain did not issue the one before it" in why


def test_an_intermediate_that_was_left_away_is_missed(seller: Seller) -> None:
    bought = seller.sell("a.example")
    assert "does not lead to a root that is trusted" in refusal(seller, bought, chain=pem(bought.leaf))[1]


def test_a_stranger_who_issues_for_anybody_is_not_trusted(seller: Seller) -> None:
    assert "does not lead to a root that is trusted" in refusal(seller, Seller().sell("a.example"))[1]


@pytest.mark.parametrize(("days", "since", "why"), [(0.5, 1, "it ends at"), (-1, 5, "it ends at"),
                                                    (90, -1, "it is not valid before")])  # fmt: skip
def test_its_time_is_looked_at(seller: Seller, days: float, since: int, why: str) -> None:
    bought = seller.sell("a.example", days=days, since=timedelta(days=since))
    assert why in refusal(seller, bought)[1]


def test_a_certificate_of_a_mail_sender_is_none_for_servers(seller: Seller) -> None:
    bought = seller.sell("a.example", use=ExtendedKeyUsageOID.EMAIL_PROTECTION)
    assert refusal(seller, bought) == ("certificate", "it is not made for servers")


def test_names_are_needed_and_must_be_host_names(seller: Seller) -> None:
    assert "no subject alternative names" in refusal(seller, seller.sell())[1]
    assert "is no host name" in refusal(seller, seller.sell("*.*.example.com"))[1]
    assert "is no host name" in refusal(seller, seller.sell("localhost"))[1]
