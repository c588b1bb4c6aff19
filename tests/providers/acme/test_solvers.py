"""Which challenge is met: by what a CA offers, and by what can be done here."""

from __future__ import annotations

from typing import Any

import pytest
from acme import messages

from providers.acme.solvers import DNS_01, HTTP_01, Solver, Solvers
from providers.acme.wire import load_key, new_key
from providers.errors import Rejected
from tests.providers.acme.test_recorded import NoSolver

KEY = load_key(new_key())
DNS, HTTP = NoSolver(), NoSolver()
TOKEN = "DGyRejmCefe7v4NfDGDKfA-_0123456789abcdefghA"


def offered(*kinds: str, wildcard: bool = False) -> messages.Authorization:
    body: dict[str, Any] = {
        "status": "pending",
        "identifier": {"type": "dns", "value": "a.slipway.test"},
        "challenges": [
            {"type": kind, "url": f"https://ca.invalid/{kind}", "status": "pending", "token": TOKEN} for kind in kinds
        ],
    }
    made: messages.Authorization = messages.Authorization.from_json(body | ({"wildcard": True} if wildcard else {}))
    return made


@pytest.mark.parametrize(
    ("kinds", "solvers", "chosen"),
    [
        (("http-01", "dns-01"), Solvers(dns=DNS, http=HTTP), DNS),
        (("http-01", "dns-01"), Solvers(dns=DNS, http=HTTP, prefer=lambda domain: HTTP_01), HTTP),
        (("http-01",), Solvers(dns=DNS, http=HTTP, prefer=lambda domain: DNS_01), HTTP),
        (("dns-01",), Solvers(dns=DNS, http=HTTP, prefer=lambda domain: HTTP_01), DNS),
        (("http-01", "dns-01"), Solvers(http=HTTP), HTTP),
        (("tls-alpn-01", "dns-persist-01", "quantum-07", "dns-01"), Solvers(dns=DNS), DNS),
    ],
)
def test_the_preferred_one_that_is_offered_and_can_be_met(
    kinds: tuple[str, ...], solvers: Solvers, chosen: Solver
) -> None:
    assert solvers.proof(offered(*kinds), KEY).solver is chosen


def test_places_are_a_records_name_and_a_url() -> None:
    both = offered("dns-01", "http-01")
    assert Solvers(dns=DNS).proof(both, KEY).place == "_acme-challenge.a.slipway.test"
    proof = Solvers(http=HTTP).proof(both, KEY)
    assert proof.place == f"http://a.slipway.test/.well-known/acme-challenge/{TOKEN}"
    assert proof.value.startswith(f"{TOKEN}.")


@pytest.mark.parametrize(
    ("kinds", "wildcard", "solvers", "words"),
    [
        (("quantum-07",), False, Solvers(dns=DNS, http=HTTP), "no dns-01 or http-01 challenge for a"),
        (("http-01", "dns-01"), True, Solvers(http=HTTP), r"no http-01 challenge for \*\.a"),
        ((), False, Solvers(dns=DNS), "no dns-01 challenge"),
    ],
)
def test_nothing_that_can_be_met_is_rejected(
    kinds: tuple[str, ...], wildcard: bool, solvers: Solvers, words: str
) -> None:
    with pytest.raises(Rejected, match=words):
        solvers.proof(offered(*kinds, wildcard=wildcard), KEY)
