"""Events that Stripe sends us: the signature over the raw bytes, and the envelope (https://docs.stripe.com/webhooks).

`Stripe-Signature: t=<epoch seconds>,v1=<hex>[,v1=<hex>…]` with hex = HMAC-SHA256(secret, "<t>.<raw body>"). During a
rotation Stripe signs with both secrets, and we may know both: any pair that fits will do. Judged as the official
library does (its 16.1.0 gave the verdicts of our vectors), and stricter only in sizes.

A signature says who wrote an event, not that it is news: the caller keeps the ids it has acted on. Events come more
than once and in any order.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field, SecretStr, ValidationError

from domain.errors import ErrorCode
from providers.errors import Rejected

PROVIDER = "stripe"
SCHEME = "v1"
TOLERANCE = 300  # seconds
MAX_HEADER = 4096  # characters
MAX_BODY = 1024 * 1024  # bytes; the events we were shown have some 5 KiB
MAX_DIGITS = 12  # of a timestamp


class WebhookRefused(Rejected):
    """What came is no event of Stripe's that we may act on. Answer 400: Stripe repeats its own, others give up."""

    code = ErrorCode.VALIDATION_ERROR

    def __init__(self, message: str) -> None:
        super().__init__(message, provider=PROVIDER)


class SignatureMissing(WebhookRefused):
    """No header, or an empty one."""

    code = ErrorCode.MISSING_CREDENTIALS


class SignatureMalformed(WebhookRefused):
    """A header without a time or without a signature of a scheme that we know."""

    code = ErrorCode.INVALID_CREDENTIALS


class SignatureMismatch(WebhookRefused):
    """No signature fits body and secrets: forged, changed on the way, or signed with a secret that we do not have."""

    code = ErrorCode.INVALID_CREDENTIALS


class SignatureExpired(WebhookRefused):
    """Signed by Stripe outside the tolerance: a replay, or a clock that is wrong."""

    code = ErrorCode.INVALID_CREDENTIALS


class EventMalformed(WebhookRefused):
    """Too large, no JSON, or no event."""


class Event(BaseModel, frozen=True):
    """The envelope, whatever the version of its `object`. `previous` holds the changed members' earlier values."""

    id: str = Field(min_length=1, max_length=255)
    type: str = Field(min_length=1, max_length=255)
    created: int  # epoch seconds
    livemode: bool
    api_version: str | None = None
    object: dict[str, Any] = Field(repr=False)  # a customer's address and more
    previous: dict[str, Any] = Field(default={}, repr=False)


def verify(
    body: bytes,
    header: str | None,
    secrets: Sequence[SecretStr],
    *,
    now: float,
    tolerance: float = TOLERANCE,
    future_tolerance: float | None = None,
) -> Event:
    """The event in `body`, the bytes as they came.

    `now` is epoch seconds. A signature may be `tolerance` seconds old; one from the future is taken, as by the official
    library, unless `future_tolerance` says how far ahead Stripe's clock may be. Raises the errors above; ValueError
    without a secret, since with an empty one anybody could sign.
    """
    keys = [secret.get_secret_value().encode() for secret in secrets]
    if not keys or not all(keys):
        raise ValueError("webhooks cannot be verified without a secret")
    if not header:
        raise SignatureMissing("there is no Stripe-Signature")
    if len(header) > MAX_HEADER:
        raise SignatureMalformed(f"Stripe-Signature has more than {MAX_HEADER} characters")
    if len(body) > MAX_BODY:
        raise EventMalformed(f"the body has more than {MAX_BODY} bytes")
    signed_at, signatures = _parts(header)
    expected = [signature(body, key, signed_at).encode() for key in keys]
    # Every pair is compared, in constant time each: how long it takes does not tell which one was close.
    if not sum(hmac.compare_digest(given, one) for given in signatures for one in expected):
        raise SignatureMismatch("no signature fits this body and our secrets")
    # Only now: who cannot sign is told nothing of our clock.
    if signed_at < now - tolerance:
        raise SignatureExpired(f"signed more than {tolerance:g} s ago")
    if future_tolerance is not None and signed_at > now + future_tolerance:
        raise SignatureExpired(f"signed more than {future_tolerance:g} s ahead of our clock")
    return parse(body)


def signature(body: bytes, secret: bytes, signed_at: int) -> str:
    """The hexadecimal `v1` signature of a body."""
    return hmac.new(secret, b"%d." % signed_at + body, hashlib.sha256).hexdigest()


def parse(body: bytes) -> Event:
    """The envelope without a signature: for what was verified already."""
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):  # bytes that are no UTF-8 are a ValueError too
        raise EventMalformed("the body is no JSON") from None
    return event_of(read)


def event_of(read: object) -> Event:
    """The envelope as Stripe's API shows it too. EventMalformed where it is none, and of thin events (API v2)."""
    data = read.get("data") if isinstance(read, dict) else None
    if not isinstance(read, dict) or read.get("object") != "event" or not isinstance(data, dict):
        raise EventMalformed("the body is no event")
    members = {name: read[name] for name in ("id", "type", "created", "livemode", "api_version") if name in read}
    try:
        return Event(**members, object=data.get("object"), previous=data.get("previous_attributes") or {})
    except ValidationError as error:
        wrong = sorted({str(one["loc"][0]) for one in error.errors() if one["loc"]})
        raise EventMalformed(f"an event without a usable {', '.join(wrong)}") from None


def _parts(header: str) -> tuple[int, list[bytes]]:
    """(time, signatures of our scheme). Members of other schemes are left alone; blanks belong to a name."""
    pairs = [item.partition("=") for item in header.split(",")]
    time = next((value for name, _, value in pairs if name == "t"), "")
    given = [value.encode("utf-8", "replace") for name, _, value in pairs if name == SCHEME]
    if not (time.isascii() and time.isdigit() and len(time) <= MAX_DIGITS):
        raise SignatureMalformed("Stripe-Signature names no time")
    if not given:
        raise SignatureMalformed(f"Stripe-Signature has no signature of scheme {SCHEME}")
    return int(time), given
