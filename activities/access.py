"""A customer's own ways in: the mailbox's password, and keys and a password for files.

Hashes alone, and those as encrypted rows that the job's id names: neither a run's history nor a command holds one.
"""

from __future__ import annotations

import uuid

from pydantic import SecretStr
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities._context import Deps
from activities._errors import mapped
from activities._house import visit
from activities._mailboxes import mailboxes
from activities.hosting import account_of
from db.models_jobs import Job
from db.queries import access, delivery
from db.queries.delivery import Delivery
from domain.errors import Trouble
from domain.fulfilment import JobCall
from providers.hosting import sftp

BCRYPT = "{BLF-CRYPT}"  # how Dovecot calls what crypt(5) needs no name for


class AccessActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @activity.defn
    @mapped
    async def set_mailbox_password(self, call: JobCall) -> None:
        """Let the mailbox be entered with the password that its customer has chosen.

        Effect: a hash in the mailbox's file at the mail server; our encrypted copy is destroyed.
        Idempotency: the same hash again changes nothing; with the copy destroyed it has been set.
        Undo: none; choose another one.
        Heartbeat: while at work.
        """
        held, given = await self._load(call)
        mailbox = held.living_mailbox
        if given is None:
            return
        if mailbox is None:
            raise _absent("mailbox")
        async with mailboxes(self._deps, held.mail, call.job_id, "set_mailbox_password") as (adapter, say):
            secret = SecretStr(BCRYPT + given.get_secret_value())
            await say((await adapter.set_password(mailbox.email, held.owner, secret)).text)
        await self._forget(call)

    @activity.defn
    @mapped
    async def set_sftp_password(self, call: JobCall) -> None:
        """Let files be reached with the password that the customer has chosen.

        Effect: a hash in the server's shadow file; our encrypted copy is destroyed.
        Idempotency: the same hash again changes nothing; with the copy destroyed it has been set.
        Undo: none; choose another one.
        Heartbeat: while at work.
        """
        held, given = await self._load(call)
        if given is None:
            return
        if held.living_account is None:
            raise _absent("site")
        async with visit(self._deps, held.site[1], call.job_id, "set_sftp_password") as there:
            await sftp.ensure_password(there.host, account_of(held), given, there.log.say)
        await self._forget(call)

    @activity.defn
    @mapped
    async def set_sftp_keys(self, call: JobCall) -> None:
        """Let exactly the keys that the customer has named reach the files. They are public and stand on the job.

        Effect: the account's file of keys on the web server.
        Idempotency: the same keys again change nothing.
        Undo: none; name others.
        Heartbeat: while at work.
        """
        held, _ = await self._load(call)
        if held.living_account is None:
            raise _absent("site")
        async with self._deps.db.begin() as session:
            job = await session.get_one(Job, uuid.UUID(call.job_id))
        keys = [str(key) for key in job.payload.get("keys", [])]
        async with visit(self._deps, held.site[1], call.job_id, "set_sftp_keys") as there:
            await sftp.ensure_keys(there.host, account_of(held), keys, there.log.say)

    # ---- parts

    async def _load(self, call: JobCall) -> tuple[Delivery, SecretStr | None]:
        async with self._deps.db.begin() as session:
            given = await access.read(session, self._deps.keys, call.job_id)
            return await delivery.load(session, call.subscription_id), given

    async def _forget(self, call: JobCall) -> None:
        async with self._deps.db.begin() as session:
            await access.forget(session, call.job_id)


def _absent(what: str) -> ApplicationError:
    return ApplicationError(f"the subscription has no {what} (any more)", type=Trouble.NOT_FOUND, non_retryable=True)
