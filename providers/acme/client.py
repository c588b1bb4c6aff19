"""Certificates from an ACME CA (RFC 8555) for a given CSR, proven by DNS-01. The private key is never here.

Calling twice is safe and costs an order: the caller looks first whether it has a certificate for the same key already.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol

from acme import challenges, messages
from cryptography import x509
from pydantic import BaseModel

from providers.acme import csr as csrs
from providers.acme.problems import PROVIDER, not_validated, refused
from providers.acme.wire import Wire, new_key
from providers.errors import InvalidInput, ProviderError, Rejected, Transient

CLEAN_UP_SECONDS = 30.0
FINALIZE_TRIES = 4
PREFERRED_PROFILES = ("classic", "default")  # Let's Encrypt's and Pebble's names of the long-lived one


class DnsSolver(Protocol):
    """Puts a TXT value at `_acme-challenge.…` beside others, waits until it is seen, takes it away. All repeatable."""

    async def present(self, name: str, value: str) -> None: ...

    async def ready(self, name: str, value: str) -> None: ...

    async def clean_up(self, name: str, value: str) -> None: ...


class Issued(BaseModel):
    """A chain, leaf first, and what its leaf says. `serial` is hexadecimal, `issuer` in RFC 4514 form."""

    chain_pem: str
    serial: str
    issuer: str
    not_before: datetime
    not_after: datetime
    names: list[str]
    key_sha256: str


class AcmeClient:
    def __init__(
        self, directory_url: str, *, ca_file: Path | None = None, email: str | None = None, poll_seconds: float = 1.0
    ) -> None:
        """`ca_file` holds the roots trusted for the CA's own API; None means the usual public ones (certifi)."""
        self.directory_url = directory_url
        self._trust: str | bool = str(ca_file) if ca_file is not None else True
        self._email = email
        self._poll_seconds = poll_seconds

    @staticmethod
    def new_account_key() -> str:
        """A fresh account key, PEM. To be stored before its first use: a lost one is a lost account."""
        return new_key()

    async def issue(
        self,
        account_key_pem: str,
        csr_pem: str,
        *,
        profile: str = "",
        solver: DnsSolver,
        deadline_seconds: float = 300,
        heartbeat: Callable[[str], None] = lambda phase: None,
    ) -> Issued:
        """A certificate for the names of the CSR.

        Raises RateLimited with the CA's own wait, InvalidInput for what the CA will never accept (field
        `acme_profile` for the profile), Rejected for a validation that failed, Transient for everything a repeat may
        help, the deadline among them. Whatever happens, the challenge records are taken away again.
        """
        facts = csrs.facts(csr_pem)
        wire = Wire(account_key_pem, trust=self._trust)
        presented: list[tuple[str, str]] = []
        phase = "directory"

        def enter(name: str) -> None:
            nonlocal phase
            phase = name
            heartbeat(name)

        try:
            async with asyncio.timeout(deadline_seconds):
                order = await self._order(wire, csr_pem, profile, enter)
                await self._prove(wire, order, solver, presented, enter)
                chain = await self._fetch(wire, order, enter)
        except TimeoutError as error:
            raise Transient(
                f"no certificate for {', '.join(facts.names)} within {deadline_seconds:g} s; it stopped at: {phase}",
                provider=PROVIDER,
            ) from error
        finally:
            heartbeat("clean up")
            await self._clean_up(solver, presented)
            wire.close()
        return _read_chain(chain, facts)

    # ---- the phases

    async def _order(
        self, wire: Wire, csr_pem: str, profile: str, enter: Callable[[str], None]
    ) -> messages.OrderResource:
        enter("directory")
        directory = await wire.open(self.directory_url)
        chosen = choose_profile(directory.meta.profiles, profile)
        enter("account")
        await wire.account(self._email)
        enter("order")
        return await wire.call(wire.session.new_order, csr_pem.encode(), chosen)

    async def _prove(
        self,
        wire: Wire,
        order: messages.OrderResource,
        solver: DnsSolver,
        presented: list[tuple[str, str]],
        enter: Callable[[str], None],
    ) -> None:
        todo: list[tuple[messages.ChallengeBody, str, str]] = []
        for authorization in order.authorizations:
            name = authorization.body.identifier.value
            if authorization.body.status == messages.STATUS_VALID:
                continue  # proven for this account not long ago
            offered = next((c for c in authorization.body.challenges if isinstance(c.chall, challenges.DNS01)), None)
            if offered is None:
                raise Rejected(f"the CA offers no dns-01 challenge for {name}", provider=PROVIDER)
            todo.append((offered, offered.validation_domain_name(name), offered.validation(wire.key)))
        enter("present")
        for _, record, value in todo:
            presented.append((record, value))  # before the effect: a lost answer may have had one
            await solver.present(record, value)
        enter("propagation")
        for _, record, value in todo:
            await solver.ready(record, value)
        enter("answer")
        for challenge, _, _ in todo:
            await wire.call(wire.session.answer_challenge, challenge, challenge.response(wire.key))
        enter("validation")
        for authorization in order.authorizations:
            await self._await_valid(wire, authorization)

    async def _await_valid(self, wire: Wire, authorization: messages.AuthorizationResource) -> None:
        while authorization.body.status == messages.STATUS_PENDING:
            authorization, _ = await wire.read(wire.session.poll, authorization)
            if authorization.body.status == messages.STATUS_PENDING:
                await wire.pause(self._poll_seconds)
        if authorization.body.status != messages.STATUS_VALID:
            problem = next((c.error for c in authorization.body.challenges if c.error is not None), None)
            raise not_validated(authorization.body.identifier.value, problem)

    async def _fetch(self, wire: Wire, order: messages.OrderResource, enter: Callable[[str], None]) -> str:
        enter("finalize")
        tries = FINALIZE_TRIES - 1
        while True:
            body = await wire.read(wire.session.order, order.uri)
            if body.status == messages.STATUS_VALID and body.certificate:
                return await wire.read(wire.session.certificate, body.certificate)
            if body.status == messages.STATUS_INVALID:
                raise refused(
                    body.error or messages.Error.with_code("serverInternal", detail="the CA dropped the order"), None
                )
            if body.status == messages.STATUS_READY:
                await self._finalize(wire, order, last=tries == 0)
                tries -= 1
            await wire.pause(self._poll_seconds)

    @staticmethod
    async def _finalize(wire: Wire, order: messages.OrderResource, *, last: bool) -> None:
        try:
            await wire.call(wire.session.begin_finalization, order)
        except Transient:
            # A lost answer is no reason to order again: the next look at the order tells whether the CSR arrived.
            if last:
                raise

    @staticmethod
    async def _clean_up(solver: DnsSolver, presented: list[tuple[str, str]]) -> None:
        # What cannot be taken away must not cost a certificate that is issued, nor hide why none was: the value is
        # worthless by now, and withdrawing the name takes leftovers along.
        for record, value in presented:
            with contextlib.suppress(ProviderError, TimeoutError):
                async with asyncio.timeout(CLEAN_UP_SECONDS):
                    await solver.clean_up(record, value)


