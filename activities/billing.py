"""What the payment service is told of a subscription it charges for; of one it does not know there is nothing to tell.

Whether another period follows, and which price is charged for it. What that price amounts to is the shop's.
"""

from __future__ import annotations

import uuid

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities._context import Deps
from activities._errors import mapped
from activities._heartbeat import beating
from activities._log import Lines
from db.models_shop import Price
from db.queries import delivery, jobs
from domain.errors import Trouble
from domain.fulfilment import JobCall
from domain.journal import SubjectKind
from providers.errors import NotFound
from providers.payments.stripe import Stripe, only_item

BILLED = "billed_price"  # in the job's payload: what the payment service charged for before


class BillingActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @activity.defn
    @mapped
    async def stop_renewal(self, call: JobCall) -> None:
        """Let the payment service end the subscription with its paid period.

        Effect: `cancel_at_period_end` there.
        Idempotency: one that ends, or has ended, is left alone; the job's id is the key.
        Undo: go_on_renewing.
        Heartbeat: while the payment service is spoken to.
        """
        ref = await self._reference(call)
        async with self._log(call, "stop_renewal") as log, beating():
            if ref is not None:
                told = await self._service().cancel_subscription(ref, key=f"{call.job_id}/cancel")
                await log.say(f"{ref} ends at {told.ends_at or told.status}")

    @activity.defn
    @mapped
    async def go_on_renewing(self, call: JobCall) -> None:
        """Let the payment service charge for further periods again.

        Effect: `cancel_at_period_end` taken back there. Conflict where it has ended: it needs a new order.
        Idempotency: one that goes on is left alone; the job's id is the key.
        Undo: stop_renewal.
        Heartbeat: while the payment service is spoken to.
        """
        ref = await self._reference(call)
        async with self._log(call, "go_on_renewing") as log, beating():
            if ref is not None:
                await self._service().keep_subscription(ref, key=f"{call.job_id}/keep")
                await log.say(f"{ref} goes on")

    @activity.defn
    @mapped
    async def end_billing(self, call: JobCall) -> None:
        """End the subscription at the payment service at once, so that nobody pays for what is about to go.

        Effect: canceled there.
        Idempotency: one that has ended, or is unknown there, is left alone.
        Undo: none.
        Heartbeat: while the payment service is spoken to.
        """
        ref = await self._reference(call)
        async with self._log(call, "end_billing") as log, beating():
            if ref is None:
                await log.say("The payment service charges nothing for it")
                return
            try:
                told = await self._service().end_subscription(ref)
                await log.say(f"{ref} is {told.status}")
            except NotFound:
                await log.say(f"{ref} is unknown to the payment service")

    @activity.defn
    @mapped
    async def change_price(self, call: JobCall) -> None:
        """Let the payment service charge for the new price. It comes after the limits: nobody pays for what could not
        be given, and a rollback before this step leaves no line on any invoice.

        Effect: the subscription's one item there has the new price; the rest of the period is settled with the next
        invoice. What it had is kept with the job first, for the way back.
        Idempotency: one that has the price is left alone; job and price are the key.
        Undo: restore_price.
        Heartbeat: while the payment service is spoken to.
        """
        async with self._deps.db.begin() as session:
            held = await delivery.load(session, call.subscription_id)
            price = await session.get(Price, uuid.UUID(call.inputs.price_id))
        ref, wanted = held.subscription.stripe_subscription_id, price.stripe_price_id if price else None
        async with self._log(call, "change_price") as log, beating():
            if ref is None:
                await log.say("The payment service charges nothing for it")
                return
            if wanted is None:
                raise ApplicationError("the payment service does not know the new price", type=Trouble.MISSING_SETTING,
                                       non_retryable=True)  # fmt: skip
            _, before = only_item(await self._service().subscription(ref))
            async with self._deps.db.begin() as session:
                await jobs.remember(session, call.job_id, BILLED, before)
            if before == wanted:
                await log.say(f"{ref} is charged for {wanted} already")
                return
            await self._service().change_price(ref, price=wanted, key=f"{call.job_id}/price/{wanted}")
            await log.say(f"{ref} is charged for {wanted} in the place of {before}")

    @activity.defn
    @mapped
    async def restore_price(self, call: JobCall) -> None:
        """Undo change_price: the price that the job found there. Of what was never begun nothing is known, or done.

        Effect: the subscription's item there; the differences of both changes cancel each other out.
        Idempotency: one that has the price is left alone; the job's id is the key.
        Undo: change_price.
        Heartbeat: while the payment service is spoken to.
        """
        async with self._deps.db.begin() as session:
            before = await jobs.remembered(session, call.job_id, BILLED)
        ref = await self._reference(call)
        async with self._log(call, "change_price") as log, beating():
            if ref is None or before is None:
                await log.say("Nothing was changed at the payment service")
                return
            await self._service().change_price(ref, price=before, key=f"{call.job_id}/price-back")
            await log.say(f"{ref} is charged for {before} again")

    async def _reference(self, call: JobCall) -> str | None:
        async with self._deps.db.begin() as session:
            return (await delivery.load(session, call.subscription_id)).subscription.stripe_subscription_id

    def _service(self) -> Stripe:
        if self._deps.payments is None:
            raise ApplicationError("no payment service is set up (STRIPE_API_KEY), and this subscription is charged "
                                   "for by one", type=Trouble.MISSING_SETTING, non_retryable=True)  # fmt: skip
        return self._deps.payments

    def _log(self, call: JobCall, step: str) -> Lines:
        return Lines(self._deps, call.job_id, step, kind=SubjectKind.JOB)
