"""What may be sent about uploaded certificates, how one is shown (never its key), and documented examples of it."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from api.envelope import stamp
from api.examples import described
from api.schemas import Asked, printable
from db.models_certificates import SharedCertificate
from db.queries.shared_certificates import Places

MAX_CHAIN = 40_000  # characters
MAX_KEY = 8_000
MOST_DOMAINS = 100

Name = Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, min_length=1, max_length=253),
                 AfterValidator(printable)]  # fmt: skip


class Upload(Asked):
    """Body of POST /api/ssl/upload. `domains`: names that we serve, whose places are to serve it from now on;
    `replaces`: the places of another upload, and its mark as the default; `default`: new sites of the house get it
    whose names it covers."""

    certificate: Annotated[str, StringConstraints(min_length=1, max_length=MAX_CHAIN)]
    private_key: SecretStr = Field(min_length=1, max_length=MAX_KEY)
    domains: list[Name] = Field(default_factory=list, max_length=MOST_DOMAINS)
    default: bool = False
    replaces: uuid.UUID | None = None


UPLOAD_REQUEST: dict[str, Any] = {
    "certificate": "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n",
    "privateKey": "(the private key, PEM, without a password)", "domains": ["shop.example.com"], "default": False,
}  # fmt: skip
_SHOWN: dict[str, Any] = {
    "id": "upload-uuid", "domain": "example.com", "names": ["example.com", "*.example.com"], "issuer": "CN=CA",
    "serial": "4f1c", "valid_from": "2025-01-19T10:30:00Z", "valid_to": "2025-08-07T10:30:00Z", "days_left": 200,
    "key_sha256": "9f86d0", "key_type": "ec-secp256r1", "shared_key": True, "default": False, "state": "valid",
    "serving": 3, "waiting": 1, "uploaded_by": "ada", "created_at": "2025-01-19T10:30:00Z", "withdrawn_at": None,
}  # fmt: skip
_PAGE = {"page": 1, "limit": 20, "total": 1, "totalPages": 1, "hasNext": False, "hasPrev": False}

UPLOADED = described("It is kept, and being put in its places", {"certificate": _SHOWN})
UPLOADS = described("The last that was uploaded first",
                    {"uploads": [_SHOWN], "open": True, "pagination": _PAGE})  # fmt: skip
WITHDRAWN = described("Its key is destroyed; its places get certificates of their own",
                      {"certificate": _SHOWN | {"state": "withdrawn"}})  # fmt: skip


def upload_shown(row: SharedCertificate, found: Places, now: datetime) -> dict[str, Any]:
    """`serving` and `waiting`: in how many places it is, and in how many it is still to be put."""
    return {
        "id": str(row.id),
        "domain": row.names[0],
        "names": row.names,
        "issuer": row.issuer,
        "serial": row.serial,
        "valid_from": stamp(row.not_before),
        "valid_to": stamp(row.not_after),
        "days_left": (row.not_after - now).days,
        "key_sha256": row.key_sha256,
        "key_type": row.key_type,
        "shared_key": True,
        "default": row.is_default,
        "state": _state(row, now),
        "serving": found.serving,
        "waiting": found.waiting,
        "uploaded_by": row.uploaded_by,
        "created_at": stamp(row.created_at),
        "withdrawn_at": stamp(row.withdrawn_at),
    }


def _state(row: SharedCertificate, now: datetime) -> str:
    if row.withdrawn_at is not None:
        return "withdrawn"
    return "valid" if now < row.not_after else "expired"
