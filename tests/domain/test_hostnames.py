"""Names that customers bring: one spelling, and nothing that no public name server could answer for."""

from __future__ import annotations

import pytest

from domain.hostnames import LONGEST, site_domain

BASE = "slipway.nl"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("bakery.nl", "bakery.nl"),
        (" Bücher.NL. ", "xn--bcher-kva.nl"),
        ("xn--bcher-kva.nl", "xn--bcher-kva.nl"),
        ("faß.de", "xn--fa-hia.de"),
        ("a-b.co.uk", "a-b.co.uk"),
        ("notslipway.nl", "notslipway.nl"),
    ],
)
def test_a_name_is_written_in_one_way(given: str, kept: str) -> None:
    assert site_domain(given, BASE) == kept
    assert site_domain(kept, BASE) == kept


@pytest.mark.parametrize(
    "given",
    ["", ".", "nl", "a..nl", "-a.nl", "a-.nl", "a_b.nl", "*.a.nl", "a b.nl", "a.nl\0", "[::1]", "192.0.2.1", "1.2",
     "slipway.nl", "shop.slipway.nl", "SHOP.Slipway.NL", "printer.local", "db.internal", "a.onion",
     "shop.test", "shop.example", "www.example.com", "xn--zzzz.nl", "a" * 64 + ".nl", "a." * 125 + "nl", "http://a.nl",
     "a.nl/x", "a.nl:80", "1.168.192.in-addr.arpa"],
)  # fmt: skip
def test_what_is_no_public_name_of_a_customer_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match=r"^(must be|is) "):
        site_domain(given, BASE)


def test_the_name_above_the_platform_is_not_a_customers() -> None:
    with pytest.raises(ValueError, match="platform"):
        site_domain("host.nl", "sites.host.nl")


def test_there_is_room_for_www() -> None:
    name = ".".join(["a" * 61] * 4)[: LONGEST - 3] + ".nl"
    assert len(site_domain(name, BASE)) <= LONGEST


def test_a_lab_takes_names_that_are_reserved_for_tests() -> None:
    assert site_domain("shop.example", "slipway.test") == "shop.example"
    assert site_domain("shop.test", "slipway.test") == "shop.test"
    with pytest.raises(ValueError, match="reserved"):
        site_domain("shop.local", "slipway.test")
