"""What a chain must be before it is believed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from providers.acme.chains import choose_chain, leads_to, read_chain
from providers.acme.csr import facts
from providers.errors import Transient
from sandbox.acme.authority import Authority
from tests.providers.acme.requests import make_csr

NAMES = ["a.slipway.test", "b.slipway.test"]


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder: Path = tmp_path_factory.mktemp("authority")
    return Authority(folder)


def signed(ca: Authority, csr: str, names: list[str]) -> tuple[str, str]:
    _, chain, other = ca.sign(x509.load_pem_x509_csr(csr.encode()), names, timedelta(days=90))
    return chain, other


def test_it_tells_what_its_leaf_says(ca: Authority) -> None:
    csr = make_csr(*NAMES)
    issued = read_chain(signed(ca, csr, NAMES)[0], facts(csr), replaces="a.b")
    assert (issued.names, issued.replaces) == (NAMES, "a.b")
    assert issued.certificate_id.count(".") == 1


def test_one_for_another_key_is_not_taken(ca: Authority) -> None:
    with pytest.raises(Transient, match="another key"):
        read_chain(signed(ca, make_csr(*NAMES), NAMES)[0], facts(make_csr(*NAMES)))


def test_one_that_lacks_a_name_is_not_taken(ca: Authority) -> None:
    csr = make_csr(*NAMES)
    with pytest.raises(Transient, match=r"lacks b\.slipway\.test"):
        read_chain(signed(ca, csr, NAMES[:1])[0], facts(csr))


def test_one_with_a_name_more_is_taken(ca: Authority) -> None:
    csr = make_csr(*NAMES)
    assert len(read_chain(signed(ca, csr, [*NAMES, "www.slipway.test"])[0], facts(csr)).names) == 3


@pytest.mark.parametrize("text", ["", "<html>", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])
def test_what_is_no_chain_may_be_asked_for_again(text: str) -> None:
    with pytest.raises(Transient, match="cannot be read"):
        read_chain(text, facts(make_csr(*NAMES)))
    assert not leads_to(text, "Slipway Sandbox Root")


def test_the_wished_root_is_chosen_and_the_first_chain_otherwise(ca: Authority) -> None:
    chains = signed(ca, make_csr(*NAMES), NAMES)
    assert choose_chain(chains, "Slipway Sandbox Root 2") == chains[1]
    assert choose_chain(chains, "Slipway Sandbox Root") == chains[0]
    assert choose_chain(chains, "Another Root") == chains[0]
    assert choose_chain(chains, "") == chains[0]
