"""A subscription's mailbox: at a mail server of the house, or only as a record where there is none (R242)."""

from __future__ import annotations

from datetime import UTC, datetime

from temporalio import activity

from activities._context import Deps
from activities._errors import mapped
from activities._mailboxes import mailboxes
from activities.hosting import refuse_live
from db.queries import delivery
from db.queries.delivery import Delivery
from domain.fulfilment import JobCall
from domain.provisioning import Absence


class MailboxActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @activity.defn
    @mapped
    async def create_mailbox(self, call: JobCall) -> None:
        """Make the mail domain and its first mailbox. Nobody can sign in until its customer has chosen a password.

        Effect: domain and mailbox at the mail server, marked with the subscription.
        Idempotency: what is there stays; what is not ours is never touched (Conflict).
        Undo: remove_mailbox.
        Heartbeat: while at work.
        """
        held = await self._load(call)
        async with mailboxes(self._deps, held.mail, call.job_id, "create_mailbox") as (adapter, say):
            if held.mailbox is None:
                await say("The price includes no mailbox")
                return
            await say((await adapter.ensure_domain(held.name, held.owner)).text)
            made = await adapter.ensure_mailbox(held.mailbox.email, held.owner, held.mailbox.quota_mb)
            await say(made.text)

    @activity.defn
    @mapped
    async def remove_mailbox(self, call: JobCall) -> None:
        """Take a mailbox away that was never handed over, with its empty domain.

        Effect: mailbox, its mail and its domain are gone from the mail server.
        Idempotency: absent is success; what is not ours is left alone (Conflict).
        Undo: create_mailbox.
        Heartbeat: while at work.
        """
        held = await self._load(call)
        if held.mailbox is None:
            return
        refuse_live(held)
        async with mailboxes(self._deps, held.mail, call.job_id, "remove_mailbox") as (adapter, say):
            await say((await adapter.remove(held.mailbox.email, held.owner)).text)
            await say((await adapter.discard_backup(held.mailbox.email, held.owner)).text)
            await say((await adapter.remove_domain(held.name, held.owner)).text)

    @activity.defn
    @mapped
    async def prove_mailbox_absent(self, call: JobCall) -> Absence:
        """Prove that the mail server knows nothing of the mailbox.

        Effect: none, reads only.
        Idempotency: reads only.
        Undo: none.
        Heartbeat: while at work.
        """
        held = await self._load(call)
        now = datetime.now(UTC)
        if held.mailbox is None:
            return Absence(what="mailbox", evidence="none was ever claimed", at=now)
        async with mailboxes(self._deps, held.mail, call.job_id, "prove_absence") as (adapter, _):
            evidence = await adapter.prove_absent(held.mailbox.email)
        return Absence(what=f"mailbox {held.mailbox.email}", evidence=evidence, at=now)

    # ---- parts

    async def _load(self, call: JobCall) -> Delivery:
        async with self._deps.db.begin() as session:
            return await delivery.load(session, call.subscription_id)
