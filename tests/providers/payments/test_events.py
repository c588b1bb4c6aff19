"""What events mean: every recorded one, the shapes of old and new versions, and what only looks like news."""

from __future__ import annotations

from typing import Any

import pytest

from providers.payments import objects as wire
from providers.payments.events import (
    ACTED_ON,
    ChargeRefunded,
    Disputed,
    Ignored,
    InvoiceFailed,
    InvoicePaid,
    Meaning,
    Paid,
    PaymentFailed,
    RefundChanged,
    SubscriptionChanged,
    SubscriptionEnded,
    meaning,
)
from providers.payments.webhook import event_of
from tests.providers.payments.recorded import EVENTS, RESOURCES, event, resource

MEANINGS: dict[str, type[Meaning]] = {
    "checkout.session.completed": Paid,
    "checkout.session.async_payment_failed": PaymentFailed,
    "customer.subscription.created": SubscriptionChanged,
    "customer.subscription.updated": SubscriptionChanged,
    "invoice.paid": InvoicePaid,
    "charge.refunded": ChargeRefunded,
    "payment_intent.succeeded": Paid,
}
ORDER = {"tenantSlug": "acme", "priceId": "p-1", "domain": "acme.example", "customerEmail": "jane@acme.example"}


def line(start: int, end: int, *, type_: str = "subscription_item_details", proration: bool = False) -> dict[str, Any]:
    details = {"proration": proration, "subscription": "sub_1"}
    return {"object": "line_item", "period": {"start": start, "end": end}, "parent": {"type": type_, type_: details}}


def invoice(*lines: dict[str, Any], **members: Any) -> dict[str, Any]:
    listed = {"object": "list", "data": [*lines], "has_more": False}
    parent = {"type": "subscription_details", "subscription_details": {"subscription": "sub_1", "metadata": ORDER}}
    return resource("invoice", **{"lines": listed, "parent": parent, **members})


@pytest.mark.parametrize("read", EVENTS, ids=lambda read: f"{read['type']} {read['id']}")
def test_every_recorded_event_means_what_its_type_says(read: dict[str, Any]) -> None:
    told = meaning(event_of(read))
    assert type(told) is MEANINGS[read["type"]]
    assert (told.event, told.type, told.created) == (read["id"], read["type"], read["created"])


@pytest.mark.parametrize("name", sorted(RESOURCES))
def test_objects_of_the_specification_are_read_or_refused_as_what_they_are(name: str) -> None:
    readers = {"payment_intent": wire.payment_intent, "refund": wire.refund, "subscription": wire.subscription,
               "invoice": wire.invoice}  # fmt: skip
    for kind, reader in readers.items():
        if kind == name:
            assert reader(RESOURCES[name]).id == RESOURCES[name]["id"]
        else:
            with pytest.raises(wire.Malformed):
                reader(RESOURCES[name])


@pytest.mark.parametrize("type_", ["charge.succeeded", "invoice.created", "payment_intent.payment_failed", "new.kind"])
def test_other_types_are_ignored_whatever_they_hold(type_: str) -> None:
    assert meaning(event(type_, {"object": "?"})) == Ignored(event="evt_1", type=type_, created=1790000000,
                                                             livemode=False)  # fmt: skip


def test_what_we_act_on_fits_into_one_filter_of_stripes() -> None:
    assert len(ACTED_ON) <= 20
    assert len(set(ACTED_ON)) == len(ACTED_ON)


