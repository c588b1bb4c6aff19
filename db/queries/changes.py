"""What a change of a subscription leaves in its rows, and the letter that tells its customer. One transaction each."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from db.keyring import KeyRing
from db.models_jobs import Job
from db.models_shop import Price, Product
from db.queries import backups, delivery, mails
from db.queries.delivery import DISK_MB, MAILBOX_MB, Delivery
from domain.catalogue import Limits
from domain.mails import (
    PAYMENT_DUE,
    PAYMENT_RECEIVED,
    PLAN_CHANGED,
    SITE_RESUMED,
    SITE_SUSPENDED,
    SUBSCRIPTION_CANCELLED,
    SUBSCRIPTION_ENDED,
    SUBSCRIPTION_KEPT,
)
from domain.sales import (
    GRACE,
    KEPT_LAST_BACKUP,
    KEPT_SUSPENDED,
    NON_PAYMENT,
    JobType,
    ServiceStatus,
    SubscriptionStatus,
)

NO_PAYMENT = "A payment is missing."
PAY = "It comes back by itself as soon as the payment has arrived. Without one it is ended on {date}."
ASK = "Please answer to this mail, or write to us, to have it back."


class Letters:
    """Writes to the customer of a delivery, in the transaction of what it tells."""

    def __init__(self, session: AsyncSession, keys: KeyRing, portal: str, now: datetime) -> None:
        self._session, self._keys, self._portal, self.now = session, keys, portal, now

    async def send(self, held: Delivery, template: str, date: datetime | None = None, **values: str) -> None:
        email = held.customer.email
        # What is told must not fail for want of a word: a letter is written with the row that it tells of.
        site = held.domain.name if held.domain is not None else f"of order {held.order.id}"
        told = {"name": held.customer.name or email, "site": site, "portal": self._portal,
                "mailbox": held.mailbox.email if held.mailbox else "its mailbox",
                "date": f"{date or self.now:%d %B %Y}", **values}  # fmt: skip
        await mails.queue(self._session, self._keys, email, template, told)


def is_recorded(job: Job, held: Delivery, price_id: str) -> bool:
    """Whether the rows say already what a job is to bring about."""
    row = held.subscription
    match job.type:
        case JobType.SUSPEND:
            return row.status == SubscriptionStatus.SUSPENDED
        case JobType.RESUME:
            return row.status != SubscriptionStatus.SUSPENDED
        case JobType.CHANGE_LIMITS:
            return str(row.price_id) == price_id
        case JobType.CANCEL | JobType.KEEP:
            return row.cancel_at_period_end is (job.type == JobType.CANCEL)
    return False


async def suspended(session: AsyncSession, held: Delivery, reason: str, letters: Letters) -> None:
    row = held.subscription
    if row.status in (SubscriptionStatus.SUSPENDED, SubscriptionStatus.TERMINATED):
        return
    row.status, row.suspended_at, row.suspended_for = SubscriptionStatus.SUSPENDED, letters.now, reason
    await delivery.set_service_status(session, row.id, ServiceStatus.SUSPENDED)
    unpaid = reason == NON_PAYMENT
    outlook = PAY.format(date=f"{letters.now + KEPT_SUSPENDED:%d %B %Y}") if unpaid else ASK
    await letters.send(held, SITE_SUSPENDED, reason=NO_PAYMENT if unpaid else reason, outlook=outlook)


async def resumed(session: AsyncSession, held: Delivery, letters: Letters) -> None:
    """ACTIVE, whatever was owed: where nothing is paid, a new grace begins with the next look at the period."""
    row = held.subscription
    if row.status != SubscriptionStatus.SUSPENDED:
        return
    row.status, row.suspended_at, row.suspended_for = SubscriptionStatus.ACTIVE, None, ""
    row.past_due_since = None
    await delivery.set_service_status(session, row.id, ServiceStatus.ACTIVE)
    await letters.send(held, SITE_RESUMED)


async def limited(session: AsyncSession, held: Delivery, price_id: str, letters: Letters) -> None:
    price = await session.get_one(Price, uuid.UUID(price_id))
    if held.subscription.price_id == price.id:
        return
    product = await session.get_one(Product, price.product_id)
    limits = Limits.model_validate(price.limits_json)
    held.subscription.price_id = price.id
    if held.living_account is not None:
        held.living_account.quota_mb = limits.disk_mb or DISK_MB
    if held.living_mailbox is not None:
        held.living_mailbox.quota_mb = limits.mailbox_mb or MAILBOX_MB
    plan = f"{product.name}, {price.amount_cents / 100:.2f} {price.currency} a {price.interval}"
    await letters.send(held, PLAN_CHANGED, plan=plan if price.interval != "once" else plan.removesuffix(" a once"))


async def cancelled(held: Delivery, letters: Letters) -> None:
    row = held.subscription
    if row.cancel_at_period_end:
        return
    row.cancel_at_period_end = True
    days = str(KEPT_LAST_BACKUP // timedelta(days=1))
    await letters.send(held, SUBSCRIPTION_CANCELLED, row.current_period_end, days=days)


async def kept(held: Delivery, letters: Letters) -> None:
    if held.subscription.cancel_at_period_end:
        held.subscription.cancel_at_period_end = False
        await letters.send(held, SUBSCRIPTION_KEPT)


async def past_due(held: Delivery, letters: Letters) -> None:
    row = held.subscription
    row.status, row.past_due_since = SubscriptionStatus.PAST_DUE, letters.now
    await payment_due(held, letters)


async def payment_due(held: Delivery, letters: Letters) -> None:
    """The letter alone, for one that is past due. What was told late may be over before it is told."""
    since = held.subscription.past_due_since or letters.now
    await letters.send(held, PAYMENT_DUE, max(since + GRACE, letters.now))


async def payment_received(held: Delivery, letters: Letters) -> None:
    await letters.send(held, PAYMENT_RECEIVED)


async def terminated(session: AsyncSession, held: Delivery, job_id: str, letters: Letters) -> None:
    if held.subscription.status == SubscriptionStatus.TERMINATED:
        return
    until = await backups.kept_until(session, job_id)
    await delivery.set_service_status(session, held.subscription.id, ServiceStatus.REMOVED)
    delivery.ended(held.subscription)
    told = f"A last backup is kept until {until:%d %B %Y}." if until else "There was nothing to keep a backup of."
    await letters.send(held, SUBSCRIPTION_ENDED, backup=told)
