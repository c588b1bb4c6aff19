"""Who may call: `/auth` with a real signature check, and the JWTs it gives out."""

from __future__ import annotations

import base64
import binascii
import re
import time
import uuid
from pathlib import Path

import jwt
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from sandbox.clouds.store import Store
from sandbox.transip.records import Token
from sandbox.transip.wire import Refusal

UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 7 * 86400, "month": 30 * 86400}
DEFAULT_LIFETIME = "1 day"
ISSUER = "api.transip.nl"


class Authority:
    """`accounts` maps a login to the public key of its pair; the customer signs with the private one."""

    def __init__(self, store: Store, key_file: Path, accounts: dict[str, str]) -> None:
        self._store = store
        self._accounts = {login: _public(pem) for login, pem in accounts.items()}
        self._key = _own_key(key_file)

    def issue(self, raw: bytes, body: dict[str, object], signature: str) -> str:
        """A token for a signed request. Refusal 401 for a wrong signature, 406 for wrong parameters."""
        login = str(body.get("login", ""))
        self._check_signature(login, raw, signature)
        nonce, now = str(body.get("nonce", "")), time.time()
        if not nonce:
            raise Refusal(406, "The provided parameter 'nonce' should not be empty")
        seconds = lifetime(str(body.get("expiration_time") or DEFAULT_LIFETIME))
        label = str(body.get("label") or f"api token {nonce}")
        tokens = [token for token in self._store.all(Token) if token.login == login]
        if any(t.label == label and not t.revoked and t.expires_at > now for t in tokens):
            raise Refusal(409, f"The label '{label}' is already in use by an active access token")
        if any(t.jti.startswith(f"{nonce}.") for t in tokens):
            raise Refusal(401, "Authentication failed, the nonce was used before")
        token = Token(jti=f"{nonce}.{uuid.uuid4().hex[:8]}", login=login, label=label, expires_at=now + seconds,
                      read_only=body.get("read_only") is True)  # fmt: skip
        with self._store.transaction():
            for old in tokens:
                if old.expires_at < now - 3600:
                    self._store.delete(Token, old.jti)
            self._store.put(token.jti, token)
        claims = {"iss": ISSUER, "aud": ISSUER, "jti": token.jti, "iat": int(now), "nbf": int(now),
                  "exp": int(token.expires_at), "cid": login, "ro": token.read_only,
                  "gk": body.get("global_key") is True, "kv": True}  # fmt: skip
        return jwt.encode(claims, self._key, algorithm="RS256")

    def check(self, authorization: str) -> Token:
        """The token a call brings, or Refusal 401 with the sentence that says whether a new one would help."""
        scheme, _, text = authorization.partition(" ")
        if scheme.lower() != "bearer" or not text:
            raise Refusal(401, "Your access token is missing.")
        try:
            claims = jwt.decode(text, self._key.public_key(), algorithms=["RS256"], audience=ISSUER, leeway=1)
        except jwt.ExpiredSignatureError:
            raise Refusal(401, "Your access token has expired.") from None
        except jwt.InvalidTokenError:
            raise Refusal(401, "Your access token is invalid.") from None
        token = self._store.get(Token, str(claims.get("jti")))
        if token is None or token.login not in self._accounts:
            raise Refusal(401, "Your access token is invalid.")
        if token.revoked:
            raise Refusal(401, "Your access token has been revoked.")
        if token.expires_at <= time.time():
            raise Refusal(401, "Your access token has expired.")
        return token

    def revoke_all(self) -> int:
        tokens = [token for token in self._store.all(Token) if not token.revoked]
        with self._store.transaction():
            for token in tokens:
                self._store.put(token.jti, token.model_copy(update={"revoked": True}))
        return len(tokens)

    def _check_signature(self, login: str, raw: bytes, signature: str) -> None:
        key = self._accounts.get(login)
        try:
            if key is None:
                raise InvalidSignature
            key.verify(base64.b64decode(signature, validate=True), raw, padding.PKCS1v15(), hashes.SHA512())
        except (InvalidSignature, binascii.Error, ValueError):
            raise Refusal(401, "Authentication failed, invalid signature") from None


def lifetime(text: str) -> int:
    """Seconds of e.g. "30 minutes"; a month at most."""
    found = re.fullmatch(r"(\d+) (second|minute|hour|day|week|month)s?", text.strip())
    seconds = int(found.group(1)) * UNITS[found.group(2)] if found else 0
    if not 0 < seconds <= UNITS["month"]:
        raise Refusal(406, f"This is not a valid expiration time: '{text}', at most 1 month is possible")
    return seconds


def _public(pem: str) -> rsa.RSAPublicKey:
    key = serialization.load_pem_public_key(pem.encode())
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("an account of the sandbox needs an RSA public key in PEM")
    return key


def _own_key(path: Path) -> rsa.RSAPrivateKey:
    """The key that signs tokens, made once per state folder so that they outlive a restart."""
    if path.exists():
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        assert isinstance(key, rsa.RSAPrivateKey)
        return key
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    draft = path.with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    draft.replace(path)
    return key