class TestPaid:
    def test_a_payment_intent_tells_the_order(self) -> None:
        read = resource("payment_intent", status="succeeded", amount=1099, amount_received=1099, currency="eur",
                        customer={"id": "cus_1", "object": "customer"}, metadata=ORDER)  # fmt: skip
        told = meaning(event("payment_intent.succeeded", read))
        assert isinstance(told, Paid)
        assert (told.payment_intent, told.amount, told.currency) == (read["id"], 1099, "EUR")
        assert (told.customer, told.email) == ("cus_1", "jane@acme.example")
        assert told.ordered
        assert told.ordered.model_dump() == {"tenant_slug": "acme", "price_id": "p-1", "domain": "acme.example"}
        assert "jane" not in repr(told.model_copy(update={"metadata": {}}))

    def test_a_session_and_its_payment_intent_name_the_same_payment(self) -> None:
        read = resource("checkout.session", payment_status="paid", status="complete", mode="payment",
                        amount_total=1099, currency="eur", payment_intent="pi_1", metadata=ORDER)  # fmt: skip
        session = meaning(event("checkout.session.completed", read))
        intent = meaning(event("payment_intent.succeeded", resource("payment_intent", id="pi_1", status="succeeded")))
        assert isinstance(session, Paid)
        assert isinstance(intent, Paid)
        assert session.payment_intent == intent.payment_intent == "pi_1"
        assert (session.email, session.amount) == ("example@example.com", 1099)

    def test_a_completed_session_may_not_be_paid_yet(self) -> None:
        read = resource("checkout.session", payment_status="unpaid", status="complete")
        assert isinstance(meaning(event("checkout.session.completed", read)), Ignored)
        later = resource("checkout.session", payment_status="paid", status="complete", payment_intent="pi_1")
        assert isinstance(meaning(event("checkout.session.async_payment_succeeded", later)), Paid)

    def test_a_session_that_sets_up_a_card_is_no_payment(self) -> None:
        read = resource("checkout.session", payment_status="no_payment_required", mode="setup")
        assert isinstance(meaning(event("checkout.session.completed", read)), Ignored)

    def test_a_session_that_begins_a_subscription_names_it(self) -> None:
        read = resource("checkout.session", payment_status="paid", mode="subscription", payment_intent=None,
                        subscription="sub_1", invoice="in_1")  # fmt: skip
        told = meaning(event("checkout.session.completed", read))
        assert isinstance(told, Paid)
        assert (told.payment_intent, told.subscription, told.invoice) == (None, "sub_1", "in_1")

    @pytest.mark.parametrize("metadata", [{}, {"tenantSlug": "acme"}, {"tenantSlug": "", "priceId": "p-1"}, None])
    def test_a_payment_without_our_metadata_is_no_order(self, metadata: Any) -> None:
        read = resource("payment_intent", status="succeeded", metadata=metadata)
        told = meaning(event("payment_intent.succeeded", read))
        assert isinstance(told, Paid)
        assert told.ordered is None

    def test_a_nul_in_metadata_does_not_reach_a_database(self) -> None:
        read = resource("payment_intent", status="succeeded", metadata={"tenantSlug": "ac\0me", "priceId": "p-1"})
        told = meaning(event("payment_intent.succeeded", read))
        assert isinstance(told, Paid)
        assert told.metadata["tenantSlug"] == "acme"

    @pytest.mark.parametrize(
        ("type_", "read"),
        [("payment_intent.succeeded", resource("payment_intent", id="")),
         ("payment_intent.succeeded", resource("payment_intent", amount=None)),
         ("payment_intent.succeeded", resource("charge")),
         ("checkout.session.completed", resource("checkout.session", payment_status=None)),
         ("checkout.session.completed", {}),
         ("charge.refunded", resource("refund")),
         ("invoice.paid", resource("invoice", currency=None))],
    )  # fmt: skip
    def test_an_event_that_lacks_what_it_must_have_is_not_swallowed(self, type_: str, read: dict[str, Any]) -> None:
        with pytest.raises(wire.Malformed):
            meaning(event(type_, read))


class TestInvoices:
    def paid(self, read: dict[str, Any]) -> wire.Invoice:
        told = meaning(event("invoice.paid", read))
        assert isinstance(told, InvoicePaid)
        return told.invoice

    def test_a_renewal_is_for_the_period_of_its_lines_not_for_the_one_that_is_over(self) -> None:
        read = invoice(line(200, 300), line(150, 200, proration=True), line(1, 999, type_="invoice_item_details"),
                       period_start=100, period_end=200, billing_reason="subscription_cycle")  # fmt: skip
        found = self.paid(read)
        assert (found.period_start, found.period_end, found.billing_reason) == (200, 300, "subscription_cycle")

    def test_an_upgrade_has_prorations_only(self) -> None:
        found = self.paid(invoice(line(150, 200, proration=True), billing_reason="subscription_update"))
        assert (found.period_start, found.period_end) == (150, 200)

    def test_a_period_that_no_line_tells_is_not_made_up(self) -> None:
        found = self.paid(invoice(period_start=100, period_end=200))
        assert (found.period_start, found.period_end) == (None, None)

    def test_the_subscription_is_found_in_both_shapes(self) -> None:
        new = self.paid(invoice())
        old = self.paid(
            resource("invoice", subscription="sub_1", parent=None, subscription_details={"metadata": ORDER})
        )
        assert new.subscription == old.subscription == "sub_1"
        assert new.metadata == old.metadata == ORDER

    def test_the_old_shape_tells_its_lines_by_type(self) -> None:
        old = [
            {"type": "subscription", "period": {"start": 1, "end": 2}},
            {"type": "invoiceitem", "period": {"start": 5, "end": 9}},
            {"type": "subscription", "proration": True, "period": {"start": 0, "end": 2}},
        ]
        lines = {"object": "list", "data": old}
        found = self.paid(resource("invoice", subscription="sub_1", parent=None, lines=lines))
        assert (found.period_start, found.period_end) == (1, 2)

    def test_the_payment_is_found_in_both_shapes(self) -> None:
        def payment(intent: str, **members: Any) -> dict[str, Any]:
            return resource("invoice_payment", payment={"type": "payment_intent", "payment_intent": intent}, **members)

        listed = {
            "object": "list",
            "data": [
                payment("pi_2", status="canceled", is_default=True),
                payment("pi_1", status="paid", is_default=False),
                resource("invoice_payment", payment={"type": "payment_record"}),
            ],
        }
        assert self.paid(invoice(payments=listed)).payment_intent == "pi_1"
        assert self.paid(invoice(payment_intent="pi_1")).payment_intent == "pi_1"
        assert self.paid(invoice()).payment_intent is None

    def test_a_failed_one_tells_when_stripe_tries_again(self) -> None:
        read = invoice(line(200, 300), status="open", attempt_count=2, next_payment_attempt=1790100000)
        told = meaning(event("invoice.payment_failed", read))
        assert isinstance(told, InvoiceFailed)
        assert (told.invoice.next_attempt_at, told.invoice.attempt_count) == (1790100000, 2)
        last = meaning(event("invoice.payment_failed", invoice(next_payment_attempt=None)))
        assert isinstance(last, InvoiceFailed)
        assert last.invoice.next_attempt_at is None


