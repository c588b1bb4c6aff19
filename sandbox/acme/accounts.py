"""Accounts of the CA (RFC 8555 §7.3): made, found by their key, bound to an account elsewhere, moved to another key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from josepy.jwk import JWK

from sandbox.acme.problems import Problem
from sandbox.acme.signed import Signed, check_binding, check_rollover, thumbprint, thumbprint_of
from sandbox.acme.store import Store


class Accounts:
    """`external` holds the keys of accounts elsewhere, by their ids; where there are any, a binding is required."""

    def __init__(self, store: Store, external: Mapping[str, str]) -> None:
        self._store = store
        self.external = external

    def open(self, signed: Signed, url: str) -> tuple[dict[str, Any], bool]:
        """(the account of the key, whether it was made now)"""
        if signed.account is not None:
            raise Problem("malformed", "newAccount takes the key itself, not an account")
        fields, found = signed.fields, self._of_key(signed.key)
        if found is not None:
            if found["status"] != "valid":
                raise Problem("unauthorized", f"the account is {found['status']}", 403)
            return found, False
        if fields.get("onlyReturnExisting"):
            raise Problem("accountDoesNotExist", "unable to find existing account for only-return-existing request")
        if not fields.get("termsOfServiceAgreed"):
            raise Problem("userActionRequired", "Provided account did not agree to the terms of service", 403)
        contact = fields.get("contact", [])
        if not all(isinstance(item, str) and item.startswith("mailto:") for item in contact):
            raise Problem("unsupportedContact", "only mailto contacts are supported")
        jwk = signed.key.public_key().to_json()
        made: dict[str, Any] = {"status": "valid", "contact": contact, "jwk": jwk}
        if self.external:
            made["external"] = check_binding(fields.get("externalAccountBinding"), jwk, url, self.external)
        return self._keep(made), True

    def update(self, signed: Signed, id_: str) -> dict[str, Any]:
        account = own(signed, signed.owner, id_)
        fields = signed.payload or {}
        if "contact" in fields:
            account["contact"] = fields["contact"]
        if fields.get("status") == "deactivated":
            account["status"] = "deactivated"
        return self._store.put("account", account)

    def roll_over(self, signed: Signed, url: str, base: str) -> dict[str, Any]:
        account = signed.owner
        new = check_rollover(signed.fields, account, url, base)
        taken = self._of_key(new)
        if taken is not None:
            headers = {"Location": f"{base}/account/{taken['id']}"}
            raise Problem("malformed", "New key is already in use for a different account", 409, headers=headers)
        self._store.put("key", {"id": thumbprint_of(account), "account": None})
        account["jwk"] = new.public_key().to_json()
        return self._keep(account)

    def _of_key(self, key: JWK) -> dict[str, Any] | None:
        known = self._store.get("key", thumbprint(key))
        return self._store.get("account", known["account"]) if known and known["account"] else None

    def _keep(self, account: dict[str, Any]) -> dict[str, Any]:
        kept = self._store.put("account", account)
        self._store.put("key", {"id": thumbprint_of(kept), "account": kept["id"]})
        return kept


def own(signed: Signed, document: dict[str, Any] | None, id_: str) -> dict[str, Any]:
    """The document, where it is there and belongs to who asks."""
    if document is None:
        raise Problem("malformed", "there is no such resource", 404)
    if document.get("account", document["id"]) != signed.owner["id"] or document["id"] != id_:
        raise Problem("unauthorized", "the resource belongs to another account", 403)
    return document
