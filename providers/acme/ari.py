"""When a CA wants a certificate renewed: ACME Renewal Information (RFC 9773). Pure but for the answer it reads."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

import requests
from cryptography import x509
from pydantic import AwareDatetime, BaseModel, HttpUrl, TypeAdapter, ValidationError

from providers.acme.problems import PROVIDER, wait_of
from providers.errors import InvalidInput

# RFC 9773 §4.3.2: reasonable limits of the checking interval; §4.3.3: the interval where nothing usable was said.
SHORTEST_POLL = 60.0
LONGEST_POLL = 86_400.0
DEFAULT_POLL = 21_600.0


class RenewalInfo(BaseModel, frozen=True):
    """A CA's answer. Without a window (both ends None) `why` says why, and the certificate's own dates decide.

    `poll_after` is in seconds, within a minute and a day. `explanation_url` is for the operator.
    """

    start: datetime | None = None
    end: datetime | None = None
    explanation_url: str = ""
    poll_after: float = DEFAULT_POLL
    why: str = ""


class _Window(BaseModel):
    start: AwareDatetime
    end: AwareDatetime


def certificate_id(certificate: x509.Certificate) -> str | None:
    """The certificate's name in `renewalInfo` and `replaces` (RFC 9773 §4.1); None without an issuer's key id."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except (ValueError, x509.ExtensionNotFound):
        return None
    if not found:
        return None
    serial = certificate.serial_number
    # DER's INTEGER is signed: a leading one bit needs a zero byte before it.
    return f"{_base64url(found)}.{_base64url(serial.to_bytes(serial.bit_length() // 8 + 1, 'big'))}"


def leaf_of(certificate_pem: str) -> x509.Certificate:
    """The first certificate of a chain. InvalidInput(field='certificate'): there is none."""
    try:
        return x509.load_pem_x509_certificates(certificate_pem.encode())[0]
    except ValueError as error:
        raise InvalidInput("not a certificate in PEM form", provider=PROVIDER, field="certificate") from error


def read(answer: requests.Response) -> RenewalInfo:
    """What a 200 says. Malformed bodies count as no answer (§4.2), with the poll in six hours (§4.3.3)."""
    poll_after = _poll_after(answer)
    try:
        body: Any = answer.json()
        window = _Window.model_validate(body["suggestedWindow"])
    except (ValueError, LookupError, TypeError, ValidationError) as error:
        return RenewalInfo(why=f"its renewal information cannot be read: {type(error).__name__}")
    if window.end <= window.start:
        return RenewalInfo(why="its suggested window ends before it begins")
    return RenewalInfo(
        start=window.start, end=window.end, explanation_url=_link(body.get("explanationURL")), poll_after=poll_after
    )


def absent(why: str) -> RenewalInfo:
    """A lasting error: asked again in six hours, not earlier (§4.3.3)."""
    return RenewalInfo(why=why)


def _poll_after(answer: requests.Response) -> float:
    said = wait_of(answer)
    return DEFAULT_POLL if said is None else min(LONGEST_POLL, max(SHORTEST_POLL, said))


def _link(said: object) -> str:
    """Shown to an operator, so nothing but a web address gets through."""
    try:
        return str(TypeAdapter(HttpUrl).validate_python(said))
    except ValidationError:
        return ""


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
