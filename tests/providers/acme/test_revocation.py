"""Lists of revoked certificates: believed where the issuer signed them, fetched once, and never a trap."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

import providers.acme.revocation
from providers.acme.revocation import RevocationLists, list_urls
from providers.errors import Transient
from tests.providers.acme.lists import DAY, ListingCa, listing_ca, serial_of


@pytest.fixture
async def ca() -> AsyncIterator[ListingCa]:
    async with listing_ca() as made:
        yield made


async def test_a_listed_one_is_revoked_and_its_neighbour_is_not(ca: ListingCa) -> None:
    gone, well = ca.chain(), ca.chain()
    ca.revoked.add(serial_of(gone))
    lists = RevocationLists()
    assert await lists.revoked(gone) is True
    assert await lists.revoked(well) is False


async def test_all_that_name_a_list_share_one_question_until_it_is_over(
    ca: ListingCa, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists, chains = RevocationLists(), [ca.chain() for _ in range(5)]
    assert await asyncio.gather(*(lists.revoked(chain) for chain in chains)) == [False] * 5
    assert ca.asked == 1
    over = RevocationLists()
    monkeypatch.setattr(providers.acme.revocation, "KEPT", 0 * DAY)
    assert await over.revoked(chains[0]) is False
    ca.revoked.add(serial_of(chains[0]))
    assert await over.revoked(chains[0]) is True
    assert ca.asked == 3


async def test_without_a_place_or_an_issuer_nothing_is_told_and_nobody_asked(ca: ListingCa) -> None:
    chain = ca.chain()
    leaf = chain[: chain.index("-----BEGIN", 10)]
    for pem in (ca.chain(url=""), ca.chain(url="ldap://127.0.0.1/cn=list"), leaf, "", "nonsense"):
        assert list_urls(pem) == []
        assert await RevocationLists().revoked(pem) is None
    assert ca.asked == 0


def _late(ca: ListingCa) -> None:
    ca.left = -DAY


def _anothers(ca: ListingCa) -> None:
    ca.signer = ec.generate_private_key(ec.SECP256R1())


def _elsewhere(ca: ListingCa) -> None:
    ca.place = "http://127.0.0.1/lists/2.crl"


def _moved(ca: ListingCa) -> None:
    ca.moved = True


def _silent(ca: ListingCa) -> None:
    ca.silent = 1.0


def _long(ca: ListingCa) -> None:
    ca.body = b"\x30" * 20_000


def _nonsense(ca: ListingCa) -> None:
    ca.body = b"<html>"


def _gone(ca: ListingCa) -> None:
    ca.status = 503


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (_late, "it was over at"),
        (_anothers, "its signature is not the issuer's"),
        (_elsewhere, "it is the list of another place"),
        (_moved, "it answered 307"),
        (_silent, "Time"),
        (_long, "it is longer than 10000 bytes"),
        (_nonsense, "no list of revoked"),
        (_gone, "it answered 503"),
    ],
)
async def test_a_list_that_cannot_be_believed_says_nothing_and_is_left_alone_for_a_while(
    ca: ListingCa, spoil: Callable[[ListingCa], None], why: str
) -> None:
    chain, lists = ca.chain(), RevocationLists(seconds=0.3 if spoil is _silent else 30, most_bytes=10_000)
    ca.revoked.add(serial_of(chain))
    spoil(ca)
    for _ in range(2):
        with pytest.raises(Transient, match=why):
            await lists.revoked(chain)
    assert ca.asked <= 1  # a busy machine may give up before it asks


async def test_its_own_place_in_the_list_is_no_obstacle(ca: ListingCa) -> None:
    chain = ca.chain()
    ca.place = ca.url
    ca.revoked.add(serial_of(chain))
    assert await RevocationLists().revoked(chain) is True
