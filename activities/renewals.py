"""A certificate's renewal outside: CSR and chain at its server, an order at a CA, a look from outside (X18, X40).

What a CA answers is no failure of an activity: it is handed back by kind, and the policy decides when the next try is.
"""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography import x509
from temporalio import activity

from activities._context import Deps
from activities._errors import mapped
from activities._heartbeat import beating
from activities._issuing import Issuing
from activities._renewing import Place, address_of, holder_of, say, visit
from db.queries import certificates, shared_certificates
from domain.certificates import Failed, Installation, Renewal, RenewalCsr, Tried
from domain.renewal import Action
from providers.acme.csr import facts, key_sha256
from providers.acme.failures import failed
from providers.errors import ProviderError, Unhealthy
from providers.hosts import probe


class RenewalActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._issuing = Issuing(deps)

    @activity.defn
    @mapped
    async def make_renewal_csr(self, renewal: Renewal) -> RenewalCsr:
        """A CSR by the key in use, or by a fresh one beside it; never by one that was uploaded.

        Effect: where a fresh key is wanted, one on the server that is not in use yet.
        Idempotency: a key that is there is used.
        Undo: none; a key beside the one in use harms nobody.
        Heartbeat: while at work.
        """
        async with visit(self._deps, renewal) as place:
            return RenewalCsr(renewal=renewal, csr_pem=await self._csr(place, renewal))

    async def _csr(self, place: Place, renewal: Renewal) -> str:
        """A try that broke off may have left an uploaded key, in use or beside it. Others know that one too."""
        csr = await place.make_csr(renewal.names, fresh_key=renewal.fresh_key)
        if not renewal.fresh_key and await self._by_shared_key(csr):
            csr = await place.make_csr(renewal.names, fresh_key=True)
        if await self._by_shared_key(csr):
            await place.discard_fresh_key()
            csr = await place.make_csr(renewal.names, fresh_key=True)
        return csr

    async def _by_shared_key(self, csr_pem: str) -> bool:
        async with self._deps.db.begin() as session:
            return await shared_certificates.is_shared(session, facts(csr_pem).key_sha256)

    @activity.defn
    @mapped
    async def issue_renewal(self, call: RenewalCsr) -> Tried:
        """Get a successor at the CA that the plan names, or rehearse that at the staging CA.

        Effect: an order at the CA, a proof in DNS or on the host for its time, the ledger of its limits, one row in
        `certificates`.
        Idempotency: a successor that was issued before is handed back; an order that is open is gone on with.
        Undo: none; an unused certificate harms nobody.
        Heartbeat: throughout, with the phase.
        """
        renewal = call.renewal
        async with self._deps.db.begin() as session:
            old = await certificates.get(session, renewal.certificate_id)
        async with beating():
            try:
                if renewal.action is Action.REHEARSE:
                    await self._issuing.rehearse(say, old, renewal.names, call.csr_pem, renewal.challenge)
                    return Tried()
                made = await self._issuing.renew(
                    say, old, renewal.names, call.csr_pem, renewal.action, renewal.challenge
                )
            except ProviderError as error:
                said = failed(None, error, datetime.now(UTC))
                return Tried(failed=Failed(kind=said.kind, message=error.message, until=said.until))
        return Tried(successor_id=str(made.id))

    @activity.defn
    @mapped
    async def install_renewal(self, call: Installation) -> None:
        """Serve the certificate: the new one, or the old one again.

        Effect: chain, and key where it is a fresh one, in the place of the old ones; tested before they are read.
        Idempotency: what is in place is left alone; where nginx refuses, the old state is restored.
        Undo: the same with the old certificate.
        Heartbeat: while at work.
        """
        async with self._deps.db.begin() as session:
            chain = (await certificates.get(session, call.certificate_id)).chain_pem
        async with visit(self._deps, call.renewal) as place:
            await place.install(chain)

    @activity.defn
    @mapped
    async def verify_renewal(self, call: Installation) -> None:
        """Look from outside, by each name: this very certificate, its chain trusted, its name right, for its own key.

        Effect: none, reads only.
        Idempotency: reads only.
        Undo: none.
        Heartbeat: while at work.
        """
        async with self._deps.db.begin() as session:
            row = await certificates.get(session, call.certificate_id)
        address, config = await address_of(self._deps, holder_of(call.renewal)), self._deps.config
        async with beating():
            for name in call.renewal.served or call.renewal.names:
                page = await probe.fetch(address, name, "/", port=config.https_port, trust_file=config.trust_file)
                leaf = x509.load_der_x509_certificate(page.leaf_der)
                if f"{leaf.serial_number:x}" != row.serial or key_sha256(leaf.public_key()) != row.key_sha256:
                    raise Unhealthy(f"{name} shows certificate {leaf.serial_number:x} instead of {row.serial}")
