"""Which proof is given: the table of domain/challenges.py, and what holds of every choice."""

from __future__ import annotations

import itertools

import pytest

from domain.challenges import Challenge, Unprovable, choose, with_wildcard

PLAIN, WILD = ["a.test", "www.a.test"], ["a.test", "*.a.test"]


@pytest.mark.parametrize(
    ("ours", "asked", "before", "chosen"),
    [
        (True, "", "", Challenge.DNS_01),
        (True, "http-01", "", Challenge.HTTP_01),
        (True, "", "http-01", Challenge.HTTP_01),
        (True, "dns-01", "http-01", Challenge.DNS_01),
        (True, "http-01", "dns-01", Challenge.HTTP_01),
        (False, "", "", Challenge.HTTP_01),
        (False, "dns-01", "dns-01", Challenge.HTTP_01),
    ],
)
def test_plain_names_are_proven_as_asked_or_as_before_where_the_zone_allows(
    ours: bool, asked: str, before: str, chosen: Challenge
) -> None:
    assert choose(PLAIN, ours=ours, asked=asked, before=before) is chosen


@pytest.mark.parametrize(("asked", "before"), list(itertools.product(["", *Challenge], repeat=2)))
def test_a_wildcard_never_goes_over_http(asked: str, before: str) -> None:
    assert choose(WILD, ours=True, asked=asked, before=before) is Challenge.DNS_01
    with pytest.raises(Unprovable, match=r"\*\.a\.test"):
        choose(WILD, ours=False, asked=asked, before=before)


def test_a_wildcard_takes_the_place_of_the_names_that_it_covers() -> None:
    assert with_wildcard(PLAIN) == WILD
    assert with_wildcard(["a.test", "b.a.test", "c.b.a.test", "b.test"]) == [*WILD, "c.b.a.test", "b.test"]
