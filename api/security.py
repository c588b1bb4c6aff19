"""Access tokens: signed, short-lived, and bound to a session that can be ended (X05). Knows nothing of HTTP."""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import jwt

from settings import Settings

log = logging.getLogger("slipway.api")

ISSUER = "slipway"
MAX_VERIFIED = 10_000
LONG_ACCESS = timedelta(minutes=30)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class TokenRefused(Exception):
    """The token is malformed, forged, expired, or of another kind."""


@dataclass(frozen=True)
class Bearer:
    user_id: uuid.UUID
    family_id: uuid.UUID


def duration(text: str) -> timedelta:
    """`15m`, `7d`, `24h`, `900s`, or plain seconds."""
    match = re.fullmatch(r"(\d+)\s*([smhd]?)", text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a duration such as 15m, 24h or 7d")
    return timedelta(**{_UNITS[match[2] or "s"]: int(match[1])})


class Tokens:
    def __init__(self, settings: Settings) -> None:
        self.access = duration(settings.jwt_access_expiry)
        self.refresh = duration(settings.jwt_refresh_expiry)
        if self.access > LONG_ACCESS:
            log.warning("JWT_ACCESS_EXPIRY is longer than 30 minutes", extra={"seconds": self.access.total_seconds()})
        if settings.jwt_secret is None:
            log.warning("JWT_SECRET is not set: access tokens end with this process")
        self._key = settings.jwt_secret.get_secret_value() if settings.jwt_secret else secrets.token_urlsafe(48)
        self._verified: dict[str, tuple[float, Bearer]] = {}

    def sign(self, user_id: uuid.UUID, family_id: uuid.UUID) -> str:
        now = datetime.now(UTC)
        claims = {"iss": ISSUER, "typ": "access", "sub": str(user_id), "sid": str(family_id), "iat": now,
                  "exp": now + self.access}  # fmt: skip
        return jwt.encode(claims, self._key, algorithm="HS256")

    def read(self, token: str) -> Bearer:
        """A token seen before is looked up: checking it again would cost a polled page more than its own answer."""
        ends, bearer = self._verified.get(token, (0.0, None))
        if bearer is not None and ends > time.time():
            return bearer
        ends, bearer = self._verify(token)
        if len(self._verified) >= MAX_VERIFIED:
            self._verified.clear()
        self._verified[token] = (ends, bearer)
        return bearer

    def _verify(self, token: str) -> tuple[float, Bearer]:
        try:
            claims = jwt.decode(token, self._key, algorithms=["HS256"], issuer=ISSUER,
                                options={"require": ["exp", "iat", "sub", "sid", "iss"]})  # fmt: skip
            if claims.get("typ") != "access":
                raise TokenRefused
            return float(claims["exp"]), Bearer(uuid.UUID(claims["sub"]), uuid.UUID(claims["sid"]))
        except (jwt.InvalidTokenError, ValueError, TypeError, AttributeError) as error:
            raise TokenRefused from error

    def fingerprint(self, text: bytes) -> str:
        """Keyed, because what is hashed may hold a password that could be guessed from a plain hash."""
        return hmac.new(self._key.encode(), text, hashlib.sha256).hexdigest()
