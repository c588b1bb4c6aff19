"""What Linode's answers mean, as the tree of providers/errors.py.

Bodies are `{"errors": [{"reason": sentence, "field"?: name}]}`. A refusal is 400, and so are some troubles that pass:
"Linode busy.", and a page of the proxy in front (nginx, text/html). Sources: the official OpenAPI, recorded answers of
linodego's tests and its list of what may be repeated, and public issue threads.
"""

from __future__ import annotations

import re
from typing import Any

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

PROVIDER = "linode"
READER = Reader(PROVIDER, "Linode")
RATE_WINDOW = 3600.0  # seconds: no documented window is longer
MAINTENANCE_WAIT = 900.0  # seconds: the API itself is being worked on, so looking every few seconds is no use

_BUSY = re.compile(r"\bbusy\b|please try again|currently (cloning|restoring|migrating)", re.IGNORECASE)
_NO_ROOM = re.compile(
    r"\blimit\b|\bcapacity\b|\bquota\b|sold out|unavailable|not (currently )?available|no open slots|insufficient|"
    r"payment|billing|balance|support ticket|contact (customer )?support",
    re.IGNORECASE,
)
_NOT_UNIQUE = re.compile(r"must be unique", re.IGNORECASE)
_TAGS = re.compile(r"\btags?\b", re.IGNORECASE)

# Linode's field -> the field of our order.
_FIELDS = {
    "type": "product",
    "region": "availability_zone",
    "image": "operating_system",
    "label": "hostname",
    "root_pass": "root_password",
    "authorized_keys": "ssh_keys",
    "metadata": "user_data",
    "metadata.user_data": "user_data",
    "user_data": "user_data",
    "stackscript_id": "stackscript",
    "stackscript_data": "stackscript_data",
    "backups_enabled": "backups",
    "private_ip": "private_ip",
    "tags": "tags",
}


def reasons(response: httpx.Response) -> list[tuple[str, str]]:
    """(field, sentence) of each error the cloud tells; empty where it tells none."""
    body = body_of(response)
    errors: Any = body.get("errors") if isinstance(body, dict) else None
    listed = [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
    told = [(str(error.get("field") or ""), str(error.get("reason") or "").strip()) for error in listed]
    return [(field, reason) for field, reason in told if reason]


def label_is_taken(response: httpx.Response) -> bool:
    """Labels are unique in an account, which is judged before anything is made."""
    return response.status_code == 400 and any(
        field == "label" and _NOT_UNIQUE.search(reason) for field, reason in reasons(response)
    )


def tags_are_refused(response: httpx.Response) -> bool:
    """Only unrestricted users may give tags. A refusal for several reasons is not about tags alone."""
    told = reasons(response)
    return response.status_code in {400, 401, 403} and bool(told) and all(
        field == "tags" or (not field and _TAGS.search(reason)) for field, reason in told
    )  # fmt: skip


def wait_of(response: httpx.Response) -> float:
    return rate_wait(response, reset="X-RateLimit-Reset", window=RATE_WINDOW)


def from_response(response: httpx.Response, *, ordering: bool = False) -> ProviderError:
    """The error of an answer that is not a success."""
    status, told = response.status_code, reasons(response)
    message = "; ".join(reason for _, reason in told) or f"Linode answered {status} without a reason"
    if status == 503 and "X-MAINTENANCE-MODE" in response.headers:
        # Said at the door; and were it not, a second order of the same label would make no second server.
        return Transient(f"Linode's API is under maintenance: {message}", provider=PROVIDER,
                         retry_after=MAINTENANCE_WAIT)  # fmt: skip
    if status == 400 and _is_a_page(response):
        # Of the proxy in front of the API: the call never reached it.
        return Transient("the proxy in front of Linode's API refused a call", provider=PROVIDER)
    error = READER.unless_refused(response, message, wait=wait_of(response), ordering=ordering)
    return error or _refused(status, told, message, ordering=ordering)


def _is_a_page(response: httpx.Response) -> bool:
    return "nginx" in response.headers.get("Server", "").lower() and "html" in response.headers.get("Content-Type", "")


def _refused(status: int, told: list[tuple[str, str]], message: str, *, ordering: bool) -> ProviderError:
    named = next((field for field, _ in told if field), "")
    field = _FIELDS.get(named, named) or None
    kind: type[ProviderError]
    if status in {401, 403}:
        kind = Unauthorized
    elif status in {400, 409} and not named and _BUSY.search(message):
        kind = Transient  # another job of the same Linode: it will end
    elif status in {400, 409, 422} and field not in {"user_data", "stackscript_data"} and _NO_ROOM.search(message):
        kind = QuotaExceeded
    elif status == 404 and not (ordering and field):
        kind = NotFound
    elif status == 409:
        kind = Conflict
    elif status in {400, 404, 422}:
        return InvalidInput(message, provider=PROVIDER, field=field)
    else:
        kind = Rejected
    return kind(message, provider=PROVIDER)
