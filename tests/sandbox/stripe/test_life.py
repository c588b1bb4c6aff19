"""What customers, banks and the calendar do is told by events that mean it, in the shapes of old and new versions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from providers.payments.events import (
    ChargeRefunded,
    Disputed,
    Ignored,
    InvoiceFailed,
    InvoicePaid,
    Meanings,
    Paid,
    PaymentFailed,
    RefundChanged,
    SubscriptionChanged,
    SubscriptionEnded,
    meaning,
)
from providers.payments.webhook import event_of
from sandbox.stripe.subscriptions import after
from sandbox.stripe_server import StripeServer
from tests.sandbox.stripe.receiver import calling, running

ORDER = {"tenantSlug": "acme", "priceId": "p-1", "domain": "acme.example"}


class Life:
    def __init__(self, server: StripeServer, http: httpx.AsyncClient) -> None:
        self.server = server
        self.http = http
        self.read = 0

    async def do(self, path: str, status: int = 200, **body: Any) -> dict[str, Any]:
        answer = await self.http.post(f"/_sandbox/{path}", json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def buy(self, **members: Any) -> dict[str, Any]:
        body = {"amount": 1099, "email": "jane@acme.example", "metadata": ORDER, **members}
        return await self.do("payments", 201, **body)

    def told(self) -> list[Meanings]:
        """What has happened since the last look, without what we ignore."""
        journal = self.server.account.journal
        events = journal.events()
        new, self.read = events[self.read :], len(events)
        told = [meaning(event_of(journal.wire.event(event, 0))) for event in new]
        return [one for one in told if not isinstance(one, Ignored) or one.why]


@pytest.fixture(params=["2026-10-28.endive", "2024-06-20"])
async def life(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Life]:
    async with running(tmp_path, options={"api_version": request.param}) as server, calling(server) as http:
        yield Life(server, http)


async def test_a_sale_is_told_twice_and_is_one_payment(life: Life) -> None:
    sold = await life.buy()
    intent, session = life.told()
    assert isinstance(intent, Paid)
    assert isinstance(session, Paid)
    assert intent.payment_intent == session.payment_intent == sold["id"]
    assert intent.ordered == session.ordered
    assert intent.ordered
    assert (intent.amount, intent.currency, intent.email) == (1099, "EUR", "jane@acme.example")


@pytest.mark.parametrize("end", ["succeed", "fail"])
async def test_a_debit_is_paid_or_not_when_the_bank_says_so(life: Life, end: str) -> None:
    sold = await life.buy(later=True)
    assert [type(one) for one in life.told()] == [Ignored]
    await life.do(f"payments/{sold['id']}/{end}")
    told = life.told()
    assert [type(one) for one in told] == ([Paid, Paid] if end == "succeed" else [PaymentFailed])
    assert {getattr(one, "payment_intent", None) for one in told} == {sold["id"]}
    await life.do(f"payments/{sold['id']}/{end}", 409)


async def test_money_goes_back_and_may_come_back(life: Life) -> None:
    sold = await life.buy()
    life.told()
    made = await life.do(f"payments/{sold['id']}/refund")
    refund, charge = life.told()
    assert isinstance(refund, RefundChanged)
    assert isinstance(charge, ChargeRefunded)
    assert (charge.payment_intent, charge.amount_refunded, charge.full) == (sold["id"], 1099, True)
    await life.do(f"refunds/{made['id']}/fail")
    failed = life.told()
    assert [one.refund.lost for one in failed if isinstance(one, RefundChanged)] == [True, True]
    await life.do(f"payments/{sold['id']}/refund")


async def test_a_dispute_begins_and_ends(life: Life) -> None:
    sold = await life.buy()
    life.told()
    made = await life.do(f"payments/{sold['id']}/dispute")
    await life.do(f"disputes/{made['id']}/lose")
    begun, over = life.told()
    assert isinstance(begun, Disputed)
    assert isinstance(over, Disputed)
    assert (begun.over, over.over, over.status) == (False, True, "lost")
    assert begun.payment_intent == sold["id"]


class TestSubscriptions:
    async def begin(self, life: Life) -> dict[str, Any]:
        begun = await life.buy(mode="subscription")
        assert [type(one) for one in life.told()] == [SubscriptionChanged, Paid, InvoicePaid, Paid]
        return begun

    async def test_the_first_period_is_an_order_by_its_session_only(self, life: Life) -> None:
        begun = await life.buy(mode="subscription")
        changed, money, invoice, session = life.told()
        assert isinstance(changed, SubscriptionChanged)
        assert isinstance(money, Paid)
        assert isinstance(invoice, InvoicePaid)
        assert isinstance(session, Paid)
        assert (money.ordered, session.payment_intent) == (None, None)
        assert session.ordered
        assert session.subscription == invoice.invoice.subscription == changed.subscription.id == begun["id"]
        assert (session.invoice, invoice.invoice.billing_reason) == (invoice.invoice.id, "subscription_create")
        assert invoice.invoice.metadata == changed.subscription.metadata == ORDER

    async def test_a_renewal_is_no_order_and_pays_the_next_period(self, life: Life) -> None:
        begun = await self.begin(life)
        await life.do(f"subscriptions/{begun['id']}/renew")
        changed, money, renewed = life.told()
        assert isinstance(changed, SubscriptionChanged)
        assert isinstance(money, Paid)
        assert isinstance(renewed, InvoicePaid)
        assert money.ordered is None
        next_period = begun["period_end"], after(begun["period_end"], "month")
        assert (renewed.invoice.period_start, renewed.invoice.period_end) == next_period
        assert (changed.subscription.period_start, changed.subscription.period_end) == next_period

    async def test_past_due_is_paid_in_the_end(self, life: Life) -> None:
        begun = await self.begin(life)
        await life.do(f"subscriptions/{begun['id']}/fail")
        changed, failed = life.told()
        assert isinstance(changed, SubscriptionChanged)
        assert isinstance(failed, InvoiceFailed)
        assert changed.subscription.status == "past_due"
        assert failed.invoice.next_attempt_at
        assert (failed.invoice.subscription, failed.invoice.amount_due) == (begun["id"], 1099)
        await life.do(f"subscriptions/{begun['id']}/recover")
        assert [type(one) for one in life.told()] == [Paid, SubscriptionChanged, InvoicePaid]

    async def test_past_due_is_given_up_in_the_end(self, life: Life) -> None:
        begun = await self.begin(life)
        await life.do(f"subscriptions/{begun['id']}/fail")
        await life.do(f"subscriptions/{begun['id']}/relapse")
        last = life.told()[-1]
        assert isinstance(last, InvoiceFailed)
        assert (last.invoice.next_attempt_at, last.invoice.attempt_count) == (None, 2)
        await life.do(f"subscriptions/{begun['id']}/end")
        (ended,) = life.told()
        assert isinstance(ended, SubscriptionEnded)
        assert ended.why == "payment_failed"
        await life.do(f"subscriptions/{begun['id']}/renew", 404)

    async def test_one_that_is_to_end_ends_in_the_place_of_its_renewal(self, life: Life) -> None:
        begun = await self.begin(life)
        form = {"cancel_at_period_end": "true"}
        answer = await life.http.post(f"/v1/subscriptions/{begun['id']}", data=form, headers={"Idempotency-Key": "c"})
        assert answer.json()["cancel_at"] == begun["period_end"]
        (changed,) = life.told()
        assert isinstance(changed, SubscriptionChanged)
        assert changed.subscription.ends_at == begun["period_end"]
        await life.do(f"subscriptions/{begun['id']}/renew")
        (ended,) = life.told()
        assert isinstance(ended, SubscriptionEnded)
        assert ended.why == "cancellation_requested"


@pytest.mark.parametrize(
    ("start", "interval", "end"),
    [("2026-01-31", "month", "2026-02-28"), ("2026-12-15", "month", "2027-01-15"), ("2028-02-29", "year", "2029-02-28"),
     ("2026-11-30", "month", "2026-12-30")],
)  # fmt: skip
def test_a_period_ends_on_the_same_day_or_the_months_last(start: str, interval: Any, end: str) -> None:
    at = int(datetime.fromisoformat(start).replace(tzinfo=UTC).timestamp())
    assert datetime.fromtimestamp(after(at, interval), UTC).date().isoformat() == end
