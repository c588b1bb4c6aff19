"""The CA's business: orders and issuance (RFC 8555 §7.4), and its parts beside them. Knows nothing of HTTP."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from pydantic import BaseModel

from sandbox.acme.accounts import Accounts, own
from sandbox.acme.authority import Authority
from sandbox.acme.problems import Problem
from sandbox.acme.proofs import Proofs
from sandbox.acme.renewals import Renewals, stamp
from sandbox.acme.signed import Signed
from sandbox.acme.store import Store

ORDER_LIFE = timedelta(days=1)
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class Profile(BaseModel):
    description: str
    hours: int


PROFILES = {
    "classic": Profile(description="90 days", hours=90 * 24),
    "shortlived": Profile(description="160 hours", hours=160),
}


class CertificateAuthority:
    def __init__(
        self,
        store: Store,
        authority: Authority,
        proofs: Proofs,
        profiles: dict[str, Profile],
        *,
        blocked: Sequence[str] = (),
        external: Mapping[str, str] | None = None,
        reuse_orders: bool = False,
    ) -> None:
        self._store = store
        self._authority = authority
        self.proofs = proofs
        self.accounts = Accounts(store, external or {})
        self.renewals = Renewals(store, authority)
        self.profiles = profiles
        self._blocked = set(blocked)
        self._reuse_orders = reuse_orders
        self._spoils: list[Problem] = []

    def spoil(self, problem: Problem) -> None:
        """The next order that is finalized becomes invalid, for this reason."""
        self._spoils.append(problem)

    # ---- orders

    def new_order(self, signed: Signed) -> dict[str, Any]:
        account, fields = signed.owner, signed.fields
        names = self._names(fields.get("identifiers"))
        profile = fields.get("profile") or next(reversed(self.profiles))  # unasked, the one a client wants least
        if profile not in self.profiles:
            raise Problem("invalidProfile", f'Order includes unrecognized profile name "{profile}"')
        replaces = fields.get("replaces")
        if replaces is not None:
            self.renewals.check_predecessor(str(replaces), account["id"], names)
        same = f"{account['id']}|{profile}|{','.join(sorted(names))}"
        open_one = self._open_order(same) if self._reuse_orders and replaces is None else None
        if open_one is not None:
            return open_one
        expires = stamp(datetime.now(UTC) + ORDER_LIFE)
        made = [self.proofs.new(account["id"], name, expires) for name in names]
        secrets.SystemRandom().shuffle(made)  # no client may count on the order of authorizations
        order: dict[str, Any] = {"account": account["id"], "status": "pending", "expires": expires, "names": names,
                                 "authorizations": [item["id"] for item in made], "profile": profile}  # fmt: skip
        if replaces is not None:
            order["replaces"] = replaces
        kept = self._refresh(self._store.put("order", order))
        if replaces is not None:
            self.renewals.replaced(str(replaces), kept["id"])
        self._store.put("open", {"id": same, "order": kept["id"]})
        return kept

    def _open_order(self, same: str) -> dict[str, Any] | None:
        """Public CAs give an order out again as long as it is neither decided nor finalized."""
        known = self._store.get("open", same)
        found = self._store.get("order", known["order"]) if known else None
        order = self._refresh(found) if found else None
        return order if order is not None and order["status"] in {"pending", "ready"} else None

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
        return self._refresh(own(signed, self._store.get("order", id_), id_))

    def _refresh(self, order: dict[str, Any]) -> dict[str, Any]:
        """Bring the order's status up to its authorizations and, once it was finalized, to its certificate."""
        if order["status"] == "pending":
            states = {self.proofs.known(id_)["status"] for id_ in order["authorizations"]}
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
        if self._spoils:
            order |= {"status": "invalid", "error": self._spoils.pop(0).document()}
            return
        csr = x509.load_pem_x509_csr(order["csr"].encode())
        lifetime = timedelta(hours=self.profiles[order["profile"]].hours)
        leaf, chain, other = self._authority.sign(csr, order["names"], lifetime)
        body = {"account": order["account"], "chain": chain, "other": other, "serial": f"{leaf.serial_number:x}"}
        made = self._store.put("certificate", body)
        self.renewals.add(made, leaf, order["names"])
        order["certificate"] = made["id"]
        order["status"] = "valid"

    def certificate(self, signed: Signed, id_: str, chain: str = "chain") -> str:
        """The first chain, or the `other` one, which leads to another root."""
        return str(own(signed, self._store.get("certificate", id_), id_)[chain])

    # ---- trust

    def root(self) -> str:
        return self._authority.root_pem()
