"""Paying back through the payment service. The rule of this file: once, by the refund's own id as its key there."""

from __future__ import annotations

from sqlalchemy.exc import IntegrityError
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities._context import Deps
from activities._errors import mapped
from activities._heartbeat import beating
from activities._log import Lines
from db.models_sales import Refund
from db.queries import delivery, refunds
from domain.errors import Trouble
from domain.fulfilment import JobCall
from domain.journal import SubjectKind
from domain.sales import RefundStatus
from providers.errors import NotReady

STILL_PENDING = 600.0  # seconds until the payment service is asked again


class RefundActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @activity.defn
    @mapped
    async def send_refund(self, call: JobCall) -> None:
        """Give the order's money back, and wait until the payment service says that it has.

        Effect: one refund at the payment service; states of the refund and the order on our rows. An operator who has
            paid by hand names that refund instead (`refund_reference`).
        Idempotency: the refund's id is the key there; one that is there already is only looked at.
        Undo: none.
        Heartbeat: while the payment service is spoken to.
        """
        async with self._deps.db.begin() as session:
            held = await delivery.load(session, call.subscription_id)
            refund = await refunds.living(session, held.order.id)
        if refund is None or refund.status == RefundStatus.SUCCEEDED:
            return
        async with Lines(self._deps, call.job_id, "refund_order", kind=SubjectKind.JOB) as log, beating():
            if call.inputs.refund_reference:
                await self._end(refund, True, call.inputs.refund_reference)
                await log.say(f"paid back by hand: {call.inputs.refund_reference}")
                return
            if self._deps.payments is None:
                raise ApplicationError(
                    "no payment service is set up (STRIPE_API_KEY); pay back by hand and retry with refund_reference",
                    type=Trouble.MISSING_SETTING, non_retryable=True)  # fmt: skip
            made = await self._deps.payments.ensure_refund(
                payment_intent=held.order.stripe_payment_intent_id, key=str(refund.id), amount=refund.amount_cents
            )
            if made.lost:
                await self._end(refund, False, made.id)
                raise ApplicationError(
                    f"the refund {made.id} has failed: {made.failure_reason or made.status}; a retry sends another one",
                    type=Trouble.CONFLICT, non_retryable=True)  # fmt: skip
            if made.status != "succeeded":
                raise NotReady(f"the refund {made.id} is {made.status}", provider="stripe", retry_after=STILL_PENDING)
            await self._end(refund, True, made.id)
            await log.say(f"{refund.amount_cents / 100:.2f} {refund.currency} paid back: {made.id}")

    async def _end(self, refund: Refund, succeeded: bool, reference: str) -> None:
        try:
            async with self._deps.db.begin() as session:
                row = await session.get_one(Refund, refund.id, with_for_update=True)
                await refunds.end(session, row, succeeded=succeeded, reference=reference)
        except IntegrityError:
            raise ApplicationError(f"{reference} is another order's refund already", type=Trouble.CONFLICT,
                                   non_retryable=True) from None  # fmt: skip
