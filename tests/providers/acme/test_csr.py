from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from providers.acme.csr import facts, require_exactly
from providers.errors import InvalidInput
from tests.providers.acme.requests import make_csr


class TestFacts:
    def test_names_come_from_both_places_once_and_in_lower_case(self) -> None:
        found = facts(make_csr("B.slipway.test", "a.slipway.test", common="a.slipway.test"))
        assert found.names == ("a.slipway.test", "b.slipway.test")
        assert len(found.key_sha256) == 64

    def test_a_csr_without_a_name_is_refused(self) -> None:
        with pytest.raises(InvalidInput, match="must name DNS names"):
            facts(make_csr())

    def test_a_csr_for_a_mailbox_is_refused(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.RFC822Name("a@slipway.test")])
        built = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).add_extension(names, critical=False)
        pem = built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
        with pytest.raises(InvalidInput, match="nothing else"):
            facts(pem)


class TestRequireExactly:
    def test_the_one_name_is_accepted(self) -> None:
        require_exactly(facts(make_csr("a.slipway.test")), ["A.slipway.test"])

    @pytest.mark.parametrize("names", [("b.slipway.test",), ("a.slipway.test", "b.slipway.test"), ("*.slipway.test",)])
    def test_another_name_or_one_more_is_refused(self, names: tuple[str, ...]) -> None:
        with pytest.raises(InvalidInput, match=r"instead of a\.slipway\.test") as caught:
            require_exactly(facts(make_csr(*names)), ["a.slipway.test"])
        assert caught.value.field == "csr_pem"
