"""What the payment service told while we were away: asked for later, taken once, and never passed over."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select, text
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import payment_events
from activities._context import Deps
from activities.payment_events import OVERLAP, WINDOW, PaymentEventActivities
from db.keyring import KeyRing
from db.models import AuditEntry
from db.models_sales import Order, PaymentCatchUp, PaymentEvent
from db.queries import payment_catch_up, payments
from db.queries.changes import Letters
from db.session import Database
from domain.config import RunConfig
from domain.payments import EventsFetched
from providers.payments import stripe
from providers.payments.events import ACTED_ON
from providers.payments.facts import news_of
from providers.payments.stripe import Stripe
from providers.payments.webhook import event_of
from sandbox.clouds.records import Fault
from sandbox.stripe.payments import Purchase
from sandbox.stripe.records import StoredEvent
from sandbox.stripe_server import StripeConfig, StripeServer
from tests.sales import Shop, an_email, open_shop

KEY = "sk_test_sandbox"
Sweep = PaymentEventActivities


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[StripeServer]:
    async with StripeServer(StripeConfig(state_dir=tmp_path, listen="127.0.0.1:0", api_keys=[KEY])) as running:
        yield running


@pytest.fixture
async def shop(db: Database, keys: KeyRing) -> Shop:
    async with db.begin() as session:  # each sandbox begins its ids anew
        await session.execute(text("truncate payment_events, payment_catch_ups, customers cascade"))
    return await open_shop(db)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stripe, "PAGE", 5)


@pytest.fixture
async def sweep(db: Database, keys: KeyRing, server: StripeServer, shop: Shop) -> AsyncIterator[Sweep]:
    client = Stripe(api_key=SecretStr(KEY), base_url=server.url)
    yield PaymentEventActivities(deps(db, keys, client))
    await client.close()


def deps(db: Database, keys: KeyRing, client: Stripe | None) -> Deps:
    nothing: Any = None
    return Deps(RunConfig(), db, keys, nothing, nothing, nothing, nothing, nothing, client)


async def run(sweep: Sweep) -> EventsFetched:
    return EventsFetched.model_validate(await ActivityEnvironment().run(sweep.fetch_payment_events))


def sell(server: StripeServer, shop: Shop) -> str:
    email = an_email()
    metadata = {"tenantSlug": shop.tenant.slug, "priceId": str(shop.price.id), "customerEmail": email}
    return server.account.payments.buy(Purchase(amount=995, email=email, metadata=metadata)).id


async def by_webhook(db: Database, keys: KeyRing, server: StripeServer, *events: StoredEvent) -> None:
    for event in events:
        shown = server.account.journal.wire.event(event, 0)
        async with db.begin() as session:
            letters = Letters(session, keys, "https://portal.test", datetime.now(UTC))
            await payments.take(session, news_of(event_of(shown)), "slipway.test", letters)


def told(server: StripeServer) -> list[StoredEvent]:
    return [event for event in server.account.journal.events() if event.type in ACTED_ON]


async def ordered(db: Database) -> list[str]:
    async with db.begin() as session:
        return sorted((await session.execute(select(Order.stripe_payment_intent_id))).scalars())


async def kept(db: Database) -> set[str]:
    async with db.begin() as session:
        return set((await session.execute(select(PaymentEvent.id))).scalars())


async def position(db: Database) -> datetime | None:
    async with db.begin() as session:
        row = await session.get(PaymentCatchUp, payment_catch_up.STRIPE)
        return row.position if row else None


async def stand(db: Database, at: datetime) -> None:
    async with db.begin() as session:
        await session.merge(PaymentCatchUp(service=payment_catch_up.STRIPE, position=at))


def age(server: StripeServer, events: list[StoredEvent], by: timedelta) -> None:
    """As if they had happened earlier."""
    store = server.account.journal.store
    with store.transaction():
        for event in events:
            aged = event.model_copy(update={"created": event.created - int(by.total_seconds())})
            store.put(event.id, aged)


class TestMissed:
    async def test_each_is_taken_once_however_often_it_is_asked_for(
        self, db: Database, server: StripeServer, shop: Shop, sweep: Sweep
    ) -> None:
        sold = sorted(sell(server, shop) for _ in range(3))
        assert await run(sweep) == EventsFetched(listed=6, fetched=6, complete=True)
        assert await run(sweep) == EventsFetched(listed=6, fetched=0, complete=True)
        assert await ordered(db) == sold
        async with db.begin() as session:
            lines = select(func.count()).where(AuditEntry.action == "order.create", AuditEntry.actor == "stripe",
                                               AuditEntry.details["tenant"].astext == shop.tenant.slug)  # fmt: skip
            assert (await session.execute(lines)).scalar_one() == 3
            progress = await session.get_one(PaymentCatchUp, payment_catch_up.STRIPE)
            assert progress.fetched == 6

    async def test_what_the_webhook_brings_before_and_after_is_not_doubled(
        self, db: Database, keys: KeyRing, server: StripeServer, shop: Shop, sweep: Sweep
    ) -> None:
        sold = sorted(sell(server, shop) for _ in range(4))
        events = told(server)
        await by_webhook(db, keys, server, events[-1], events[2])  # the newest first: it says nothing of the others
        assert (await run(sweep)).fetched == len(events) - 2
        await by_webhook(db, keys, server, *events[::-1])
        assert await ordered(db) == sold
        assert await kept(db) == {event.id for event in events}

    async def test_none_is_passed_over_at_a_page_boundary(
        self, db: Database, server: StripeServer, shop: Shop, sweep: Sweep, small_pages: None
    ) -> None:
        sold = sorted(sell(server, shop) for _ in range(7))  # two messages each
        assert (await run(sweep)).fetched == 14
        assert await ordered(db) == sold

    @pytest.mark.parametrize("do", ["status", "garbage", "lose_answer"])
    async def test_a_second_page_that_fails_leaves_the_position_and_the_next_sweep_takes_all(
        self, db: Database, server: StripeServer, shop: Shop, sweep: Sweep, small_pages: None, do: str
    ) -> None:
        before = datetime.now(UTC) - timedelta(minutes=5)
        await stand(db, before)
        sold = sorted(sell(server, shop) for _ in range(4))
        server.account.faults.add(rule("delay", seconds=0))  # the first page comes
        server.account.faults.add(rule(do))
        with pytest.raises(ApplicationError):
            await run(sweep)
        assert (await position(db), await kept(db)) == (before, set())
        assert (await run(sweep)).fetched == 8
        assert await ordered(db) == sold
        assert (await position(db) or before) > before

    async def test_a_failure_between_windows_keeps_what_is_done_and_goes_on_there(
        self, db: Database, server: StripeServer, shop: Shop, sweep: Sweep
    ) -> None:
        before = datetime.now(UTC) - 3 * WINDOW
        await stand(db, before)
        early, late = sell(server, shop), sell(server, shop)
        age(server, told(server)[:2], 3 * WINDOW - timedelta(minutes=1))
        server.account.faults.add(rule("delay", seconds=0))
        server.account.faults.add(rule("status"))
        with pytest.raises(ApplicationError):
            await run(sweep)
        assert await ordered(db) == [early]
        assert await position(db) == before + WINDOW
        assert (await run(sweep)).complete
        assert await ordered(db) == sorted([early, late])

    async def test_days_away_are_caught_up_window_by_window(
        self, db: Database, server: StripeServer, shop: Shop, sweep: Sweep
    ) -> None:
        await stand(db, datetime.now(UTC) - timedelta(days=12))
        sold = sorted(sell(server, shop) for _ in range(4))
        for number, event in enumerate(told(server)):
            age(server, [event], timedelta(hours=31 * number))
        done = await run(sweep)  # what happened at a window's edge is listed twice
        assert (done.fetched, done.complete) == (8, True)
        assert await ordered(db) == sold

    async def test_what_stripe_lists_late_is_found_in_the_overlap(
        self, db: Database, server: StripeServer, shop: Shop, sweep: Sweep
    ) -> None:
        await stand(db, datetime.now(UTC))
        late = sell(server, shop)
        age(server, told(server), OVERLAP - timedelta(minutes=1))
        await run(sweep)
        assert await ordered(db) == [late]

    async def test_out_of_time_it_goes_on_with_the_next_sweep(
        self, db: Database, server: StripeServer, shop: Shop, sweep: Sweep, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(payment_events, "BUSY_SECONDS", 0.0)
        begun = datetime.now(UTC) - 2 * WINDOW
        await stand(db, begun)
        assert await run(sweep) == EventsFetched()
        assert await position(db) == begun


class TestPosition:
    async def test_the_first_time_it_begins_with_the_oldest_message_that_came(
        self, db: Database, keys: KeyRing, server: StripeServer, shop: Shop, sweep: Sweep
    ) -> None:
        foreign, first, missed = sell(server, shop), sell(server, shop), sell(server, shop)
        events = told(server)
        age(server, events[:2], timedelta(days=9))
        age(server, events[2:4], timedelta(days=4))
        age(server, events[4:], timedelta(days=2))
        await by_webhook(db, keys, server, *told(server)[2:4])
        await run(sweep)
        assert await ordered(db) == sorted([first, missed])
        assert foreign not in await ordered(db)

    async def test_of_an_account_that_is_new_to_us_the_past_is_left_alone(
        self, db: Database, server: StripeServer, shop: Shop, sweep: Sweep
    ) -> None:
        sell(server, shop)
        age(server, told(server), timedelta(days=1))
        assert (await run(sweep)).listed == 0

    async def test_a_slower_sweep_takes_it_no_step_back(self, db: Database, shop: Shop) -> None:
        now = datetime.now(UTC)
        for to, fetched in ((now, 2), (now - timedelta(hours=1), 3)):
            async with db.begin() as session:
                await payment_catch_up.reached(session, payment_catch_up.STRIPE, to, fetched)
        async with db.begin() as session:
            row = await session.get_one(PaymentCatchUp, payment_catch_up.STRIPE)
        assert (row.position, row.fetched) == (now, 5)


class TestWithoutAKey:
    async def test_nothing_is_asked_and_it_is_said_once(
        self, db: Database, keys: KeyRing, shop: Shop, caplog: pytest.LogCaptureFixture
    ) -> None:
        sweep = PaymentEventActivities(deps(db, keys, None))
        with caplog.at_level(logging.INFO):
            assert await run(sweep) == await run(sweep) == EventsFetched()
        assert caplog.text.count("missed messages are not asked for") == 1
        assert await position(db) is None

    async def test_another_key_is_a_failure_with_a_name(
        self, db: Database, keys: KeyRing, server: StripeServer
    ) -> None:
        client = Stripe(api_key=SecretStr("sk_test_other"), base_url=server.url)
        with pytest.raises(ApplicationError) as raised:
            await run(PaymentEventActivities(deps(db, keys, client)))
        await client.close()
        assert raised.value.type == "Unauthorized"


def rule(do: str, **more: Any) -> Fault:
    return Fault.model_validate({"match": {"method": "GET", "path": "/events"}, "do": do, "times": 1, **more})
