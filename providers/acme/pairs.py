"""A certificate and its private key as somebody brought them: read, and refused where visitors' browsers would. Pure.

Sources: RFC 5280, RFC 6125 §6.4.3; CA/Browser Forum Baseline Requirements §6.1.5 and §6.1.6 for the kinds of keys.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from domain.certificate_pairs import CertificatePair
from domain.hostnames import is_host_name
from providers.acme.csr import key_sha256, key_type
from providers.errors import InvalidInput

LEAST_LEFT = timedelta(days=1)
LEAST_RSA, MOST_RSA = 2048, 4096  # bits; what is longer only costs each visitor's handshake
MOST_NAMES = 100
MOST_LINKS = 6
_CURVES = (ec.SECP256R1, ec.SECP384R1)


def read_pair(chain_pem: str, key_pem: str, roots: Sequence[x509.Certificate], now: datetime) -> CertificatePair:
    """InvalidInput with field `certificate` or `private_key`, and a sentence that says what to bring instead."""
    chain, key = _chain(chain_pem), _key(key_pem)
    leaf = chain[0]
    if key_sha256(leaf.public_key()) != key_sha256(key.public_key()):
        raise _refused("private_key", "this is not the certificate's key; a chain begins with the certificate itself")
    names = _names(leaf)
    _check_times(leaf, now)
    _check_use(leaf)
    _check_trust(chain, names, roots, now)
    return CertificatePair(
        names=names,
        serial=f"{leaf.serial_number:x}",
        issuer=leaf.issuer.rfc4514_string(),
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        chain_pem="".join(link.public_bytes(Encoding.PEM).decode() for link in chain),
        key_sha256=key_sha256(leaf.public_key()),
        key_type=key_type(leaf.public_key()),
        key_pem=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    )


def _refused(field: str, why: str) -> InvalidInput:
    return InvalidInput(why, field=field)


def _chain(text: str) -> list[x509.Certificate]:
    if "PRIVATE KEY" in text:
        raise _refused("certificate", "a private key stands among the certificates; it has a field of its own")
    try:
        chain = x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        raise _refused("certificate", "this is not a certificate in PEM form") from None
    if len(chain) > 1 and chain[-1].issuer == chain[-1].subject:
        chain = chain[:-1]  # a root is of no use to those who do not have it
    if len(chain) > MOST_LINKS:
        raise _refused("certificate", f"a chain has {MOST_LINKS} certificates at most")
    for number, (link, issuer) in enumerate(itertools.pairwise(chain), start=2):
        try:
            link.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            raise _refused("certificate", f"certificate {number} of the chain did not issue the one before it; each "
                           "is followed by its issuer's") from None  # fmt: skip
    return chain


def _key(text: str) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    try:
        key: PrivateKeyTypes = load_pem_private_key(text.encode(), password=None)
    except TypeError:
        raise _refused("private_key", "this private key is locked by a password; bring it without one") from None
    except (ValueError, UnsupportedAlgorithm):
        raise _refused("private_key", "this is not a private key in PEM form") from None
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, _CURVES):
        return key
    if isinstance(key, rsa.RSAPrivateKey) and LEAST_RSA <= key.key_size <= MOST_RSA:
        return key
    raise _refused("private_key", f"browsers want a key of RSA with {LEAST_RSA} to {MOST_RSA} bits, or of the curve "
                   "P-256 or P-384")  # fmt: skip


def _names(leaf: x509.Certificate) -> list[str]:
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        raise _refused("certificate", "it has no subject alternative names, by which browsers go") from None
    names = sorted({name.lower() for name in found.get_values_for_type(x509.DNSName)})
    if not names or len(names) > MOST_NAMES:
        raise _refused("certificate", f"it must be for 1 to {MOST_NAMES} host names")
    if wrong := [name for name in names if not is_host_name(name.removeprefix("*."))]:
        raise _refused("certificate", f"{wrong[0][:80]!r} is no host name")
    # The plain names first: the first one is what people know the certificate by.
    return sorted(names, key=lambda name: (name.startswith("*."), name))


def _check_times(leaf: x509.Certificate, now: datetime) -> None:
    if now < leaf.not_valid_before_utc:
        raise _refused("certificate", f"it is not valid before {leaf.not_valid_before_utc:%F %H:%M} UTC")
    if now > leaf.not_valid_after_utc - LEAST_LEFT:
        raise _refused("certificate", f"it ends at {leaf.not_valid_after_utc:%F %H:%M} UTC; bring one that lasts")


def _check_use(leaf: x509.Certificate) -> None:
    try:
        uses = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(uses):
        raise _refused("certificate", "it is not made for servers")


def _check_trust(
    chain: Sequence[x509.Certificate], names: Sequence[str], roots: Sequence[x509.Certificate], now: datetime
) -> None:
    """Mostly an intermediate that was left away, which some browsers forgive and others do not."""
    name = x509.DNSName(names[0].replace("*.", "www.", 1))
    try:
        verifier = PolicyBuilder().store(Store(list(roots))).time(now).build_server_verifier(name)
        verifier.verify(chain[0], list(chain[1:]))
    except (VerificationError, ValueError) as error:
        raise _refused("certificate", "it does not lead to a root that is trusted; are all certificates between it and "
                       "its root here? " + str(error)[:200]) from None  # fmt: skip
