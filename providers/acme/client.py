"""Certificates from an ACME CA (RFC 8555, RFC 9773) for a given CSR. The certificate's private key is never here.

Issuing twice is safe and costs an order: the caller looks first whether it has a certificate for the same key already.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from enum import IntEnum
from pathlib import Path

from acme import messages

from providers.acme import accounts, ari, chains
from providers.acme import csr as csrs
from providers.acme.accounts import ExternalAccount
from providers.acme.issuance import Issuance, Placed
from providers.acme.problems import PROVIDER, code_of
from providers.acme.profiles import choose_profile
from providers.acme.solvers import Solver, Solvers
from providers.acme.wire import Session, Wire, load_key, new_key
from providers.errors import ProviderError, RateLimited, Transient, Unauthorized

# A fleet asks for renewal information all the time, and a directory hardly ever changes.
DIRECTORY_SECONDS = 600.0
OUR_PHASES = {"present", "propagation"}  # where a deadline passes without the CA's doing


class Reason(IntEnum):
    """Why a certificate is revoked (RFC 5280 §5.3.1); those a subscriber may give at Let's Encrypt."""

    UNSPECIFIED = 0
    KEY_COMPROMISE = 1
    AFFILIATION_CHANGED = 3
    SUPERSEDED = 4
    CESSATION_OF_OPERATION = 5


class AcmeClient:
    def __init__(
        self,
        directory_url: str,
        *,
        ca_file: Path | None = None,
        email: str | None = None,
        poll_seconds: float = 1.0,
        external_account: ExternalAccount | None = None,
    ) -> None:
        """`ca_file` holds the roots trusted for the CA's own API; None means the usual public ones (certifi)."""
        self.directory_url = directory_url
        self._trust: str | bool = str(ca_file) if ca_file is not None else True
        self._email = email
        self._poll_seconds = poll_seconds
        self._external = external_account
        self._directory: tuple[float, messages.Directory] | None = None

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
        solver: Solver | Solvers,
        replaces: str = "",
        resume: str = "",
        placed: Placed | None = None,
        preferred_chain: str = "",
        deadline_seconds: float = 300,
        heartbeat: Callable[[str], None] = lambda phase: None,
    ) -> chains.Issued:
        """A certificate for the names of the CSR. A bare `solver` proves by DNS-01.

        `replaces` is the predecessor's `certificate_id`, left out by itself where the CA takes none. `placed` is
        awaited with the new order's URL; given back as `resume` with the same CSR, a later try goes on with that order.
        Keep it for a renewal: an order that was left open holds its predecessor, and another one is not exempt.
        `preferred_chain` is the common name of the root wanted at the top; without it the CA's first chain is taken.

        Raises IssuanceLimited with the CA's own wait, InvalidInput for what the CA will never accept (field
        `acme_profile` for the profile), NotValidated for a proof that was not found and ProofUnseen where the CA could
        not look, Rejected for an order it dropped, Transient for everything a repeat may help, the deadline among them.
        Whatever happens, what was published for the proof is taken away again.
        """
        facts = csrs.facts(csr_pem)
        phase = "directory"

        def enter(name: str) -> None:
            nonlocal phase
            phase = name
            heartbeat(name)

        issuance = Issuance(
            csr_pem, facts, solver if isinstance(solver, Solvers) else Solvers(dns=solver), enter, self._poll_seconds
        )
        try:
            async with asyncio.timeout(deadline_seconds):
                enter("directory")
                async with self._talk(account_key_pem) as wire:
                    chosen = choose_profile(wire.directory.meta.profiles, profile)
                    enter("account")
                    await wire.account(self._email, self._external)
                    order = await issuance.order(wire, chosen, replaces, resume, placed)
                    await issuance.prove(wire, order)
                    chain = await issuance.fetch(wire, order, preferred_chain)
        except TimeoutError as error:
            raise Transient(
                f"no certificate for {', '.join(facts.names)} within {deadline_seconds:g} s; it stopped at: {phase}",
                provider="" if phase in OUR_PHASES else PROVIDER,
            ) from error
        finally:
            await issuance.clean_up()
        return chains.read_chain(chain, facts, replaces=issuance.replaced)

    async def renewal_info(self, certificate_pem: str) -> ari.RenewalInfo:
        """When the CA wants this certificate renewed, and when to ask again. Needs no account.

        Without a window where the CA has none to give or gives a bad one; its `why` says so. Transient and RateLimited
        where it is down or busy: the caller keeps what it knew. Not to be asked for expired or replaced certificates.
        """
        name = ari.certificate_id(ari.leaf_of(certificate_pem))
        if name is None:
            return ari.absent("the certificate does not name its issuer's key")
        async with self._talk(None) as wire:
            base = wire.directory.to_partial_json().get("renewalInfo")
            if not isinstance(base, str):
                return ari.absent("the CA gives no renewal information")
            try:
                return ari.read(await wire.get(f"{base.rstrip('/')}/{name}"))
            except ProviderError as error:
                if wire.last_status is None or wire.last_status >= 500 or isinstance(error, RateLimited):
                    raise
                return ari.absent(error.message)

    async def revoke(self, account_key_pem: str, certificate_pem: str, reason: Reason = Reason.UNSPECIFIED) -> bool:
        """Revoke by the account's key. False: it was revoked before. InvalidInput(field='reason'): not that reason."""
        leaf = ari.leaf_of(certificate_pem)

        def send(session: Session) -> bool:
            try:
                session.revoke(leaf, int(reason))
            except messages.Error as error:
                if code_of(error) != "alreadyRevoked":
                    raise
                return False
            return True

        async with self._talk(account_key_pem) as wire:
            await self._known(wire)
            return await wire.call(send, wire.session)

    async def open_account(self, account_key_pem: str) -> str:
        """The URL of the key's account, which is made where the CA knows none."""
        async with self._talk(account_key_pem) as wire:
            return await wire.account(self._email, self._external)

    async def roll_over(self, old_key_pem: str, new_key_pem: str) -> str:
        """Give the account another key; the URL of the account. Both keys must be stored before.

        A repeat after a lost answer finds the account at its new key. Conflict: the new key has an account of its own.
        Unauthorized: neither key has one.
        """
        new = load_key(new_key_pem)
        async with self._talk(old_key_pem) as wire:
            url = await wire.call(accounts.find, wire.session)
            if url is not None:
                await wire.call(accounts.roll_over, wire.session, url, new)
                return url
        async with self._talk(new_key_pem) as wire:
            return await self._known(wire)

    async def deactivate(self, account_key_pem: str) -> bool:
        """Close the account for good. False: the CA knows none for this key, or it was closed before."""
        async with self._talk(account_key_pem) as wire:
            try:
                url = await self._known(wire)
                await wire.call(accounts.deactivate, wire.session, url)
            except Unauthorized:
                return False
        return True

    @contextlib.asynccontextmanager
    async def _talk(self, account_key_pem: str | None) -> AsyncIterator[Wire]:
        """A conversation, its directory known. After any failure the next one reads the directory anew."""
        async with Wire(account_key_pem, trust=self._trust) as wire:
            try:
                if self._directory is not None and time.monotonic() < self._directory[0]:
                    wire.resume(self._directory[1])
                else:
                    self._directory = (time.monotonic() + DIRECTORY_SECONDS, await wire.open(self.directory_url))
                yield wire
            except ProviderError:
                self._directory = None
                raise

    @staticmethod
    async def _known(wire: Wire) -> str:
        url = await wire.call(accounts.find, wire.session)
        if url is None:
            raise Unauthorized("the CA knows no account for this key", provider=PROVIDER)
        return url
