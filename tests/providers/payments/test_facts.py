"""From Stripe's events to facts in our words: every recorded event, and what decides about money."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from domain.payments import Told
from domain.sales import RefundStatus
from providers.payments.facts import news_of
from providers.payments.objects import MARK
from providers.payments.webhook import event_of
from tests.providers.payments.recorded import EVENTS, event, resource

SHOP = {"tenantSlug": "acme", "priceId": "p-1", "customerEmail": "jane@acme.example", "domain": "acme.example"}


@pytest.mark.parametrize("read", EVENTS, ids=lambda read: f"{read['type']} {read['id']}")
def test_every_recorded_event_is_told_with_its_time(read: dict[str, Any]) -> None:
    news = news_of(event_of(read))
    assert (news.id, news.type, news.livemode) == (read["id"], read["type"], False)
    assert news.happened_at == datetime.fromtimestamp(read["created"], UTC)
    assert news.facts.kind is not Told.UNREADABLE


def test_a_payment_tells_what_the_shop_wrote_and_the_shops_address_counts() -> None:
    read = resource("payment_intent", status="succeeded", amount=995, amount_received=995, currency="eur",
                    receipt_email="other@acme.example", metadata=SHOP)  # fmt: skip
    facts = news_of(event("payment_intent.succeeded", read)).facts
    assert (facts.kind, facts.payment_intent, facts.amount, facts.currency) == (Told.PAID, read["id"], 995, "EUR")
    assert (facts.tenant_slug, facts.price_id, facts.email, facts.domain) == tuple(SHOP.values())
    assert "jane@" not in repr(facts)


def test_without_the_shops_address_it_is_the_receipts() -> None:
    read = resource("payment_intent", status="succeeded", receipt_email="other@acme.example", metadata={})
    assert news_of(event("payment_intent.succeeded", read)).facts.email == "other@acme.example"


@pytest.mark.parametrize(
    ("status", "kept"),
    [("succeeded", RefundStatus.SUCCEEDED), ("pending", RefundStatus.PENDING), ("failed", RefundStatus.FAILED),
     ("requires_action", RefundStatus.PENDING), ("canceled", RefundStatus.FAILED)],
)  # fmt: skip
def test_a_refund_tells_our_key_and_how_it_stands(status: str, kept: RefundStatus) -> None:
    read = resource("refund", status=status, metadata={MARK: "k-1"})
    facts = news_of(event("refund.updated", read)).facts
    assert (facts.refund, facts.refund_key, facts.refund_status) == (read["id"], "k-1", kept)


def test_what_must_be_read_and_cannot_be_is_told_as_such() -> None:
    facts = news_of(event("invoice.paid", {"object": "invoice"})).facts
    assert facts.kind is Told.UNREADABLE
    assert "without a usable" in facts.why


def test_a_time_beyond_all_measure_is_the_last_there_is() -> None:
    assert news_of(event("customer.created", {}, created=10**30)).happened_at.year == 9999
