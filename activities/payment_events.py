"""What a payment service has told while nobody here listened: it repeats a message for some days, then never again."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from temporalio import activity

from activities._context import Deps
from activities._errors import mapped
from activities._heartbeat import beating
from db.queries import payment_catch_up as progress
from db.queries import payments
from db.queries.audit import Actor
from db.queries.changes import Letters
from domain.payments import EventsFetched
from providers.payments.facts import news_of
from providers.payments.webhook import Event

# Asked for again each time: what Stripe lists late, and clocks that differ. A webhook is refused at five minutes.
OVERLAP = timedelta(hours=1)
WINDOW = timedelta(hours=6)  # asked for at once; after a long time away, one after the other
BUSY_SECONDS = 200.0  # after which no further window is begun
WHO = Actor(payments.PAYMENT_SERVICE)


class PaymentEventActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._said = False

    @activity.defn
    @mapped
    async def fetch_payment_events(self) -> EventsFetched:
        """Take every message of the payment service that its webhook has not brought.

        Effect: rows as from the webhook; runs are started by the sweep of unstarted rows. The position moves behind a
        window of time once all of it is kept, and stays where an answer is missing.
        Idempotency: a message is taken once, by its id; a window is asked for as a whole.
        Undo: none.
        Heartbeat: throughout.
        """
        service, report, begun = self._deps.payments, EventsFetched(), time.monotonic()
        if service is None:
            self._say_once("no payment service is set up (STRIPE_API_KEY): missed messages are not asked for")
            return report
        now = datetime.now(UTC)
        async with beating():
            async with self._deps.db.begin() as session:
                reached = await progress.position(session, progress.STRIPE, now)
            since = reached - OVERLAP
            while not report.complete and time.monotonic() < begun + BUSY_SECONDS:
                until = max(since, reached) + WINDOW
                report.complete = until >= now
                # The last window is open: the clock there may be ahead of ours.
                limit = None if report.complete else int(until.timestamp())
                told = await service.events_since(int(since.timestamp()), until=limit)
                fetched = await self._take(told)
                since = reached = min(until, now)
                async with self._deps.db.begin() as session:
                    await progress.reached(session, progress.STRIPE, reached, fetched)
                report.listed += len(told)
                report.fetched += fetched
        if report.fetched:
            activity.logger.warning("%d messages of the payment service had not come by its webhook", report.fetched)
        return report

    async def _take(self, told: list[Event]) -> int:
        """How many of them were news. One transaction each, as the webhook has it."""
        async with self._deps.db.begin() as session:
            missing = await progress.unknown(session, [event.id for event in told])
        taken, config = 0, self._deps.config
        for event in told:
            if event.id in missing:
                async with self._deps.db.begin() as session:
                    letters = Letters(session, self._deps.keys, config.portal_url, datetime.now(UTC))
                    found = await payments.take_audited(session, news_of(event), config.base_domain, letters, WHO)
                taken += found.new
        return taken

    def _say_once(self, what: str) -> None:
        if not self._said:
            activity.logger.info(what)
        self._said = True
