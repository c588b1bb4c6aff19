"""A certificate with its private key, as somebody brought them. Never a workflow's payload: it holds the key itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class CertificatePair:
    """`chain_pem`: leaf first, without the root; `key_pem`: unencrypted PKCS #8, left out of every repr. The rest is as
    the leaf says; `key_sha256` is of the public key."""

    names: list[str]
    serial: str
    issuer: str
    not_before: datetime
    not_after: datetime
    chain_pem: str
    key_sha256: str
    key_type: str
    key_pem: str = field(repr=False)
