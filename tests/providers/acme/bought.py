"""Certificates as people buy them: a root, an intermediate below it, and a leaf with its private key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

DAY = timedelta(days=1)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Bought:
    chain_pem: str
    key_pem: str

    @property
    def leaf(self) -> x509.Certificate:
        return x509.load_pem_x509_certificates(self.chain_pem.encode())[0]

    @property
    def key_body(self) -> str:
        """A line of the key's own, by which it is found wherever it should not be."""
        return self.key_pem.splitlines()[1]


def pem(*certificates: x509.Certificate) -> str:
    return "".join(one.public_bytes(Encoding.PEM).decode() for one in certificates)


def key_pem(key: Key) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class Seller:
    def __init__(self) -> None:
        self._root_key, self._key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        self.root = self._authority("Root", self._root_key, "Root", self._root_key)
        self.intermediate = self._authority("Seller", self._key, "Root", self._root_key)

    @property
    def root_pem(self) -> str:
        return pem(self.root)

    def sell(
        self, *names: str, days: float = 200, since: timedelta = DAY, key: Key | None = None,
        use: ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
    ) -> Bought:  # fmt: skip
        key = key or ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        leaf = (
            self._builder(names[0] if names else "nobody", key, "Seller", now - since, now + days * DAY)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if names:
            leaf = leaf.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
        return Bought(pem(leaf.sign(self._key, hashes.SHA256()), self.intermediate), key_pem(key))

    def _authority(self, name: str, key: Key, issuer: str, issuer_key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        now = datetime.now(UTC)
        public = issuer_key.public_key()
        return (
            self._builder(name, key, issuer, now - 400 * DAY, now + 3000 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(*(False,) * 5, key_cert_sign=True, crl_sign=True, encipher_only=False,
                                         decipher_only=False), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
            .sign(issuer_key, hashes.SHA256())
        )  # fmt: skip

    @staticmethod
    def _builder(name: str, key: Key, issuer: str, since: datetime, until: datetime) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:60])]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(since)
            .not_valid_after(until)
        )
