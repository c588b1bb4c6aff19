"""The CA's business: accounts, orders, authorizations, challenges, issuance (RFC 8555 §7). Knows nothing of HTTP."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from pydantic import BaseModel

from sandbox.acme.authority import Authority
from sandbox.acme.problems import Problem
from sandbox.acme.signed import Signed, thumbprint
from sandbox.acme.store import Store
from sandbox.acme.validation import validate

ORDER_LIFE = timedelta(days=1)
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class Profile(BaseModel):
    description: str
    hours: int


PROFILES = {
    "classic": Profile(description="90 days", hours=90 * 24),
    "shortlived": Profile(description="160 hours", hours=160),
}


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


class CertificateAuthority:
    def __init__(
        self,
        store: Store,
        authority: Authority,
        dns: tuple[str, int],
        profiles: dict[str, Profile],
        blocked: Sequence[str],
    ) -> None:
        self._store = store
        self._authority = authority
        self._dns = dns
        self.profiles = profiles
        self._blocked = set(blocked)
        self._looking: dict[str, asyncio.Task[None]] = {}

    async def close(self) -> None:
        for task in list(self._looking.values()):
            task.cancel()
        await asyncio.gather(*self._looking.values(), return_exceptions=True)

    # ---- accounts

    def account(self, signed: Signed) -> tuple[dict[str, Any], bool]:
        """(the account of the key, whether it was made now)"""
        if signed.account is not None:
            raise Problem("malformed", "newAccount takes the key itself, not an account")
        fields, id_ = signed.fields, thumbprint(signed.key)
        found = self._store.get("account", id_)
        if found is not None:
            return found, False
        if fields.get("onlyReturnExisting"):
            raise Problem("accountDoesNotExist", "unable to find existing account for only-return-existing request")
        if not fields.get("termsOfServiceAgreed"):
            raise Problem("userActionRequired", "Provided account did not agree to the terms of service", 403)
        contact = fields.get("contact", [])
        if not all(isinstance(item, str) and item.startswith("mailto:") for item in contact):
            raise Problem("unsupportedContact", "only mailto contacts are supported")
        jwk = signed.key.public_key().to_json()
        return self._store.put("account", {"id": id_, "status": "valid", "contact": contact, "jwk": jwk}), True

    def update_account(self, signed: Signed, id_: str) -> dict[str, Any]:
        account = self._own(signed, signed.owner, id_)
        fields = signed.payload or {}
        if "contact" in fields:
            account["contact"] = fields["contact"]
        if fields.get("status") == "deactivated":
            account["status"] = "deactivated"
        return self._store.put("account", account)

    @staticmethod
    def _own(signed: Signed, document: dict[str, Any] | None, id_: str) -> dict[str, Any]:
        if document is None:
            raise Problem("malformed", "there is no such resource", 404)
        if document.get("account", document["id"]) != signed.owner["id"] or document["id"] != id_:
            raise Problem("unauthorized", "the resource belongs to another account", 403)
        return document

    # ---- orders

    def new_order(self, signed: Signed) -> dict[str, Any]:
        account, fields = signed.owner, signed.fields
        names = self._names(fields.get("identifiers"))
        profile = fields.get("profile") or next(reversed(self.profiles))  # unasked, the one a client wants least
        if profile not in self.profiles:
            raise Problem("invalidProfile", f'Order includes unrecognized profile name "{profile}"')
        expires = stamp(datetime.now(UTC) + ORDER_LIFE)
        made = [self._new_authorization(account["id"], name, expires) for name in names]
        secrets.SystemRandom().shuffle(made)  # no client may count on the order of authorizations
        order = {"account": account["id"], "status": "pending", "expires": expires, "names": names,
                 "authorizations": [item["id"] for item in made], "profile": profile}  # fmt: skip
        return self._store.put("order", order)

    def _names(self, identifiers: Any) -> list[str]:
        if not isinstance(identifiers, list) or not identifiers:
            raise Problem("malformed", "Order did not specify any identifiers")
        names: list[str] = []
        for item in identifiers:
            if not isinstance(item, dict) or item.get("type") != "dns":
                raise Problem("unsupportedIdentifier", "only identifiers of type dns are supported")
            name = str(item.get("value", ""))
            labels = name.removeprefix("*.").split(".")
            if len(labels) < 2 or not all(LABEL.fullmatch(label) for label in labels):
                raise Problem("malformed", f'Order included DNS identifier with an illegal value: "{name}"')
            if name.removeprefix("*.") in self._blocked:
                sub = Problem("rejectedIdentifier", f"{name} is a forbidden domain").document()
                sub["identifier"] = {"type": "dns", "value": name}
                text = f'Order included an identifier for which issuance is forbidden by policy: "{name}"'
                raise Problem("rejectedIdentifier", text, subproblems=[sub])
            if name not in names:
                names.append(name)
        return names

    def order(self, signed: Signed, id_: str) -> dict[str, Any]:
        return self._refresh(self._own(signed, self._store.get("order", id_), id_))

    def _refresh(self, order: dict[str, Any]) -> dict[str, Any]:
        """Bring the order's status up to its authorizations and, once it was finalized, to its certificate."""
        if order["status"] == "pending":
            states = {self._authorization(id_)["status"] for id_ in order["authorizations"]}
            if "invalid" in states:
                order["status"] = "invalid"
            elif states == {"valid"}:
                order["status"] = "ready"
        elif order["status"] == "processing":
            self._issue(order)
        return self._store.put("order", order)

    def finalize(self, signed: Signed, id_: str) -> dict[str, Any]:
        order = self.order(signed, id_)
        if order["status"] != "ready":
            raise Problem("orderNotReady", f'Order\'s status ("{order["status"]}") was not ready', 403)
        csr = self._csr(signed, order["names"])
        order["csr"] = csr.public_bytes(serialization.Encoding.PEM).decode()
        # Real CAs sign a moment later: the answer says processing, the next look finds the certificate.
        order["status"] = "processing"
        return self._store.put("order", order)

    @staticmethod
    def _csr(signed: Signed, wanted: list[str]) -> x509.CertificateSigningRequest:
        try:
            text = str(signed.fields["csr"])
            csr = x509.load_der_x509_csr(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            genuine = csr.is_signature_valid
            names = {str(item.value).lower() for item in csr.subject.get_attributes_for_oid(NameOID.COMMON_NAME)}
            try:
                alternatives = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
                names |= {name.lower() for name in alternatives.get_values_for_type(x509.DNSName)}
            except x509.ExtensionNotFound:
                pass
            key = csr.public_key()
        except (KeyError, ValueError) as error:
            raise Problem("badCSR", "Error parsing certificate request") from error
        if not genuine:
            raise Problem("badCSR", "the CSR's signature is wrong")
        if names != set(wanted):
            raise Problem("badCSR", f"CSR names {sorted(names)} differ from the order's {sorted(wanted)}", 403)
        strong = (isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048) or (
            isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in {"secp256r1", "secp384r1"}
        )
        if not strong:
            raise Problem("badCSR", "the CSR's public key is too weak or of an unknown kind")
        der = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        if key.public_bytes(*der) == signed.key.public_key().key.public_bytes(*der):
            raise Problem("badCSR", "certificate public key must be different than account key")
        return csr

    def _issue(self, order: dict[str, Any]) -> None:
        csr = x509.load_pem_x509_csr(order["csr"].encode())
        lifetime = timedelta(hours=self.profiles[order["profile"]].hours)
        chain, serial = self._authority.sign(csr, order["names"], lifetime)
        body = {"account": order["account"], "chain": chain, "serial": f"{serial:x}"}
        order["certificate"] = self._store.put("certificate", body)["id"]
        order["status"] = "valid"

    def certificate(self, signed: Signed, id_: str) -> str:
        return str(self._own(signed, self._store.get("certificate", id_), id_)["chain"])

    # ---- authorizations and challenges

    def _new_authorization(self, account: str, name: str, expires: str) -> dict[str, Any]:
        challenge = self._store.put("challenge", {"status": "pending", "token": secrets.token_urlsafe(32)})
        made = {"account": account, "name": name.removeprefix("*."), "wildcard": name.startswith("*."),
                "status": "pending", "expires": expires, "challenge": challenge["id"]}  # fmt: skip
        return self._store.put("authorization", made)

    def _authorization(self, id_: str) -> dict[str, Any]:
        found = self._store.get("authorization", id_)
        if found is None:
            raise Problem("malformed", "there is no such authorization", 404)
        return found

    def authorization(self, signed: Signed, id_: str) -> dict[str, Any]:
        found = self._own(signed, self._store.get("authorization", id_), id_)
        if signed.payload and signed.payload.get("status") == "deactivated" and found["status"] in {"pending", "valid"}:
            found["status"] = "deactivated"
            self._store.put("authorization", found)
        self._resume(found, signed)
        return found

    def challenge_of(self, authorization: dict[str, Any]) -> dict[str, Any]:
        return self._store.get("challenge", authorization["challenge"]) or {}

    def challenge(self, signed: Signed, authorization_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """(challenge, authorization). A JSON object starts the validation, an empty payload only looks."""
        authorization = self._own(signed, self._store.get("authorization", authorization_id), authorization_id)
        challenge = self.challenge_of(authorization)
        if signed.payload is not None and challenge["status"] == "pending" and authorization["status"] == "pending":
            challenge["status"] = "processing"
            self._store.put("challenge", challenge)
        self._resume(authorization, signed)
        return challenge, authorization

    def _resume(self, authorization: dict[str, Any], signed: Signed) -> None:
        """Look, unless somebody is looking: also for what a killed process left in the middle."""
        challenge = self.challenge_of(authorization)
        if challenge["status"] == "processing" and challenge["id"] not in self._looking:
            task = asyncio.create_task(self._look(authorization, challenge, thumbprint(signed.key)))
            self._looking[challenge["id"]] = task
            task.add_done_callback(lambda _: self._looking.pop(challenge["id"], None))

    async def _look(self, authorization: dict[str, Any], challenge: dict[str, Any], account_thumbprint: str) -> None:
        digest = hashlib.sha256(f"{challenge['token']}.{account_thumbprint}".encode()).digest()
        expected = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        try:
            await validate(self._dns, authorization["name"], expected)
        except Problem as problem:
            challenge |= {"status": "invalid", "error": problem.document()}
        else:
            challenge |= {"status": "valid", "validated": stamp(datetime.now(UTC))}
        authorization["status"] = challenge["status"]
        self._store.put("challenge", challenge)
        self._store.put("authorization", authorization)

    # ---- trust

    def root(self) -> str:
        return self._authority.root_pem()
