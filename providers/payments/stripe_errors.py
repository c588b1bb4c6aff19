"""What Stripe's answers mean, as the tree of providers/errors.py (https://docs.stripe.com/api/errors).

Bodies are `{"error": {"type", "code"?, "message"?, "param"?, "decline_code"?}}`. The code decides before the status.
Messages of 401 show a part of the key that was sent; ours show none of it.

A POST with an `Idempotency-Key` may be repeated with the same key and the same body for a day, so what leaves a doubt
is Transient. One answer is not helped by that: Stripe keeps a 500 too and repeats it (`Idempotent-Replayed: true`).
That is Unconfirmed: look for the effect, and only then use another key.
"""

from __future__ import annotations

import re

import httpx

from providers.cloud.http import Reader, body_of, rate_wait
from providers.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    ProviderError,
    QuotaExceeded,
    RateLimited,
    Rejected,
    Transient,
    Unauthorized,
    Unconfirmed,
)

PROVIDER = "stripe"
READER = Reader(PROVIDER, "Stripe")
RATE_WINDOW = 300.0  # seconds; its limits count by the second, and are eased by waiting

_KEY = re.compile(r"\b(?:sk|rk|pk|whsec)_[A-Za-z0-9_*]+")
_BUSY = {"lock_timeout", "idempotency_key_in_use"}
_CODES: dict[str, type[ProviderError]] = {
    "resource_missing": NotFound,
    "charge_already_refunded": Conflict,
    "charge_disputed": Conflict,
    "payment_intent_unexpected_state": Conflict,
    "balance_insufficient": QuotaExceeded,
    "api_key_expired": Unauthorized,
    "platform_api_key_expired": Unauthorized,
    "secret_key_required": Unauthorized,
}


def from_response(response: httpx.Response) -> ProviderError:
    """The error of an answer that is not a success."""
    status, error = response.status_code, error_of(response)
    code = error.get("code", "")
    message = f"Stripe answered {status}{f' {code}' if code else ''}: {_sentence(error)}"
    if code in _BUSY or status == 409:
        return Transient(message, provider=PROVIDER)
    if status == 429:
        return RateLimited(message, provider=PROVIDER, retry_after=wait_of(response))
    if status == 401:
        return Unauthorized("Stripe does not accept the API key", provider=PROVIDER)
    if kind := _CODES.get(code):
        return kind(message, provider=PROVIDER, field=error.get("param"))
    if error.get("type") == "idempotency_error":
        return Conflict("this Idempotency-Key was used for another request", provider=PROVIDER)
    if status == 403:
        return Unauthorized(message, provider=PROVIDER)
    if status == 404:
        return NotFound(message, provider=PROVIDER)
    if status == 402:  # a card's
        return Rejected(message, provider=PROVIDER)
    if 400 <= status < 500 and status not in {408, 424}:
        return InvalidInput(message, provider=PROVIDER, field=error.get("param"))
    return (Unconfirmed if replayed(response) else Transient)(message, provider=PROVIDER)


def replayed(response: httpx.Response) -> bool:
    """Whether the answer is the one that was kept for this Idempotency-Key."""
    return bool(response.headers.get("Idempotent-Replayed", "").lower() == "true")


def wait_of(response: httpx.Response) -> float:
    return rate_wait(response, reset="retry-after", window=RATE_WINDOW)


def error_of(response: httpx.Response) -> dict[str, str]:
    """The error's members that are texts."""
    body = body_of(response)
    error = body.get("error") if isinstance(body, dict) else None
    return {name: value for name, value in error.items() if isinstance(value, str)} if isinstance(error, dict) else {}


def _sentence(error: dict[str, str]) -> str:
    return _KEY.sub("(key)", error.get("message", "").strip()) or "no reason given"
