"""Names that share a limit at a CA are told apart by the Public Suffix List."""

from __future__ import annotations

import pytest

from domain.registered import registered_domain


@pytest.mark.parametrize(
    ("name", "registered"),
    [
        ("bakery.nl", "bakery.nl"),
        ("www.shop.bakery.nl", "bakery.nl"),
        ("*.bakery.nl", "bakery.nl"),
        ("WWW.Bakery.NL.", "bakery.nl"),
        ("www.bakery.co.uk", "bakery.co.uk"),
        ("www.bakery.github.io", "bakery.github.io"),
        ("www.xn--bcker-gra.xn--p1ai", "xn--bcker-gra.xn--p1ai"),
        ("acme.recruitiq.test", "recruitiq.test"),
    ],
)
def test_a_name_is_counted_with_everything_below_what_was_registered(name: str, registered: str) -> None:
    assert registered_domain(name) == registered


def test_a_public_suffix_counts_for_itself() -> None:
    assert registered_domain("co.uk") == "co.uk"
