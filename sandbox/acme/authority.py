"""Keys and certificates of the CA: a root and an intermediate that outlive restarts, and the listener's own pair.

The listener's authority is another one than the issuing root, so that trusting the API never means trusting what it
issues. Everything lies in one folder; private keys with mode 0600.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

TEN_YEARS = timedelta(days=3650)
BACKDATED = timedelta(hours=1)  # for clocks that are late, as public CAs do


class Authority:
    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._root_key, self.root = self._pair("root", "Slipway Sandbox Root", None)
        self._key, self.intermediate = self._pair("intermediate", "Slipway Sandbox Intermediate 1", "root")
        # The same intermediate under a second root: the other chain that a client may prefer.
        _, self._second_root = self._pair("root-2", "Slipway Sandbox Root 2", None)
        self._cross = self._certify("cross", "Slipway Sandbox Intermediate 1", self._key, "root-2")
        self._pair("api-ca", "Slipway Sandbox API Authority", None)
        self.ca_file = folder / "api-ca.pem"
        self.root_file = folder / "root.pem"

    def listener(self, names: Sequence[str]) -> tuple[Path, Path]:
        """(certificate, key) of the HTTPS listener, made anew at each start."""
        issuer = x509.load_pem_x509_certificate(self.ca_file.read_bytes())
        signer = _load_key(self._folder / "api-ca.key")
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = _leaf(key.public_key(), names, "", issuer, signer, timedelta(days=397))
        _write(self._folder / "api.pem", _pem(leaf), 0o644)
        _write(self._folder / "api.key", _key_pem(key), 0o600)
        return self._folder / "api.pem", self._folder / "api.key"

    def intermediate_child(self) -> x509.Certificate:
        """A certificate as the intermediate issues them: for who wants to know how they name it."""
        return _leaf(self._key.public_key(), ["sandbox.invalid"], "", self.intermediate, self._key, timedelta(days=1))

    def sign(
        self, csr: x509.CertificateSigningRequest, names: Sequence[str], lifetime: timedelta
    ) -> tuple[x509.Certificate, str, str]:
        """(leaf, chain without the root, the other chain) for a checked CSR."""
        key = csr.public_key()
        leaf = _leaf(key, names, names[0] if len(names[0]) <= 64 else "", self.intermediate, self._key, lifetime)
        return leaf, (_pem(leaf) + _pem(self.intermediate)).decode(), (_pem(leaf) + _pem(self._cross)).decode()

    def root_pem(self) -> str:
        return _pem(self.root).decode()

    def _pair(self, name: str, subject: str, issuer: str | None) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        key_file, cert_file = self._folder / f"{name}.key", self._folder / f"{name}.pem"
        if not cert_file.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            _write(key_file, _key_pem(key), 0o600)
            self._certify(name, subject, key, issuer)
        return _load_key(key_file), x509.load_pem_x509_certificate(cert_file.read_bytes())

    def _certify(
        self, name: str, subject: str, key: ec.EllipticCurvePrivateKey, issuer: str | None
    ) -> x509.Certificate:
        cert_file = self._folder / f"{name}.pem"
        if not cert_file.exists():
            signer = _load_key(self._folder / f"{issuer}.key") if issuer else key
            above = x509.load_pem_x509_certificate((self._folder / f"{issuer}.pem").read_bytes()) if issuer else None
            _write(cert_file, _pem(_authority(key, subject, above, signer)), 0o644)
        return x509.load_pem_x509_certificate(cert_file.read_bytes())


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)] if common else [])


def _builder(
    subject: str, issuer: x509.Name, key: CertificatePublicKeyTypes, signer: ec.EllipticCurvePublicKey, days: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + days)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False)
    )


def _authority(
    key: ec.EllipticCurvePrivateKey, subject: str, above: x509.Certificate | None, signer: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    issuer = above.subject if above is not None else _name(subject)
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    return (
        _builder(subject, issuer, key.public_key(), signer.public_key(), TEN_YEARS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0 if above is not None else None), critical=True)
        .add_extension(usage, critical=True)
        .sign(signer, hashes.SHA256())
    )


def _leaf(
    key: CertificatePublicKeyTypes,
    names: Sequence[str],
    common: str,
    issuer: x509.Certificate,
    signer: ec.EllipticCurvePrivateKey,
    lifetime: timedelta,
) -> x509.Certificate:
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    alternatives = x509.SubjectAlternativeName([_general(name) for name in names])
    return (
        _builder(common, issuer.subject, key, signer.public_key(), lifetime)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(alternatives, critical=not common)
        .sign(signer, hashes.SHA256())
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{path} holds another kind of key")
    return key


def _write(path: Path, content: bytes, mode: int) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.touch(mode=mode)
    draft.write_bytes(content)
    draft.replace(path)
