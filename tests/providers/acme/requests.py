"""CSRs as a host makes them. The private key stays in here; what is tested gets the CSR only."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def make_csr(*names: str, common: str | None = None) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)] if common else [])
    built = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if names:
        built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
    return built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
