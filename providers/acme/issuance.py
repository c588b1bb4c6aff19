"""One certificate, from the order to the chain: the phases of `AcmeClient.issue`, one after the other."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from acme import messages

from providers.acme import orders
from providers.acme.chains import choose_chain, leads_to
from providers.acme.csr import CsrFacts
from providers.acme.problems import not_validated, order_failed
from providers.acme.solvers import Proof, Solvers
from providers.acme.wire import Wire
from providers.errors import ProviderError, Transient

CLEAN_UP_SECONDS = 30.0
FINALIZE_TRIES = 4

Placed = Callable[[str], Awaitable[None]]


class Issuance:
    """`phase` says how far it came. `replaced` is the predecessor that the CA accepted."""

    def __init__(
        self, csr_pem: str, facts: CsrFacts, solvers: Solvers, enter: Callable[[str], None], poll: float
    ) -> None:
        self._csr_pem = csr_pem
        self._facts = facts
        self._solvers = solvers
        self._enter = enter
        self._poll_seconds = poll
        self._presented: list[Proof] = []
        self.replaced = ""

    async def order(
        self, wire: Wire, profile: str | None, replaces: str, resume: str, placed: Placed | None
    ) -> messages.OrderResource:
        """A new order, or the one at `resume` where it still leads somewhere. `placed` hears the URL of a new one."""
        self._enter("order")
        session = wire.session
        if resume:
            found = await wire.read(orders.reopen, session, resume, self._csr_pem, self._facts)
            if found is not None:
                order, self.replaced = found
                return await wire.read(orders.with_authorizations, session, order)
        names = self._facts.names
        order, self.replaced = await wire.call(orders.place, session, self._csr_pem, names, profile, replaces)
        if placed is not None:
            await placed(order.uri)
        return await wire.read(orders.with_authorizations, session, order)

    async def prove(self, wire: Wire, order: messages.OrderResource) -> None:
        todo: list[Proof] = []
        for authorization in order.authorizations:
            if authorization.body.status == messages.STATUS_VALID:
                continue  # proven for this account not long ago
            if authorization.body.status != messages.STATUS_PENDING:
                raise _failure(authorization)
            todo.append(self._solvers.proof(authorization.body, wire.account_key))
        self._enter("present")
        for proof in todo:
            self._presented.append(proof)  # before the effect: a lost answer may have had one
            await proof.solver.present(proof.place, proof.value)
        self._enter("propagation")
        for proof in todo:
            await proof.solver.ready(proof.place, proof.value)
        self._enter("answer")
        for proof in todo:
            if proof.challenge.status == messages.STATUS_PENDING:  # else answered by the try that placed the order
                response = proof.challenge.response(wire.account_key)
                await wire.call(wire.session.answer_challenge, proof.challenge, response)
        self._enter("validation")
        for authorization in order.authorizations:
            await self._await_valid(wire, authorization)

    async def _await_valid(self, wire: Wire, authorization: messages.AuthorizationResource) -> None:
        while authorization.body.status == messages.STATUS_PENDING:
            authorization, _ = await wire.read(wire.session.poll, authorization)
            if authorization.body.status == messages.STATUS_PENDING:
                await wire.pause(self._poll_seconds)
        if authorization.body.status != messages.STATUS_VALID:
            raise _failure(authorization)

    async def fetch(self, wire: Wire, order: messages.OrderResource, preferred_chain: str) -> str:
        self._enter("finalize")
        tries = FINALIZE_TRIES - 1
        while True:
            body = await wire.read(wire.session.order, order.uri)
            if body.status == messages.STATUS_VALID and body.certificate:
                return await self._download(wire, body.certificate, preferred_chain)
            if body.status == messages.STATUS_INVALID:
                raise order_failed(body.error)
            if body.status == messages.STATUS_READY:
                await self._finalize(wire, order, last=tries == 0)
                tries -= 1
            await wire.pause(self._poll_seconds)

    async def _finalize(self, wire: Wire, order: messages.OrderResource, *, last: bool) -> None:
        try:
            await wire.call(wire.session.begin_finalization, order)
        except Transient:
            # A lost answer is no reason to order again: the next look at the order tells whether the CSR arrived.
            if last:
                raise

    async def _download(self, wire: Wire, url: str, preferred: str) -> str:
        session = wire.session
        chains = [await wire.read(session.certificate, url)]
        if preferred and not leads_to(chains[0], preferred):
            with contextlib.suppress(ProviderError):  # another chain is a wish; the certificate is there already
                for other in await wire.call(session.alternates, url):
                    chains.append(await wire.call(session.certificate, other))
        return choose_chain(chains, preferred)

    async def clean_up(self) -> None:
        # What cannot be taken away must not cost a certificate that is issued, nor hide why none was: the value is
        # worthless by now, and withdrawing the name takes leftovers along.
        self._enter("clean up")
        for proof in self._presented:
            with contextlib.suppress(ProviderError, TimeoutError):
                async with asyncio.timeout(CLEAN_UP_SECONDS):
                    await proof.solver.clean_up(proof.place, proof.value)


def _failure(authorization: messages.AuthorizationResource) -> ProviderError:
    problem = next((c.error for c in authorization.body.challenges if c.error is not None), None)
    return not_validated(authorization.body.identifier.value, problem)
