"""Row work of an order's delivery: claimed, released, handed over, refunded. Local activities, one transaction each."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities._context import Deps
from activities._errors import mapped
from db.models import Organization, User
from db.models_jobs import Job
from db.queries import delivery, journal, links, mails, people, refunds, registrations
from db.queries.users import NOBODY_KNOWS, find_by_email
from domain import ids
from domain.errors import Trouble
from domain.fulfilment import JobCall
from domain.journal import JournalBatch
from domain.mails import INVITED, PASSWORD_RESET, SITE_LIVE, SITE_LIVE_AGAIN
from domain.sales import OrderStatus, ServiceStatus, SubscriptionStatus
from domain.statuses import Phase, Role


class DeliveryActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @activity.defn
    @mapped
    async def claim_names(self, call: JobCall, batch: JournalBatch) -> None:
        """Claim the name and the places on servers that an order needs.

        Effect: rows in domains, dns_zones, hosting_accounts, mail_accounts.
        Idempotency: what is claimed stays; what an operator has corrected is changed.
        Undo: release_names.
        Heartbeat: none, one short transaction.
        """
        async with self._deps.db.begin() as session:
            await journal.record(session, batch)
            try:
                await delivery.claim(session, call.subscription_id, call.inputs, self._deps.config.base_domain,
                                     zone_kind=self._deps.config.dns_zone_kind)  # fmt: skip
            except delivery.NameTaken as error:
                raise ApplicationError(str(error), type=Trouble.CONFLICT, non_retryable=True) from None
            except delivery.NoServer as error:
                raise ApplicationError(str(error), type=Trouble.NO_CAPACITY, non_retryable=True) from None

    @activity.defn
    @mapped
    async def release_names(self, call: JobCall, batch: JournalBatch) -> None:
        """Give names and places back, after everything outside was taken back.

        Effect: rows REMOVED, the subscription TERMINATED, the order CANCELLED until a refund says more.
        Idempotency: what is removed stays so.
        Undo: none.
        Heartbeat: none, one short transaction.
        """
        async with self._deps.db.begin() as session:
            await journal.record(session, batch)
            held = await delivery.load(session, call.subscription_id, lock=True)
            await delivery.set_service_status(session, held.subscription.id, ServiceStatus.REMOVED)
            delivery.ended(held.subscription)
            if held.order.status == OrderStatus.PAID:
                held.order.status = OrderStatus.CANCELLED

    @activity.defn
    @mapped
    async def hand_over_order(self, call: JobCall, batch: JournalBatch) -> str:
        """The subscription is ACTIVE, and its customer is told (R243). Returns the site's address.

        Effect: states of the subscription, the order and what was delivered; a user of the customer's organization
            where the address has none; one mail, with a link to choose a password.
        Idempotency: the first time is kept, and only it sends a mail.
        Undo: none; a live site is terminated, not rolled back.
        Heartbeat: none, one short transaction.
        """
        async with self._deps.db.begin() as session:
            await journal.record(session, batch)
            held = await delivery.load(session, call.subscription_id, lock=True)
            url = ids.access_url(held.name, self._deps.config.https_port)
            if held.subscription.activated_at is not None:
                return url
            job = await session.get_one(Job, uuid.UUID(call.job_id))
            if job.phase != Phase.RUNNING:  # a try of a workflow task that was given up may come late
                raise ApplicationError(f"it is {job.phase}", type=Trouble.CONFLICT, non_retryable=True)
            # A later payment may have failed meanwhile.
            overdue = held.subscription.past_due_since is not None
            held.subscription.status = SubscriptionStatus.PAST_DUE if overdue else SubscriptionStatus.ACTIVE
            held.subscription.activated_at = datetime.now(UTC)
            held.order.status = OrderStatus.FULFILLED
            await delivery.set_service_status(session, held.subscription.id, ServiceStatus.ACTIVE)
            await self._tell_customer(session, held, url)
            return url

    @activity.defn
    @mapped
    async def call_back_order(self, call: JobCall, batch: JournalBatch) -> str | None:
        """Close the way to the hand-over, before anything is undone. Returns the site's address where it was too late.

        Effect: the job's phase, which keeps `hand_over_order` from handing over.
        Idempotency: whichever of the two came first stays.
        Undo: none.
        Heartbeat: none, one short transaction.
        """
        async with self._deps.db.begin() as session:
            await journal.record(session, batch)
            held = await delivery.load(session, call.subscription_id, lock=True)
            if held.subscription.activated_at is not None:
                return ids.access_url(held.name, self._deps.config.https_port)
            (await session.get_one(Job, uuid.UUID(call.job_id))).phase = Phase.ROLLING_BACK
            return None

    @activity.defn
    @mapped
    async def open_refund(self, call: JobCall, batch: JournalBatch) -> str:
        """Write that the order's money goes back, before anybody is asked for it. Returns the refund's id.

        Effect: a row in refunds, the order REFUNDING. A free order has nothing to give back: empty, and CANCELLED.
        Idempotency: an order has one living refund; where the last one failed, another is opened.
        Undo: none.
        Heartbeat: none, one short transaction.
        """
        async with self._deps.db.begin() as session:
            await journal.record(session, batch)
            held = await delivery.load(session, call.subscription_id, lock=True)
            return await refunds.open_for(session, held.order, reason=call.reason or "could not be delivered")

    async def _tell_customer(self, session: AsyncSession, held: delivery.Delivery, url: str) -> None:
        email = held.customer.email
        values = {"name": held.customer.name or email, "site": url, "portal": self._deps.config.portal_url,
                  "mailbox": held.mailbox.email if held.mailbox else "none", "user": held.account.system_user
                  if held.account else ""}  # fmt: skip
        await people.lock(session)
        user = await find_by_email(session, email)
        token = None
        if user is None:
            user = await self._invite(session, held)
            token = await links.issue(session, user.id, PASSWORD_RESET, INVITED)
        elif user.organization_id is None and user.role == Role.USER and await registrations.is_proven(session, user):
            user.organization_id = held.customer.organization_id
        await mails.queue(session, self._deps.keys, email, SITE_LIVE if token else SITE_LIVE_AGAIN, values, token=token)

    @staticmethod
    async def _invite(session: AsyncSession, held: delivery.Delivery) -> User:
        organization = await session.get_one(Organization, held.customer.organization_id)
        return await people.create(
            session, name=held.customer.name, email=held.customer.email, password_hash=NOBODY_KNOWS, role=Role.USER,
            username=None, organization_id=organization.id,
        )  # fmt: skip