class TestSubscriptions:
    def test_the_period_is_found_in_both_shapes(self) -> None:
        items = {"object": "list", "data": [{"current_period_start": 10, "current_period_end": 20,
                                             "price": {"id": "price_1"}}]}  # fmt: skip
        new = wire.subscription(resource("subscription", items=items))
        old = wire.subscription(resource("subscription", items={"object": "list", "data": []},
                                         current_period_start=10, current_period_end=20))  # fmt: skip
        assert (new.period_start, new.period_end) == (old.period_start, old.period_end) == (10, 20)
        assert [item.price for item in new.items] == ["price_1"]

    @pytest.mark.parametrize(
        ("members", "ends_at"),
        [({"cancel_at_period_end": True, "cancel_at": None}, 20),
         ({"cancel_at_period_end": False, "cancel_at": 15}, 15),
         ({"cancel_at_period_end": False, "cancel_at": None}, None)],
        ids=["with its period", "at a time of its own", "goes on"],
    )  # fmt: skip
    def test_its_end_is_known_however_it_was_told_to_end(self, members: dict[str, Any], ends_at: int | None) -> None:
        items = {"object": "list", "data": [{"current_period_start": 10, "current_period_end": 20}]}
        read = resource("subscription", status="active", items=items, **members)
        told = meaning(event("customer.subscription.updated", read))
        assert isinstance(told, SubscriptionChanged)
        assert told.subscription.ends_at == ends_at

    @pytest.mark.parametrize(
        "status", ["active", "past_due", "unpaid", "trialing", "paused", "incomplete", "unheard_of"]
    )
    def test_a_time_of_end_does_not_end_what_goes_on(self, status: str) -> None:
        told = meaning(event("customer.subscription.updated", resource("subscription", status=status, ended_at=1)))
        assert isinstance(told, SubscriptionChanged)

    @pytest.mark.parametrize(
        ("type_", "status"),
        [("customer.subscription.deleted", "canceled"), ("customer.subscription.updated", "canceled"),
         ("customer.subscription.updated", "incomplete_expired")],
    )  # fmt: skip
    def test_an_end_is_told_with_its_reason(self, type_: str, status: str) -> None:
        read = resource("subscription", status=status, cancellation_details={"reason": "payment_failed"})
        told = meaning(event(type_, read))
        assert isinstance(told, SubscriptionEnded)
        assert told.why == "payment_failed"


class TestMoneyThatGoesBack:
    def test_a_charge_tells_how_much_of_it_went_back(self) -> None:
        read = resource("charge", amount=1000, amount_refunded=400, refunded=False, payment_intent="pi_1")
        told = meaning(event("charge.refunded", read))
        assert isinstance(told, ChargeRefunded)
        assert (told.amount, told.amount_refunded, told.full, told.payment_intent) == (1000, 400, False, "pi_1")

    @pytest.mark.parametrize("type_", ["refund.created", "refund.updated", "refund.failed", "charge.refund.updated"])
    @pytest.mark.parametrize(
        ("status", "lost"), [("succeeded", False), ("pending", False), ("failed", True), ("canceled", True)]
    )
    def test_a_refund_tells_whether_its_money_is_lost_on_the_way(self, type_: str, status: str, lost: bool) -> None:
        read = resource("refund", status=status, failure_reason="lost_or_stolen_card")
        told = meaning(event(type_, read))
        assert isinstance(told, RefundChanged)
        assert (told.refund.lost, told.refund.failure_reason) == (lost, "lost_or_stolen_card")

    def test_a_dispute_tells_until_when_evidence_is_wanted(self) -> None:
        told = meaning(event("charge.dispute.created", resource("dispute", payment_intent="pi_1")))
        assert isinstance(told, Disputed)
        assert (told.payment_intent, told.amount, told.due_by, told.over) == ("pi_1", 1000, 1723679999, False)
        closed = meaning(event("charge.dispute.closed", resource("dispute", status="lost")))
        assert isinstance(closed, Disputed)
        assert closed.over
