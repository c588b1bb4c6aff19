"""Names and ids: what a slug may be, and tokens that fit where a cloud puts them."""

from __future__ import annotations

import uuid

import pytest

from domain import ids


@pytest.mark.parametrize("slug", ["abc", "acme", "a1b", "my-company-2", "a" * 63])
def test_good_slugs_are_dns_labels(slug: str) -> None:
    assert ids.is_slug(slug)


@pytest.mark.parametrize(
    "slug", ["", "a", "ab", "-abc", "abc-", "Abc", "a_b_c", "a.b", "a" * 64, "xn--abc", "ab--cd", "acme\n", "ümlaut"]
)
def test_bad_slugs_are_refused(slug: str) -> None:
    assert not ids.is_slug(slug)


def test_a_correlation_token_fits_a_transip_description_and_keeps_the_whole_id() -> None:
    first, second = (str(uuid.uuid4()) for _ in range(2))
    assert len(ids.correlation(first)) == 32
    assert ids.correlation(first) != ids.correlation(second)


def test_an_address_names_its_port_only_where_it_is_unusual() -> None:
    assert ids.access_url("a.example") == "https://a.example"
    assert ids.access_url("a.example", 8443) == "https://a.example:8443"
