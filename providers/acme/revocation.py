"""Whether a CA lists a certificate as revoked (CRL, RFC 5280 §5): for CAs that give no renewal information.

A list is believed where the certificate's own issuer has signed it, it is about the place it was fetched from, and it
is not over. It comes over plain HTTP as a rule: the signature is what counts.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from providers.acme.problems import PROVIDER
from providers.errors import Transient

FETCH_SECONDS = 10.0
MOST_BYTES = 16 * 1024 * 1024  # public CAs cut theirs into pieces of some hundred kilobytes
MOST_LISTS = 64  # kept at once, the least lately fetched go first
# A list may be published anew long before its nextUpdate, and with it what we look for.
KEPT = timedelta(hours=6)
FAILED = timedelta(minutes=30)  # until a place that gave none is asked again

_Kept = tuple[datetime, x509.CertificateRevocationList | str]  # until when; the list, or why there is none


def list_urls(chain_pem: str) -> list[str]:
    """Where the lists that the first certificate of the chain may stand in are; empty where it names none."""
    found = _leaf_and_issuer(chain_pem)
    if found is None:
        return []
    try:
        points = found[0].extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    whole = [point for point in points if point.reasons is None and point.crl_issuer is None]
    names = [name for point in whole for name in point.full_name or []]
    urls = [name.value for name in names if isinstance(name, x509.UniformResourceIdentifier)]
    return [url for url in urls if url.startswith(("http://", "https://"))]


class RevocationLists:
    """Lists as CAs publish them, each fetched once in a while whoever asks for it."""

    def __init__(self, *, seconds: float = FETCH_SECONDS, most_bytes: int = MOST_BYTES) -> None:
        self._seconds, self._most_bytes = seconds, most_bytes
        self._kept: dict[str, _Kept] = {}
        self._fetching: dict[str, asyncio.Lock] = {}

    async def revoked(self, chain_pem: str) -> bool | None:
        """Whether the chain's first certificate is listed. None: it names no list, or the chain has no issuer.

        Transient: no place gave a list that can be believed; its message says why.
        """
        found = _leaf_and_issuer(chain_pem)
        if found is None or not (urls := list_urls(chain_pem)):
            return None
        leaf, issuer = found
        why = ""
        for url in urls:
            made = await self._list(url, issuer)
            if isinstance(made, x509.CertificateRevocationList):
                return made.get_revoked_certificate_by_serial_number(leaf.serial_number) is not None
            why = why or made
        raise Transient(why, provider=PROVIDER)

    async def _list(self, url: str, issuer: x509.Certificate) -> x509.CertificateRevocationList | str:
        async with self._fetching.setdefault(url, asyncio.Lock()):
            now = datetime.now(UTC)
            kept = self._kept.get(url)
            if kept is None or kept[0] <= now:
                kept = await self._fetch(url, issuer, now)
                self._kept.pop(url, None)
                self._kept[url] = kept
                while len(self._kept) > MOST_LISTS:
                    gone = next(iter(self._kept))
                    del self._kept[gone]
                    self._fetching.pop(gone, None)
            return kept[1]

    async def _fetch(self, url: str, issuer: x509.Certificate, now: datetime) -> _Kept:
        try:
            made = _read(await self._body(url), url, issuer, now)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError) as error:
            return now + FAILED, f"no list of revoked certificates from {url}: {_said(error)}"
        ends = made.next_update_utc
        return min(now + KEPT, ends) if ends is not None else now + KEPT, made

    async def _body(self, url: str) -> bytes:
        body = b""
        async with (
            asyncio.timeout(self._seconds),
            httpx.AsyncClient(trust_env=False, timeout=self._seconds) as http,
            http.stream("GET", url) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise ValueError(f"it answered {answer.status_code}")
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > self._most_bytes:
                    raise ValueError(f"it is longer than {self._most_bytes} bytes")
        return body


def _read(body: bytes, url: str, issuer: x509.Certificate, now: datetime) -> x509.CertificateRevocationList:
    """ValueError with the reason where it is no list to be believed (RFC 5280 §6.3.3)."""
    made = x509.load_pem_x509_crl(body) if body.startswith(b"-----") else x509.load_der_x509_crl(body)
    if made.issuer != issuer.subject:
        raise ValueError("it is another CA's")
    if not _signed(made, issuer):
        raise ValueError("its signature is not the issuer's")
    if made.next_update_utc is not None and made.next_update_utc <= now:
        raise ValueError(f"it was over at {made.next_update_utc:%F %H:%M} UTC")
    for extension in made.extensions:
        about = extension.value
        if isinstance(about, x509.DeltaCRLIndicator):
            raise ValueError("it tells changes only")
        if isinstance(about, x509.IssuingDistributionPoint):
            places = [name.value for name in about.full_name or [] if isinstance(name, x509.UniformResourceIdentifier)]
            if places and url not in places:
                raise ValueError("it is the list of another place")
            if about.only_contains_ca_certs or about.only_contains_attribute_certs or about.only_some_reasons:
                raise ValueError("it is not about all that sites use")
    return made


def _signed(made: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    try:
        return made.is_signature_valid(issuer.public_key())  # type: ignore[arg-type] # what cannot sign is refused
    except (InvalidSignature, UnsupportedAlgorithm, TypeError):
        return False


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


def _leaf_and_issuer(chain_pem: str) -> tuple[x509.Certificate, x509.Certificate] | None:
    try:
        leaf, issuer, *_ = x509.load_pem_x509_certificates(chain_pem.encode())
    except ValueError:
        return None
    return leaf, issuer
