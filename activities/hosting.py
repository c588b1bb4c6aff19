"""A subscription's site on a web server of the house: account, site, key and certificate, and the way back."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities._context import Deps
from activities._errors import mapped
from activities._house import Visit, visit
from db.models_hosting import HostingAccount
from db.queries import delivery
from db.queries.certificates import to_install
from db.queries.delivery import Delivery
from domain.errors import Trouble
from domain.fulfilment import JobCall, SiteCsr
from domain.provisioning import Absence
from providers.hosting import accounts, certificates, removal, sites
from providers.hosting.account import Account


class HostingActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @activity.defn
    @mapped
    async def create_account(self, call: JobCall) -> None:
        """Make the system user and its volume with the quota (R241).

        Effect: user, volume and folders on the web server, marked with the account's id.
        Idempotency: what is there stays; a user that is not ours is never touched (Conflict).
        Undo: remove_account.
        Heartbeat: while at work.
        """
        held = await self._load(call)
        async with self._visit(call, held, "create_account") as there:
            await accounts.ensure_account(there.host, account_of(held), there.log.say)

    @activity.defn
    @mapped
    async def create_site(self, call: JobCall) -> None:
        """Serve the site's names from the account's folder.

        Effect: nginx site and PHP pool, tested before they count.
        Idempotency: an equal configuration is left alone.
        Undo: remove_account.
        Heartbeat: while at work.
        """
        held = await self._load(call)
        async with self._visit(call, held, "create_site") as there:
            await sites.ensure_site(there.host, account_of(held), there.log.say)

    @activity.defn
    @mapped
    async def make_site_csr(self, call: JobCall) -> SiteCsr:
        """Make the site's TLS key, once, and a CSR for its names.

        Effect: a key on the web server, readable by root alone.
        Idempotency: the key that is there is used.
        Undo: remove_account.
        Heartbeat: while at work.
        """
        held = await self._load(call)
        async with self._visit(call, held, "make_site_csr") as there:
            pem = await certificates.make_csr(there.host, account_of(held), there.log.say)
        return SiteCsr(job_id=call.job_id, subscription_id=call.subscription_id, csr_pem=pem, inputs=call.inputs)

    @activity.defn
    @mapped
    async def configure_site_tls(self, call: JobCall) -> None:
        """Install the newest certificate and send visitors to HTTPS.

        Effect: chain and nginx site, tested before they count; the old ones come back where nginx refuses.
        Idempotency: an installed chain is left alone.
        Undo: remove_account.
        Heartbeat: while at work.
        """
        held = await self._load(call)
        async with self._deps.db.begin() as session:
            certificate = await to_install(session, held.subscription.id)
        if certificate is None:
            raise ApplicationError("no certificate was issued for the site yet", type=Trouble.MISSING_SETTING,
                                   non_retryable=True)  # fmt: skip
        async with self._visit(call, held, "configure_site_tls") as there:
            await certificates.install_certificate(
                there.host, account_of(held), certificate.chain_pem, there.log.say)  # fmt: skip

    @activity.defn
    @mapped
    async def remove_account(self, call: JobCall) -> None:
        """Take an account away that was never handed over. What a customer has used ends with a last backup instead.

        Effect: site, pool, certificate, volume and user are gone.
        Idempotency: absent is success; what is not ours is left alone (Conflict).
        Undo: create_account, create_site.
        Heartbeat: while at work.
        """
        held = await self._load(call)
        if held.account is None:
            return
        refuse_live(held)
        async with self._visit(call, held, "remove_account") as there:
            await removal.remove(there.host, account_of(held), there.log.say)

    @activity.defn
    @mapped
    async def prove_account_absent(self, call: JobCall) -> Absence:
        """Prove that nothing of the account is on the server.

        Effect: none, reads only.
        Idempotency: reads only.
        Undo: none.
        Heartbeat: while at work.
        """
        held = await self._load(call)
        now = datetime.now(UTC)
        if held.account is None:
            return Absence(what="hosting account", evidence="no place was ever claimed", at=now)
        async with self._visit(call, held, "prove_absence") as there:
            evidence = await removal.prove_absent(there.host, account_of(held))
        return Absence(what=f"hosting account {held.account.system_user}", evidence=evidence, at=now)

    # ---- parts

    async def _load(self, call: JobCall) -> Delivery:
        async with self._deps.db.begin() as session:
            return await delivery.load(session, call.subscription_id)

    @contextlib.asynccontextmanager
    async def _visit(self, call: JobCall, held: Delivery, step: str) -> AsyncIterator[Visit]:
        async with visit(self._deps, held.site[1], call.job_id, step) as there:
            yield there


def account_of(held: Delivery) -> Account:
    """The account as its web server knows it."""
    row: HostingAccount = held.site[0]
    return Account(
        account_id=str(row.id),
        system_user=row.system_user,
        domains=tuple(held.names),
        kind="php" if row.runtime == "php" else "static",
        quota_mb=row.quota_mb,
    )


def refuse_live(held: Delivery) -> None:
    """An undo is for what nobody has used yet."""
    if held.subscription.activated_at is not None:
        raise ApplicationError("the site was handed over; terminate its subscription instead", type=Trouble.CONFLICT,
                               non_retryable=True)  # fmt: skip
