"""Certificates for instances, for a key that was made on the server and stays there (X18)."""

from __future__ import annotations

from temporalio import activity

from activities._context import Deps
from activities._errors import mapped
from activities._heartbeat import beating
from activities._issuing import Issuing
from activities._log import Lines
from activities._renewing import Holder
from db.queries.runs import load
from domain.certificates import HolderKind
from domain.provisioning import CertificateIssued, CertificateRequest


class CertificateActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._issuing = Issuing(deps)

    @activity.defn
    @mapped
    async def issue_certificate(self, call: CertificateRequest) -> CertificateIssued:
        """Get a certificate for the instance's name and the key of the given CSR.

        Effect: an order at the CA, a proof in DNS or on the host for its time, one row in `certificates`.
        Idempotency: a stored certificate for the same key and name is returned; a lost one costs another order.
        Undo: none; an unused certificate harms nobody, and its key goes with the server.
        Heartbeat: throughout, with the phase.
        """
        async with self._deps.db.begin() as session:
            facts = await load(session, call.deployment_id)
        holder, names = Holder(HolderKind.DEPLOYMENT, facts.deployment.id), [facts.deployment.assigned_subdomain]
        async with Lines(self._deps, call.deployment_id, "issue_certificate") as log, beating():
            return await self._issuing.issue(log.say, holder, names, call.csr_pem, call.inputs.acme_profile,
                                             call.inputs.challenge)  # fmt: skip
