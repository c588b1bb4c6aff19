"""How a certificate is shown, never with a private key.

`shared_key`: it was uploaded together with its key, which may be on other machines as well (X18).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from api.envelope import stamp
from api.examples import described
from db.models_certificates import Certificate
from domain.ca_limits import Possible

_RENEWAL: dict[str, Any] = {
    "action": "poll", "at": "2025-01-20T01:12:00Z", "urgent": False, "failures": 0,
    "why": "the CA is asked for its window; a moment inside the window that the CA suggests",
    "window": {"start": "2025-03-19T10:30:00Z", "end": "2025-03-21T10:30:00Z"}, "explanation_url": "",
}  # fmt: skip
_SHOWN: dict[str, Any] = {
    "id": "certificate-uuid", "domain": "acme.recruitiq.nl", "names": ["acme.recruitiq.nl"], "issuer": "CN=E7,O=CA",
    "serial": "4f1c", "valid_from": "2025-01-19T10:30:00Z", "valid_to": "2025-04-19T10:30:00Z", "days_left": 90,
    "state": "valid", "key_sha256": "9f86d0", "shared_key": False,
    "challenge": "dns-01", "deployment_id": "deployment-uuid", "subscription_id": None,
    "renewal": _RENEWAL, "superseded_at": None, "created_at": "2025-01-19T10:30:00Z",
}  # fmt: skip
_PAGE = {"page": 1, "limit": 20, "total": 1, "totalPages": 1, "hasNext": False, "hasPrev": False}
_POSSIBLE = {"at": "2025-01-19T10:30:00Z", "now": True, "left": 42, "why": "within all limits"}

CERTIFICATES = described("By expiry, the next first", {"certificates": [_SHOWN], "pagination": _PAGE})
CERTIFICATE = described("The one that is served for the name",
                        {"certificate": _SHOWN, "next_issuance": _POSSIBLE})  # fmt: skip
CONTENT = described("The chain, leaf first", {
    "domain": "acme.recruitiq.nl", "content": "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n",
})  # fmt: skip
DOMAINS = described("Names that have a certificate", {
    "domains": [{"domain": "acme.recruitiq.nl", "certificate_id": "certificate-uuid", "state": "valid",
                 "valid_to": "2025-04-19T10:30:00Z", "days_left": 90, "next_action": "poll",
                 "next_at": "2025-01-20T01:12:00Z"}],
    "pagination": _PAGE,
})  # fmt: skip
REQUESTED = described("It is being asked for",
                      {"message": "Certificate requested", "certificate_id": "certificate-uuid"})  # fmt: skip
RENEWING = described("Its renewal has begun", {"message": "Renewal initiated", "certificate_id": "certificate-uuid"})


def state_of(row: Certificate, now: datetime) -> str:
    if row.superseded_at is not None:
        return "superseded"
    if row.revoked:
        return "revoked"
    return "valid" if now < row.not_after else "expired"


def shown(row: Certificate, now: datetime, *, staff: bool) -> dict[str, Any]:
    """What a failed try said may name servers of ours: that is for staff."""
    renewal: dict[str, Any] = {
        "action": row.next_action or None,
        "at": stamp(row.renew_after),
        "why": row.why,
        "urgent": row.urgent,
        "window": _window(row),
        "explanation_url": row.explanation_url,
        "failures": row.failures,
    }
    if staff and row.failure_kind is not None:
        renewal["failure"] = {"kind": row.failure_kind, "message": row.failure_message, "at": stamp(row.failed_at),
                              "until": stamp(row.limited_until)}  # fmt: skip
    return {
        "id": str(row.id),
        "domain": row.names[0],
        "names": row.names,
        "issuer": row.issuer,
        "serial": row.serial,
        "valid_from": stamp(row.not_before),
        "valid_to": stamp(row.not_after),
        "days_left": (row.not_after - now).days,
        "state": state_of(row, now),
        "key_sha256": row.key_sha256,
        "shared_key": row.shared_id is not None,
        "challenge": row.challenge,
        "deployment_id": str(row.deployment_id) if row.deployment_id else None,
        "subscription_id": str(row.subscription_id) if row.subscription_id else None,
        "renewal": renewal,
        "superseded_at": stamp(row.superseded_at),
        "created_at": stamp(row.created_at),
    }


def domain(name: str, row: Certificate, now: datetime) -> dict[str, Any]:
    return {
        "domain": name,
        "certificate_id": str(row.id),
        "state": state_of(row, now),
        "valid_to": stamp(row.not_after),
        "days_left": (row.not_after - now).days,
        "next_action": row.next_action or None,
        "next_at": stamp(row.renew_after),
    }


def possible(found: Possible, now: datetime) -> dict[str, Any]:
    """When the CA's limits let another certificate through, and what stands in its way until then."""
    return {"at": stamp(found.at), "now": found.at <= now, "left": found.left, "why": found.why}


def _window(row: Certificate) -> dict[str, Any] | None:
    if row.window_start is None:
        return None
    return {"start": stamp(row.window_start), "end": stamp(row.window_end)}
