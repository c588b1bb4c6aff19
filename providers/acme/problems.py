"""What a CA's error document means for us (RFC 8555 §6.7). Pure but for the exception types it reads."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import josepy
import requests
from acme import errors, messages

from providers.acme.limits import limit_of, retry_at
from providers.errors import (
    Conflict,
    InvalidInput,
    IssuanceLimited,
    NotFound,
    NotValidated,
    ProofUnseen,
    ProviderError,
    RateLimited,
    Rejected,
    Transient,
    Unauthorized,
)

PROVIDER = "acme"

AGAIN = {"badNonce", "serverInternal", "orderNotReady", "dns", "connection", "tls", "accountDoesNotExist"}
NOT_US = {"unauthorized", "userActionRequired", "externalAccountRequired"}
FIELDS = {"invalidProfile": "acme_profile", "badCSR": "csr_pem", "badPublicKey": "csr_pem",
          "invalidContact": "email", "unsupportedContact": "email", "badRevocationReason": "reason"}  # fmt: skip
# A second try without naming the predecessor helps: it was replaced already, is unknown, or another account's.
NO_PREDECESSOR = {"alreadyReplaced", "malformed", "unauthorized", "notFound"}

# A failed validation counts against "5 per name and hour" at Let's Encrypt, so a repeat is spaced.
VALIDATION_RETRY_SECONDS = 120.0


def code_of(problem: messages.Error) -> str:
    """The last word of the urn; the library's own list of codes is older than some CAs."""
    return str(problem.typ).rsplit(":", maxsplit=1)[-1]


def detail_of(problem: messages.Error) -> str:
    parts = [str(problem.detail or problem.title or "no detail given")]
    for sub in problem.subproblems or ():
        name = f"{sub.identifier.value}: " if sub.identifier is not None else ""
        parts.append(f"{name}{sub.detail or code_of(sub)}")
    return f"{code_of(problem)}: {'; '.join(parts)}"


def wait_of(answer: requests.Response | None) -> float | None:
    """Seconds in Retry-After, which is a number or an HTTP date (RFC 9110 §10.2.3)."""
    said = answer.headers.get("Retry-After", "").strip() if answer is not None else ""
    if said.isascii() and said.isdecimal():
        return float(said[:12])
    try:
        return max(0.0, (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds()) if said else None
    except (ValueError, TypeError):
        return None


def refused(problem: messages.Error, answer: requests.Response | None) -> ProviderError:
    """A request the CA answered with an error document."""
    code, status = code_of(problem), answer.status_code if answer is not None else 0
    message = f"the CA answered {status}: {detail_of(problem)}"
    if code == "rateLimited" or status == 429 or (status == 503 and wait_of(answer) is not None):
        return _limited(message, wait_of(answer))
    if code in AGAIN or status >= 500:
        return Transient(message, provider=PROVIDER, retry_after=wait_of(answer))
    if code in NOT_US:
        return Unauthorized(message, provider=PROVIDER)
    if status == 404:
        # A resource we were just given is gone: the CA lost its memory (a test CA after a restart). Start over.
        return Transient(message, provider=PROVIDER)
    if status == 409:
        return Conflict(message, provider=PROVIDER)
    return InvalidInput(message, provider=PROVIDER, field=FIELDS.get(code))


def order_failed(problem: messages.Error | None) -> ProviderError:
    """An order that became invalid after its names were proven: its own words tell why, no answer's status does."""
    if problem is None:
        return Transient("the CA dropped the order and gave no reason", provider=PROVIDER)
    message = f"the CA dropped the order: {detail_of(problem)}"
    if code_of(problem) == "rateLimited":
        return _limited(message, None)
    if code_of(problem) in AGAIN:
        return Transient(message, provider=PROVIDER)
    return Rejected(message, provider=PROVIDER)


def _limited(message: str, wait: float | None) -> IssuanceLimited:
    """The header's wait, else the one in Boulder's words."""
    limit, subject = limit_of(message)
    at = retry_at(message)
    if wait is None and at is not None:
        wait = max(0.0, (at - datetime.now(UTC)).total_seconds())
    return IssuanceLimited(message, provider=PROVIDER, retry_after=wait, limit=limit, subject=subject)


def not_validated(name: str, problem: messages.Error | None) -> ProviderError:
    """An authorization that became invalid: what the CA saw when it looked for the challenge."""
    if problem is None:
        return ProofUnseen(f"the CA did not validate {name} and gave no reason", provider=PROVIDER,
                           retry_after=VALIDATION_RETRY_SECONDS)  # fmt: skip
    message = f"the CA could not validate {name}: {detail_of(problem)}"
    if code_of(problem) in AGAIN:
        return ProofUnseen(message, provider=PROVIDER, retry_after=VALIDATION_RETRY_SECONDS)
    if code_of(problem) == "rateLimited":
        limited = _limited(message, None)
        return limited if limited.retry_after is not None else _limited(message, VALIDATION_RETRY_SECONDS)
    return NotValidated(message, provider=PROVIDER)


def translate(error: Exception, answer: requests.Response | None) -> ProviderError:
    """Any exception of the library or of requests. `answer` is the last one received, if any."""
    match error:
        case ProviderError():
            return error
        case messages.Error():
            return refused(error, answer)
        case requests.exceptions.SSLError() if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return Rejected(f"the CA's own certificate is not trusted: {error}", provider=PROVIDER)
        case requests.exceptions.InvalidURL() | requests.exceptions.MissingSchema():
            return InvalidInput(f"not an ACME directory address: {error}", provider=PROVIDER, field="directory_url")
        case requests.RequestException() | OSError():
            return Transient(f"the CA did not answer: {type(error).__name__}", provider=PROVIDER)
        case errors.Error() | josepy.errors.Error() | ValueError() | LookupError() | TypeError() | AttributeError():
            return _unreadable(error, answer)
        case _:
            raise error


def _unreadable(error: Exception, answer: requests.Response | None) -> ProviderError:
    """An answer that is not ACME: a proxy's page, a missing header, a wrong address."""
    status = answer.status_code if answer is not None else 0
    message = f"the CA's answer cannot be understood (HTTP {status}): {type(error).__name__}"
    if status == 429 or (status == 503 and wait_of(answer) is not None):
        return RateLimited(message, provider=PROVIDER, retry_after=wait_of(answer))
    if status in {401, 403}:
        return Unauthorized(message, provider=PROVIDER)
    if status == 404:
        return NotFound(message, provider=PROVIDER)
    return Transient(message, provider=PROVIDER)