def choose_profile(offered: Mapping[str, str] | None, wanted: str = "") -> str | None:
    """The profile to ask for. Where profiles exist one is always asked for: unasked, the CA may pick a six-day one."""
    if not offered:
        return None
    if wanted:
        if wanted not in offered:
            raise InvalidInput(
                f"the CA offers no profile {wanted!r}, only {', '.join(sorted(offered))}",
                provider=PROVIDER,
                field="acme_profile",
            )
        return wanted
    for name in (*PREFERRED_PROFILES, *(name for name in offered if "short" not in name)):
        if name in offered:
            return name
    return next(iter(offered))


def _read_chain(chain_pem: str, wanted: csrs.CsrFacts) -> Issued:
    try:
        leaf = x509.load_pem_x509_certificates(chain_pem.encode())[0]
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound) as error:
        raise Transient(f"the CA's chain cannot be read: {error}", provider=PROVIDER) from error
    key = csrs.key_sha256(leaf.public_key())
    if key != wanted.key_sha256:
        raise Transient("the CA's certificate is for another key than the CSR's", provider=PROVIDER)
    return Issued(
        chain_pem=chain_pem,
        serial=f"{leaf.serial_number:x}",
        issuer=leaf.issuer.rfc4514_string(),
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        names=sorted(names.get_values_for_type(x509.DNSName)),
        key_sha256=key,
    )
