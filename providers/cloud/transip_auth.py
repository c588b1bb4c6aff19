"""Access to TransIP's REST API v6: reading the customer's key, signing token requests, and keeping one token fresh.

Knows nothing of servers and orders. Key, signatures and tokens never get into messages.
Source: https://api.transip.nl/rest/docs.html#header-authentication and the two official SDKs (gotransip, PHP).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
import time
import uuid

import httpx
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from providers.cloud.transip_errors import READER, from_response
from providers.errors import Transient

EXPIRATION_TIME = "30 minutes"
ASSUMED_LIFETIME = 25 * 60.0  # seconds; for a token whose end cannot be read
RENEW_BEFORE = 60.0  # seconds before its end

_PEM = re.compile(r"-----BEGIN (?:RSA )?PRIVATE KEY-----(.*?)-----END (?:RSA )?PRIVATE KEY-----", re.DOTALL)


def load_key(pem: str) -> rsa.RSAPrivateKey:
    """The customer's key. ValueError (without key material) when it is none.

    TransIP gives out PKCS#8, but people hold it under the header "BEGIN RSA PRIVATE KEY" (the PHP SDK rewrites it), on
    one line, or with literal ``\\n`` from an environment variable. The text between the headers decides, not they.
    """
    found = _PEM.search(pem.replace("\\n", "\n"))
    if found is None:
        raise ValueError("the TransIP private key is not a PEM text of an RSA key")
    body = "".join(found.group(1).split())
    for header in ("PRIVATE KEY", "RSA PRIVATE KEY"):
        lines = "\n".join(body[i : i + 64] for i in range(0, len(body), 64))
        text = f"-----BEGIN {header}-----\n{lines}\n-----END {header}-----\n"
        try:
            key = serialization.load_pem_private_key(text.encode(), password=None)
        except (ValueError, UnsupportedAlgorithm):
            continue
        if isinstance(key, rsa.RSAPrivateKey):
            return key
    raise ValueError("the TransIP private key cannot be read as an RSA key")


def sign(key: rsa.RSAPrivateKey, body: bytes) -> str:
    """base64(RSASSA-PKCS1-v1_5 with SHA-512) over the exact bytes of the request's body."""
    return base64.b64encode(key.sign(body, padding.PKCS1v15(), hashes.SHA512())).decode()


def expiry(token: str) -> float | None:
    """`exp` (epoch seconds) of a JWT, read without checking it: only its issuer can. None where there is none."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return float(claims["exp"])
    except (ValueError, TypeError, KeyError, binascii.Error):
        return None


class Tokens:
    """One token for all calls of a client, renewed 60 s before its end or when the cloud has rejected it."""

    def __init__(self, http: httpx.AsyncClient, *, username: str, key: rsa.RSAPrivateKey) -> None:
        self._http = http
        self._username = username
        self._key = key
        self._lock = asyncio.Lock()
        self._token = ""
        self._renew_at = 0.0

    async def get(self, *, rejected: str = "") -> str:
        """A token that is good for the next minute. `rejected` is one the cloud no longer takes.

        Raises as a read does: a failure here proves that the call the token was for never left.
        """
        async with self._lock:  # else every waiting call would ask for a token of its own
            if not self._token or self._token == rejected or time.time() >= self._renew_at:
                self._token = ""
                self._token = await self._request()
                self._renew_at = (expiry(self._token) or time.time() + ASSUMED_LIFETIME) - RENEW_BEFORE
            return self._token

    async def _request(self) -> str:
        nonce = uuid.uuid4().hex
        body = json.dumps(
            {
                "login": self._username,
                "nonce": nonce,
                "read_only": False,
                "expiration_time": EXPIRATION_TIME,
                "label": f"slipway-{nonce}",  # must be unique among the active tokens of a key
                "global_key": True,
            }
        ).encode()
        headers = {"Signature": sign(self._key, body), "Content-Type": "application/json"}
        try:
            response = await self._http.post("/auth", content=body, headers=headers)
        except httpx.HTTPError as error:
            raise READER.lost(error) from None
        if not response.is_success:
            raise from_response(response)
        token = READER.object_of(response).get("token")
        if not isinstance(token, str) or not token:
            raise Transient("TransIP answered a token request without a token", provider="transip")
        return token
