"""Names of certificates as RFC 9773 makes them."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from providers.acme.ari import certificate_id, leaf_of
from providers.errors import InvalidInput

# RFC 9773, appendix A.
EXAMPLE = """-----BEGIN CERTIFICATE-----
MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt
cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS
BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu
7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf
qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B
yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb
+FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK
-----END CERTIFICATE-----
"""


def test_the_rfcs_example_has_the_rfcs_name() -> None:
    assert certificate_id(leaf_of(EXAMPLE)) == "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"


def test_a_certificate_that_does_not_name_its_issuers_key_has_none() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    example = leaf_of(EXAMPLE)
    nobody = x509.Name([])
    built = (
        x509.CertificateBuilder().subject_name(nobody).issuer_name(nobody).public_key(key.public_key())
        .serial_number(example.serial_number).not_valid_before(example.not_valid_before_utc.replace(year=2026))
        .not_valid_after(example.not_valid_after_utc.replace(year=2027)).sign(key, hashes.SHA256())
    )  # fmt: skip
    assert certificate_id(built) is None


@pytest.mark.parametrize("text", ["", "not PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])
def test_what_is_no_certificate_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="not a certificate"):
        leaf_of(text)
