"""Signed requests: what makes a POST acceptable (RFC 8555 §6.2–6.5), and the nonces for it."""

from __future__ import annotations

import json
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import josepy
from acme import jws
from josepy.json_util import decode_b64jose, encode_b64jose
from josepy.jwk import JWK, JWKEC, JWKRSA, JWKOct

from sandbox.acme.problems import Problem
from sandbox.acme.store import Store

ALGORITHMS = ["RS256", "ES256", "ES384", "ES512"]
MOST_NONCES = 10_000


class Nonces:
    """Each is good once; the oldest are forgotten first. A restart forgets all, as the client must bear."""

    def __init__(self) -> None:
        self._live: OrderedDict[str, None] = OrderedDict()

    def fresh(self) -> str:
        nonce = secrets.token_urlsafe(16)
        self._live[nonce] = None
        if len(self._live) > MOST_NONCES:
            self._live.popitem(last=False)
        return nonce

    def spend(self, nonce: str) -> bool:
        return self._live.pop(nonce, self) is None


@dataclass
class Signed:
    """A verified request. `account` is the account's document, None for newAccount (the key came along)."""

    payload: Any  # None for POST-as-GET
    key: JWK
    account: dict[str, Any] | None

    @property
    def owner(self) -> dict[str, Any]:
        if self.account is None:
            raise Problem("malformed", "this request must name its account (kid)")
        return self.account

    @property
    def fields(self) -> dict[str, Any]:
        if not isinstance(self.payload, dict):
            raise Problem("malformed", "the request's payload is not a JSON object")
        return self.payload


def thumbprint(key: JWK) -> str:
    return encode_b64jose(key.thumbprint())


def thumbprint_of(document: dict[str, Any]) -> str:
    """Of an account's key."""
    key: Any = JWK.from_json(document["jwk"])
    return thumbprint(key)


def verify(raw: bytes, content_type: str, url: str, base: str, nonces: Nonces, store: Store) -> Signed:
    if content_type.partition(";")[0].strip() != "application/jose+json":
        raise Problem("malformed", "the request's Content-Type must be application/jose+json", 415)
    try:
        signed = jws.JWS.json_loads(raw.decode())
        header = signed.signature.combined
    except (josepy.errors.Error, ValueError, LookupError, AttributeError, TypeError, AssertionError) as error:
        raise Problem("malformed", "the request's body is not a JWS") from error
    if header.alg is None or header.alg.name not in ALGORITHMS:
        raise Problem("badSignatureAlgorithm", "the JWS uses another algorithm", algorithms=ALGORITHMS)
    nonce = encode_b64jose(header.nonce) if header.nonce else ""
    if not nonces.spend(nonce):
        raise Problem("badNonce", f"JWS has an invalid anti-replay nonce: {nonce}")
    if header.url != url:
        raise Problem("unauthorized", f"JWS header url {header.url} is not the request's {url}", 403)
    key, account = _key(header, base, store)
    try:
        genuine = isinstance(key, JWKEC | JWKRSA) and signed.verify(key)
    except (josepy.errors.Error, ValueError, TypeError) as error:
        raise Problem("malformed", "JWS verification error") from error
    if not genuine:
        raise Problem("malformed", "JWS verification error")
    if account is not None and account["status"] != "valid":
        raise Problem("unauthorized", f"the account is {account['status']}", 403)
    try:
        payload = json.loads(signed.payload) if signed.payload else None
    except ValueError as error:
        raise Problem("malformed", "the JWS payload is not JSON") from error
    return Signed(payload, key, account)


def _key(header: Any, base: str, store: Store) -> tuple[Any, dict[str, Any] | None]:
    if (header.jwk is None) == (not header.kid):
        raise Problem("malformed", "a JWS must have either jwk or kid")
    if header.jwk is not None:
        return header.jwk, None
    account = store.get("account", header.kid.removeprefix(f"{base}/account/"))
    if account is None:
        raise Problem("accountDoesNotExist", f"unknown account {header.kid}")
    return JWK.from_json(account["jwk"]), account


def check_rollover(inner: dict[str, Any], account: dict[str, Any], url: str, base: str) -> JWK:
    """The new key that a keyChange asks for (RFC 8555 §7.3.5)."""
    try:
        signed = jws.JWS.from_json(inner)
        header = signed.signature.combined
        genuine = isinstance(header.jwk, JWKEC | JWKRSA) and signed.verify(header.jwk)
        said = json.loads(signed.payload)
    except (josepy.errors.Error, ValueError, LookupError, AttributeError, TypeError, AssertionError) as error:
        raise Problem("malformed", "the inner JWS cannot be read") from error
    if not genuine:
        raise Problem("malformed", "the inner JWS is not signed by the key in it")
    if header.url != url or header.nonce is not None or header.kid:
        raise Problem("malformed", "the inner JWS has another url, or a nonce, or a kid")
    if said != {"account": f"{base}/account/{account['id']}", "oldKey": account["jwk"]}:
        raise Problem("malformed", "the inner JWS names another account or another old key")
    new: JWK = header.jwk
    return new


def check_binding(binding: Any, jwk: dict[str, Any], url: str, keys: Mapping[str, str]) -> str:
    """The id of the external account (RFC 8555 §7.3.4)."""
    if not binding:
        raise Problem("externalAccountRequired", "this CA binds accounts to those it has elsewhere", 403)
    try:
        signed = jws.JWS.from_json(binding)
        header = signed.signature.combined
        key = JWKOct(key=decode_b64jose(keys[header.kid]))
        genuine = header.alg.name in {"HS256", "HS384", "HS512"} and signed.verify(key)
        said = json.loads(signed.payload)
    except KeyError as error:
        raise Problem("unauthorized", "the external account is not known", 403) from error
    except (josepy.errors.Error, ValueError, LookupError, AttributeError, TypeError, AssertionError) as error:
        raise Problem("malformed", "the external account binding cannot be read") from error
    if not genuine or header.url != url or header.nonce is not None:
        raise Problem("unauthorized", "the external account binding is not signed by its key, or for another url", 403)
    if said != jwk:
        raise Problem("malformed", "the external account binding is for another account key")
    return str(header.kid)
