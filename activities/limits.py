"""What a subscription may use, changed on its servers: disk and mailbox. Rows follow when all is done."""

from __future__ import annotations

import uuid

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities._context import Deps
from activities._errors import mapped
from activities._house import visit
from activities._mailboxes import mailboxes
from activities.hosting import account_of
from db.models_shop import Price, Product
from db.queries import delivery
from db.queries.delivery import DISK_MB, MAILBOX_MB, Delivery
from domain.catalogue import Limits, ProductType
from domain.errors import Trouble
from domain.fulfilment import JobCall
from providers.hosting import accounts, volumes


class LimitActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @activity.defn
    @mapped
    async def check_limits(self, call: JobCall) -> None:
        """Refuse a price that allows less disk than is used, or no mailbox where there is one (InvalidInput).

        Effect: none, reads only.
        Idempotency: reads only.
        Undo: none.
        Heartbeat: while at work.
        """
        held, limits = await self._load(call)
        if held.living_mailbox is not None and limits.mailboxes == 0:
            raise _refused(f"the price includes no mailbox, and there is {held.living_mailbox.email}")
        wanted = limits.disk_mb or DISK_MB
        async with visit(self._deps, held.site[1], call.job_id, "check_limits") as there:
            used = await volumes.used_mb(there.host, account_of(held))
            await there.log.say(f"{used} MB of {held.site[0].quota_mb} MB are used; the new price allows {wanted} MB")
        if used > wanted:
            raise _refused(f"{used} MB are used, and the price allows {wanted} MB: delete files first")

    @activity.defn
    @mapped
    async def change_disk(self, call: JobCall) -> None:
        """Give the site's volume the size that the new price allows.

        Effect: the account's volume; the site is away for moments, or for a copy of it where it becomes smaller.
        Idempotency: a volume of that size is left alone.
        Undo: restore_disk.
        Heartbeat: while at work.
        """
        held, limits = await self._load(call)
        await self._disk(call, held, limits.disk_mb or DISK_MB)

    @activity.defn
    @mapped
    async def restore_disk(self, call: JobCall) -> None:
        """Undo change_disk: the size in the rows, which change last.

        Effect: the account's volume.
        Idempotency: a volume of that size is left alone.
        Undo: change_disk.
        Heartbeat: while at work.
        """
        async with self._deps.db.begin() as session:
            held = await delivery.load(session, call.subscription_id)
        await self._disk(call, held, held.site[0].quota_mb)

    @activity.defn
    @mapped
    async def change_mailbox_size(self, call: JobCall) -> None:
        """Let the mailbox hold what the new price allows. What is in it stays, also where that is more.

        Effect: the mailbox's file at the mail server.
        Idempotency: the same size again changes nothing.
        Undo: restore_mailbox_size.
        Heartbeat: while at work.
        """
        held, limits = await self._load(call)
        await self._mailbox(call, held, limits.mailbox_mb or MAILBOX_MB)

    @activity.defn
    @mapped
    async def restore_mailbox_size(self, call: JobCall) -> None:
        """Undo change_mailbox_size: the size in the rows, which change last.

        Effect: the mailbox's file at the mail server.
        Idempotency: the same size again changes nothing.
        Undo: change_mailbox_size.
        Heartbeat: while at work.
        """
        async with self._deps.db.begin() as session:
            held = await delivery.load(session, call.subscription_id)
        await self._mailbox(call, held, held.mailbox.quota_mb if held.mailbox else MAILBOX_MB)

    # ---- parts

    async def _load(self, call: JobCall) -> tuple[Delivery, Limits]:
        """With the limits of the price that is asked for: of hosting, as long as it is sold."""
        async with self._deps.db.begin() as session:
            held = await delivery.load(session, call.subscription_id)
            try:
                price = await session.get(Price, uuid.UUID(call.inputs.price_id))
            except ValueError:
                price = None
            product = await session.get(Product, price.product_id) if price else None
        if price is None or product is None or not price.active or product.type != ProductType.HOSTING:
            raise _refused("no such price of hosting is sold")
        if held.subscription.stripe_subscription_id is not None and price.stripe_price_id is None:
            raise _refused("the payment service charges for this subscription, and does not know that price")
        return held, Limits.model_validate(price.limits_json)

    async def _disk(self, call: JobCall, held: Delivery, megabytes: int) -> None:
        account = account_of(held).model_copy(update={"quota_mb": megabytes})
        async with visit(self._deps, held.site[1], call.job_id, "change_disk") as there:
            await accounts.ensure_quota(there.host, account, there.log.say)

    async def _mailbox(self, call: JobCall, held: Delivery, megabytes: int) -> None:
        mailbox = held.living_mailbox
        if mailbox is None:
            return
        async with mailboxes(self._deps, held.mail, call.job_id, "change_mailbox_size") as (adapter, say):
            await say((await adapter.change_quota(mailbox.email, held.owner, megabytes)).text)


def _refused(message: str) -> ApplicationError:
    return ApplicationError(message, {"field": "price_id"}, type=Trouble.INVALID_INPUT, non_retryable=True)
