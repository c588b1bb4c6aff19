"""How a subscription and a refund stand by what was told: the same in any order, and told twice as told once."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.payments import Facts, PaymentNews, Standing, Told, asked_in, refunded, standing
from domain.sales import RefundStatus

T0 = 1_790_000_000
INVOICES = st.sampled_from(["in_1", "in_2", "in_3", None])
TIMES = st.integers(T0, T0 + 6)
KINDS = st.sampled_from([Told.PERIOD_PAID, Told.PERIOD_FAILED, Told.SUBSCRIPTION])


def news(kind: Told, at: int = T0, ref: str = "evt_1", **facts: object) -> PaymentNews:
    return PaymentNews(id=ref, type="x", happened_at=datetime.fromtimestamp(at, UTC), livemode=False,
                       facts=Facts.model_validate({"kind": kind} | facts))  # fmt: skip


@st.composite
def stories(draw: st.DrawFn) -> list[PaymentNews]:
    return [
        news(draw(KINDS), draw(TIMES), f"evt_{number}", invoice=draw(INVOICES), period_end=draw(TIMES),
             ends=draw(st.booleans()), over=draw(st.booleans()))
        for number in range(draw(st.integers(0, 8)))
    ]  # fmt: skip


@given(stories(), st.randoms(use_true_random=False))
def test_order_and_repeats_do_not_matter(told: list[PaymentNews], chance: random.Random) -> None:
    again = [one for one in told for _ in range(chance.randint(1, 3))]
    chance.shuffle(again)
    assert standing(again) == standing(told)


@given(stories())
def test_a_payment_later_than_everything_makes_everything_good(told: list[PaymentNews]) -> None:
    assert standing([*told, news(Told.PERIOD_PAID, T0 + 10, "evt_last", invoice="in_9")]).past_due_since is None


@given(stories(), TIMES)
def test_no_message_shortens_what_is_paid(told: list[PaymentNews], end: int) -> None:
    before, after = standing(told), standing([*told, news(Told.PERIOD_PAID, ref="evt_more", period_end=end)])
    assert before.period_end is None or (after.period_end is not None and after.period_end >= before.period_end)


def test_nothing_told_says_nothing() -> None:
    assert standing([]) == Standing()


def test_a_failure_is_made_good_by_its_own_invoice_alone_or_by_a_later_payment() -> None:
    failed = news(Told.PERIOD_FAILED, T0 + 5, "a", invoice="in_2")
    other = news(Told.PERIOD_PAID, T0, "b", invoice="in_1")
    assert standing([failed, other]).past_due_since == failed.happened_at
    assert standing([failed, news(Told.PERIOD_PAID, T0, "c", invoice="in_2")]).past_due_since is None
    assert standing([failed, news(Told.PERIOD_PAID, T0 + 6, "d", invoice="in_3")]).past_due_since is None


def test_a_refund_that_failed_stays_failed() -> None:
    told = [news(Told.REFUND, ref=str(status), refund_status=status) for status in RefundStatus]
    assert refunded(told) is RefundStatus.FAILED
    assert refunded(told[:2]) is RefundStatus.SUCCEEDED
    assert refunded([]) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [({"tenant_slug": ""}, "tenantSlug"), ({"payment_intent": None}, "which payment"), ({"email": "x"}, "e-mail"),
     ({"domain": "x.local"}, "reserved")],
)  # fmt: skip
def test_what_a_payment_does_not_tell_is_said(change: dict[str, object], said: str) -> None:
    good = {"kind": Told.PAID, "payment_intent": "pi_1", "tenant_slug": "a", "price_id": "p", "email": "J@Acme.COM"}
    assert asked_in(Facts.model_validate(good), "slipway.nl").customer_email == "J@acme.com"
    with pytest.raises(ValueError, match=said):
        asked_in(Facts.model_validate(good | change), "slipway.nl")
