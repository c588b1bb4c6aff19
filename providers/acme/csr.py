"""What a certificate signing request says: its names and its public key. Pure; a private key is never seen here."""

from __future__ import annotations

from collections.abc import Iterable

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import NameOID
from pydantic import BaseModel

from providers.errors import InvalidInput


class CsrFacts(BaseModel, frozen=True):
    names: tuple[str, ...]  # sorted, lower case; subject alternative names and the common name
    key_sha256: str


def key_sha256(key: CertificatePublicKeyTypes) -> str:
    """SHA-256 of the SubjectPublicKeyInfo, in hex."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize().hex()


def key_type(key: CertificatePublicKeyTypes) -> str:
    """What kind of key it is: "ec-secp256r1", "rsa-2048", "ed25519"."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"ec-{key.curve.name}"
    if isinstance(key, rsa.RSAPublicKey):
        return f"rsa-{key.key_size}"
    return type(key).__name__.lower().removesuffix("publickey").strip("_")


def facts(csr_pem: str) -> CsrFacts:
    """InvalidInput(field='csr_pem'): not a CSR, not signed by its own key, or naming anything but DNS names."""
    if "PRIVATE KEY" in csr_pem:
        raise InvalidInput("a private key was given where a CSR belongs; it must not leave its server", field="csr_pem")
    try:
        csr = x509.load_pem_x509_csr(csr_pem.encode())
        names = {str(item.value).lower() for item in csr.subject.get_attributes_for_oid(NameOID.COMMON_NAME)}
        try:
            san = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            san = x509.SubjectAlternativeName([])
        others = [item for item in san if not isinstance(item, x509.DNSName)]
        names |= {name.lower() for name in san.get_values_for_type(x509.DNSName)}
        signed = csr.is_signature_valid
        fingerprint = key_sha256(csr.public_key())
    except (ValueError, x509.DuplicateExtension) as error:
        raise InvalidInput(f"the CSR cannot be read: {error}", field="csr_pem") from error
    if not signed:
        raise InvalidInput("the CSR is not signed by the key it names", field="csr_pem")
    if others or not names:
        raise InvalidInput("the CSR must name DNS names and nothing else", field="csr_pem")
    return CsrFacts(names=tuple(sorted(names)), key_sha256=fingerprint)


def require_exactly(found: CsrFacts, wanted: Iterable[str]) -> None:
    """Refuse a CSR that names another host: it would get that host's certificate."""
    expected = tuple(sorted(name.lower() for name in wanted))
    if found.names != expected:
        raise InvalidInput(f"the CSR names {', '.join(found.names)} instead of {', '.join(expected)}", field="csr_pem")
