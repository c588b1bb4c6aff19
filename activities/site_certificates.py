"""Certificates for sites of subscriptions, for a key that stays on the web server (X18, R164)."""

from __future__ import annotations

from temporalio import activity

from activities._context import Deps
from activities._errors import mapped
from activities._heartbeat import beating
from activities._issuing import Issuing
from activities._log import Lines
from activities._renewing import Holder
from activities._shared_keys import SharedKeys
from db.queries import delivery
from domain.certificates import HolderKind
from domain.fulfilment import SiteCsr
from domain.journal import SubjectKind
from domain.provisioning import CertificateIssued


class SiteCertificateActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._issuing = Issuing(deps)
        self._shared = SharedKeys(deps)

    @activity.defn
    @mapped
    async def issue_site_certificate(self, call: SiteCsr) -> CertificateIssued:
        """Get a certificate for the site's names and the key of the given CSR; or the default one of the house, where
        one was uploaded that covers them.

        Effect: an order at the CA, a proof in DNS or on the host for its time, one row in `certificates`. With the
            default one: its key beside the site's own, and the row.
        Idempotency: a stored certificate for the same key and names is returned; a lost one costs another order.
        Undo: none; an unused certificate harms nobody, and its key goes with the account.
        Heartbeat: throughout, with the phase.
        """
        async with self._deps.db.begin() as session:
            held = await delivery.load(session, call.subscription_id)
        holder = Holder(HolderKind.SUBSCRIPTION, held.subscription.id)
        async with Lines(self._deps, call.job_id, "issue_certificate", kind=SubjectKind.JOB) as log, beating():
            default = await self._shared.default_for_site(log.say, holder, held.names)
            if default is not None:
                return default
            return await self._issuing.issue(log.say, holder, held.names, call.csr_pem, call.inputs.acme_profile,
                                             call.inputs.challenge)  # fmt: skip
