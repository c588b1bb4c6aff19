"""One order at a CA: gone on with where one is open, reserved in the ledger of its limits, and settled however it ends.

issued                the order is forgotten in the transaction that stores the certificate
a repeat may help     the order stays open and what it holds of the limits stays taken
anything else         the order is forgotten and what it holds is given back; what the CA counted is noted
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio import activity

from activities._cas import account_key
from activities._context import Deps
from activities._proofs import solvers_for
from activities._renewing import Holder
from db.queries import ca_ledger, certificates
from domain.ca_catalogue import limits_of, order_for
from domain.ca_limits import CaLimit, Charge, Renewal, Wanted, charges_of, name_key, set_key, spent_by_order
from domain.challenges import Challenge
from providers.acme import csr as csrs
from providers.acme.chains import Issued
from providers.acme.client import AcmeClient
from providers.acme.problems import PROVIDER
from providers.errors import IssuanceLimited, NotValidated, ProofUnseen, ProviderError, Transient

DEADLINE_SECONDS = 240.0  # of one issuance; leaves the attempt time to clean up


@dataclass(frozen=True)
class Order:
    """What is asked of a CA, and for whom. `kind`: what it is to the CA's limits."""

    ca: AcmeClient
    holder: Holder
    names: Sequence[str]
    csr_pem: str
    profile: str
    challenge: Challenge
    replaces: str = ""
    kind: Renewal = Renewal.NEW


class OrderAtCa:
    def __init__(self, deps: Deps, order: Order) -> None:
        self._deps = deps
        self._order = order
        self._directory = order.ca.directory_url
        self._limits = limits_of(self._directory)

    async def obtain(self) -> Issued:
        """The certificate, or what `AcmeClient.issue` raises. IssuanceLimited also where our ledger says so: then
        nothing was sent, its message names the moment, and `retry_after` are the seconds until then."""
        order, deps = self._order, self._deps
        wanted = order_for(order.names, order.kind)
        solver = await solvers_for(deps, order.challenge, order.holder, order.names)
        csr_pem, resume = await self._open()
        if not resume:
            await self._reserve(wanted)

        async def placed(url: str) -> None:
            await self._remember(url, csr_pem, wanted, again=bool(resume))

        try:
            return await order.ca.issue(
                await account_key(deps, order.ca), csr_pem, profile=order.profile, solver=solver,
                replaces=order.replaces, resume=resume, placed=placed, deadline_seconds=DEADLINE_SECONDS,
                heartbeat=activity.heartbeat,
            )  # fmt: skip
        except ProviderError as error:
            await self._settle(wanted, error)
            raise

    async def _open(self) -> tuple[str, str]:
        """(CSR, URL) of the order that is open for the same key and names; else ours, and nothing to go on with."""
        order, request = self._order, csrs.facts(self._order.csr_pem)
        async with self._deps.db.begin() as session:
            found = await certificates.open_order(session, order.holder.id, self._directory)
            if found is not None and csrs.facts(found.csr_pem) == request:
                return found.csr_pem, found.url
        return order.csr_pem, ""

    async def _reserve(self, wanted: Wanted) -> None:
        now = datetime.now(UTC)
        async with self._deps.db.begin() as session:
            found = await ca_ledger.reserve(session, self._directory, wanted, now, self._limits)
        if found.by is not None:
            raise IssuanceLimited(
                found.why, provider=PROVIDER, retry_after=(found.at - now).total_seconds(), limit=found.by.limit,
                subject=found.by.subject,
            )  # fmt: skip

    async def _remember(self, url: str, csr_pem: str, wanted: Wanted, *, again: bool) -> None:
        """`again`: the open order led nowhere and a second one was placed, which its account's limit counts."""
        async with self._deps.db.begin() as session:
            await certificates.remember_order(session, self._order.holder.id, self._directory, url, csr_pem)
            if again:
                await ca_ledger.take(
                    session, self._directory, spent_by_order(wanted), datetime.now(UTC), self._limits
                )  # fmt: skip

    async def _settle(self, wanted: Wanted, error: ProviderError) -> None:
        now, directory = datetime.now(UTC), self._directory
        holder = self._order.holder.id
        async with self._deps.db.begin() as session:
            unseen = isinstance(error, NotValidated | ProofUnseen)
            if unseen:
                # Which of the names it was stands in the CA's words only: all are counted, the careful side.
                failed = [charge for charge in charges_of(wanted) if charge.limit is CaLimit.FAILED_VALIDATIONS]
                failed = failed or [
                    Charge(CaLimit.FAILED_VALIDATIONS, name_key(wanted.account, n)) for n in wanted.names
                ]
                await ca_ledger.take(session, directory, failed, now, self._limits)
            if isinstance(error, IssuanceLimited) and (charge := _refused(error, wanted)) is not None:
                until = now + timedelta(seconds=error.retry_after or 0)
                await ca_ledger.refused(session, directory, charge, until)
            open_order = await certificates.open_order(session, holder, directory)
            if open_order is not None and isinstance(error, Transient) and not unseen:
                return
            await certificates.forget_order(session, holder, directory)
            await ca_ledger.give_back(session, directory, wanted, self._limits)


def _refused(error: IssuanceLimited, wanted: Wanted) -> Charge | None:
    match error.limit:
        case None:
            return None
        case CaLimit.REGISTERED_DOMAIN:
            return Charge(error.limit, (error.subject or wanted.domains[0]).lower())
        case CaLimit.FAILED_VALIDATIONS:
            return Charge(error.limit, name_key(wanted.account, error.subject or wanted.names[0]))
        case CaLimit.EXACT_SET:
            return Charge(error.limit, set_key(wanted.names))
        case _:
            return Charge(error.limit, wanted.account)
