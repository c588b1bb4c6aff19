"""What TransIP's answers and silences mean, as the tree of providers/errors.py.

Bodies are `{"error": "sentence"}`, and may be empty or no JSON at all on any status (official SDK tests). The sentence
is what an operator needs, so it is kept; headers and tokens never get into a message.
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
    Rejected,
    Transient,
    Unauthorized,
)

PROVIDER = "transip"
READER = Reader(PROVIDER, "TransIP")
RATE_WINDOW = 900.0  # seconds: 1000 requests in 15 minutes, sliding, so nobody has to wait longer

_API_OFF = re.compile(r"API is not enabled|Authentication failed", re.IGNORECASE)
_NO_ROOM = re.compile(
    r"\b(limit|quota|maximum (number|amount)|capacity|out of stock|sold out|not enough|insufficient|"
    r"invoices?|payments?|unpaid|overdue|credit|balance)\b",
    re.IGNORECASE,
)
_NO_ACCESS = re.compile(r"\b(token|white-?list(ed)?|read.?only)\b", re.IGNORECASE)
_QUOTED = re.compile(r"'[^']*'")
_FOR_GOOD = re.compile(r"customer locked|is blocked|already exists", re.IGNORECASE)
_TOKEN_OVER = re.compile(r"access token has (expired|been revoked)", re.IGNORECASE)
_CANCELLED = re.compile(r"cancel", re.IGNORECASE)
_PARAMETER = re.compile(r"parameter '(\w+)'")

# TransIP's parameter -> the field of our order; the spelled-out words occur in sentences without a parameter's name.
_FIELDS = {
    "productName": "product",
    "operatingSystem": "operating_system",
    "availabilityZone": "availability_zone",
    "base64InstallText": "user_data",
    "sshKeys": "ssh_keys",
    "hostname": "hostname",
    "description": "correlation",
}
_WORDS = (
    (re.compile(r"operating ?system", re.IGNORECASE), "operating_system"),
    (re.compile(r"availability ?zone", re.IGNORECASE), "availability_zone"),
    (re.compile(r"product", re.IGNORECASE), "product"),
    (re.compile(r"ssh ?key", re.IGNORECASE), "ssh_keys"),
    (re.compile(r"host ?name", re.IGNORECASE), "hostname"),
)


def sentence(response: httpx.Response) -> str:
    """The cloud's own words, or an empty text."""
    body = body_of(response)
    error = body.get("error") if isinstance(body, dict) else None
    return error.strip() if isinstance(error, str) else ""


def token_is_over(response: httpx.Response) -> bool:
    """Whether a fresh token may help. An empty 401 may mean the same, and a refused call had no effect."""
    text = sentence(response)
    return response.status_code == 401 and (not text or _TOKEN_OVER.search(text) is not None)


def is_already_cancelled(response: httpx.Response) -> bool:
    return response.status_code == 409 and _CANCELLED.search(_QUOTED.sub("", sentence(response))) is not None


def from_response(response: httpx.Response, *, ordering: bool = False) -> ProviderError:
    """The error of an answer that is not a success."""
    status, text = response.status_code, sentence(response)
    message = text or f"TransIP answered {status} without a reason"
    error = READER.unless_refused(response, message, wait=wait_of(response), ordering=ordering)
    return error or _refused(status, text, message, ordering=ordering)


def wait_of(response: httpx.Response) -> float:
    return rate_wait(response, reset="X-Rate-Limit-Reset", window=RATE_WINDOW)


def _refused(status: int, text: str, message: str, *, ordering: bool) -> ProviderError:
    kind: type[ProviderError]
    field = _field(text)
    words = _QUOTED.sub("''", text)  # names in quotes are the customer's choice and mean nothing
    if status == 401 or (status == 409 and _API_OFF.search(words)) or (status == 403 and _NO_ACCESS.search(words)):
        kind = Unauthorized
    elif status != 404 and _NO_ROOM.search(words):
        kind = QuotaExceeded
    elif status in {403, 409} and _FOR_GOOD.search(words):
        kind = Conflict
    elif status == 409:
        kind = Transient  # another action runs: it will end
    elif status == 404 and not (ordering and field):
        kind = NotFound
    elif status in {400, 404, 406, 422}:
        return InvalidInput(message, provider=PROVIDER, field=field)
    else:
        kind = Rejected
    return kind(message, provider=PROVIDER)


def _field(text: str) -> str | None:
    named = _PARAMETER.search(text)
    if named and named.group(1) in _FIELDS:
        return _FIELDS[named.group(1)]
    return next((field for words, field in _WORDS if words.search(text)), None)


class AlreadyCancelled(Conflict):
    """A cancellation is pending; never leaves the client."""
