"""What became of certificates: suggested renewal windows (RFC 9773), predecessors of orders, revocation (§7.6)."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from pydantic import BaseModel

from sandbox.acme.authority import Authority
from sandbox.acme.problems import Problem
from sandbox.acme.signed import Signed
from sandbox.acme.store import Store

REASONS = {0, 1, 3, 4, 5}
DAY = timedelta(days=1)


class Suggestion(BaseModel):
    """A window asked for by a test: `body` replaces the whole answer, so that it can also be nonsense."""

    certificate_id: str
    start: datetime | None = None
    end: datetime | None = None
    explanation_url: str | None = None
    retry_after: str | None = None
    body: Any = None


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def name_of(certificate: x509.Certificate) -> str:
    issuer = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier or b""
    number = certificate.serial_number
    serial = number.to_bytes(number.bit_length() // 8 + 1, "big")
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (issuer, serial))


class Renewals:
    def __init__(self, store: Store, authority: Authority) -> None:
        self._store = store
        self._issuer = name_of(authority.intermediate_child()).partition(".")[0]

    def add(self, certificate: dict[str, Any], leaf: x509.Certificate, names: list[str]) -> None:
        """Remember an issued certificate by its name."""
        life = leaf.not_valid_after_utc - leaf.not_valid_before_utc
        middle = leaf.not_valid_before_utc + life * (1 / 2 if life <= 10 * DAY else 2 / 3)
        self._store.put("issued", {
            "id": name_of(leaf), "account": certificate["account"], "names": names, "serial": certificate["serial"],
            "start": stamp(middle - life / 90), "end": stamp(middle + life / 90), "revoked": None, "replaced_by": None,
            "key": _key(leaf),
        })  # fmt: skip

    def suggest(self, suggestion: Suggestion) -> None:
        known = self._known(suggestion.certificate_id)
        fields = suggestion.model_dump(mode="json", exclude={"certificate_id", "start", "end"}, exclude_none=True)
        window = {key: stamp(at) for key, at in (("start", suggestion.start), ("end", suggestion.end)) if at}
        self._store.put("issued", known | fields | window)

    def window(self, id_: str) -> tuple[Any, str | None]:
        """(the answer's body, its Retry-After where one was asked for)"""
        if id_.count(".") != 1:
            raise Problem("malformed", "Parsing ARI CertID failed :: Invalid path")
        if id_.partition(".")[0] != self._issuer:
            text = "Parsing ARI CertID failed :: no known issuer matches the provided Authority Key Identifier"
            raise Problem("malformed", text)
        known = self._known(id_)
        if known["revoked"] is not None:
            now = datetime.now(UTC)
            known |= {"start": stamp(now - 2 * DAY), "end": stamp(now - DAY)}
        body: Any = {"suggestedWindow": {"start": known["start"], "end": known["end"]}}
        if "explanation_url" in known:
            body["explanationURL"] = known["explanation_url"]
        return known.get("body", body), known.get("retry_after")

    def check_predecessor(self, id_: str, account: str, names: list[str]) -> None:
        known = self._known(id_)
        if known["account"] != account:
            raise Problem("unauthorized", "requester account did not request the certificate being replaced", 403)
        if not set(known["names"]) & set(names):
            raise Problem("malformed", "identifiers of the order and of the certificate being replaced do not overlap")
        order = self._store.get("order", known["replaced_by"]) if known["replaced_by"] else None
        if order is not None and order["status"] != "invalid":
            raise Problem(
                "alreadyReplaced", f"cannot indicate an order replaces certificate {id_}, already replaced", 409
            )

    def replaced(self, id_: str, order: str) -> None:
        self._store.put("issued", self._known(id_) | {"replaced_by": order})

    def revoke(self, signed: Signed) -> None:
        """By the account that ordered it, or by the certificate's own key."""
        try:
            text = str(signed.fields["certificate"])
            certificate = x509.load_der_x509_certificate(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            known = self._store.get("issued", name_of(certificate))
        except (KeyError, ValueError, x509.ExtensionNotFound) as error:
            raise Problem("malformed", "Unable to parse certificate") from error
        if known is None:
            raise Problem("malformed", "Unable to find specified certificate", 404)
        reason = signed.fields.get("reason", 0)
        if reason not in REASONS:
            raise Problem("badRevocationReason", f"unsupported revocation reason code provided: {reason}")
        if signed.account is not None and signed.account["id"] != known["account"]:
            raise Problem("unauthorized", "The certificate being revoked was not ordered by this account", 403)
        if signed.account is None and _spki(signed.key.public_key().key) != known["key"]:
            raise Problem("unauthorized", "The key is not the certificate's", 403)
        if known["revoked"] is not None:
            raise Problem("alreadyRevoked", "Certificate already revoked")
        self._store.put("issued", known | {"revoked": reason})

    def status(self, id_: str) -> dict[str, Any]:
        return self._known(id_)

    def _known(self, id_: str) -> dict[str, Any]:
        known = self._store.get("issued", id_)
        if known is None:
            raise Problem("malformed", "Certificate not found", 404)
        return known


def _key(leaf: x509.Certificate) -> str:
    return _spki(leaf.public_key())


def _spki(key: Any) -> str:
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()
