"""What DigitalOcean's answers mean, as the tree of providers/errors.py.

Bodies are `{"id": word, "message": sentence, "request_id"?}`. Nearly every refusal is 422, so the sentence decides: its
texts are the ones of public issue threads, since the specification names no 422 of an order at all.
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

PROVIDER = "digitalocean"
READER = Reader(PROVIDER, "DigitalOcean")
RATE_WINDOW = 3600.0  # seconds: the longest window of its limits

_BUSY = re.compile(r"pending event|currently locked|is locked|being (processed|created|destroyed)", re.IGNORECASE)
_NO_ROOM = re.compile(
    r"\blimit\b|\bcapacity\b|\bquota\b|sold out|unavailable|(is|are) not available|insufficient|"
    r"payment|billing|balance|verif(y|ication)",
    re.IGNORECASE,
)
_KEY_IN_USE = re.compile(r"already in use|already been taken", re.IGNORECASE)

# Words of a sentence -> the field of our order. The first that fits counts.
_WORDS = (
    (re.compile(r"user.?data", re.IGNORECASE), "user_data"),
    (re.compile(r"ssh.?key|key identifier|fingerprint", re.IGNORECASE), "ssh_keys"),
    (re.compile(r"\bvpc", re.IGNORECASE), "vpc"),
    (re.compile(r"\bimage\b", re.IGNORECASE), "operating_system"),
    (re.compile(r"\bsize\b", re.IGNORECASE), "product"),
    (re.compile(r"\bregion\b", re.IGNORECASE), "availability_zone"),
    (re.compile(r"\btags?\b", re.IGNORECASE), "tags"),
    (re.compile(r"\bname\b", re.IGNORECASE), "hostname"),
)


def sentence(response: httpx.Response) -> str:
    """The cloud's own words, or an empty text."""
    body = body_of(response)
    message = body.get("message") if isinstance(body, dict) else None
    return message.strip() if isinstance(message, str) else ""


def key_in_use(response: httpx.Response) -> bool:
    """A public key that the account has already; sometimes said of one that it has only just got."""
    return response.status_code == 422 and _KEY_IN_USE.search(sentence(response)) is not None


def wait_of(response: httpx.Response) -> float:
    """`retry-after` is sent for the limit of a minute only; `ratelimit-reset` is the end of the hour's."""
    return rate_wait(response, reset="ratelimit-reset", window=RATE_WINDOW)


def from_response(response: httpx.Response, *, ordering: bool = False) -> ProviderError:
    """The error of an answer that is not a success."""
    status, text = response.status_code, sentence(response)
    message = text or f"DigitalOcean answered {status} without a reason"
    error = READER.unless_refused(response, message, wait=wait_of(response), ordering=ordering)
    return error or _refused(status, text, message, ordering=ordering)


def _refused(status: int, text: str, message: str, *, ordering: bool) -> ProviderError:
    field = next((field for words, field in _WORDS if words.search(text)), None)
    kind: type[ProviderError]
    if status == 401:
        kind = Unauthorized
    elif status in {409, 422, 423} and _BUSY.search(text):
        kind = Transient  # one action at a time: it will end
    elif status in {403, 409, 422} and field != "user_data" and _NO_ROOM.search(text):
        kind = QuotaExceeded  # "Region is not available" is said of one that is full
    elif status == 403:
        kind = Unauthorized  # a token without the scope
    elif status == 404 and not (ordering and field):
        kind = NotFound
    elif status == 409:
        kind = Conflict
    elif status in {400, 404, 422}:
        return InvalidInput(message, provider=PROVIDER, field=field)
    else:
        kind = Rejected
    return kind(message, provider=PROVIDER)
