"""Which names a certificate is good for."""

from __future__ import annotations

import pytest

from domain.certificates import covers

NAMES = ["shop.example", "*.shop.example"]


@pytest.mark.parametrize("name", ["shop.example", "www.shop.example"])
def test_a_name_and_one_label_below_its_wildcard_are_covered(name: str) -> None:
    assert covers(NAMES, name)


@pytest.mark.parametrize("name", ["a.b.shop.example", "shop.example.org", "example", "*.www.shop.example"])
def test_nothing_else_is(name: str) -> None:
    assert not covers(NAMES, name)


def test_a_wildcard_alone_does_not_cover_the_name_it_hangs_below() -> None:
    assert not covers(["*.shop.example"], "shop.example")
