"""From Stripe's events to facts in our words (domain/payments.py). Pure, like what it stands on: no call is made."""

from __future__ import annotations

from typing import Any

from domain.payments import Facts, PaymentNews, Told, moment
from domain.sales import RefundStatus
from providers.payments import events
from providers.payments.events import Meanings, meaning
from providers.payments.objects import MARK, OURS, Malformed, Refund
from providers.payments.webhook import Event


def news_of(event: Event) -> PaymentNews:
    """What an event tells. One that cannot be read is told as such: a repeat would not make it readable."""
    try:
        facts = facts_of(meaning(event))
    except Malformed as error:
        facts = Facts(kind=Told.UNREADABLE, why=error.message)
    return PaymentNews(
        id=event.id, type=event.type, happened_at=moment(event.created), livemode=event.livemode, facts=facts
    )


def facts_of(told: Meanings) -> Facts:
    match told:
        case events.Paid():
            return Facts(
                kind=Told.PAID, payment_intent=told.payment_intent, subscription=told.subscription,
                invoice=told.invoice, customer=told.customer, amount=told.amount, currency=told.currency,
                ours=told.metadata.get(OURS, ""), **_bought(told.metadata, told.email),
            )  # fmt: skip
        case events.PaymentFailed():
            return Facts(kind=Told.FAILED, payment_intent=told.payment_intent)
        case events.InvoicePaid() | events.InvoiceFailed():
            invoice = told.invoice
            return Facts(
                kind=Told.PERIOD_PAID if isinstance(told, events.InvoicePaid) else Told.PERIOD_FAILED,
                payment_intent=invoice.payment_intent, subscription=invoice.subscription, invoice=invoice.id,
                customer=invoice.customer, amount=invoice.amount_paid, currency=invoice.currency,
                first=invoice.billing_reason == "subscription_create", period_start=invoice.period_start,
                period_end=invoice.period_end, ours=invoice.metadata.get(OURS, ""),
                **_bought(invoice.metadata, invoice.email),
            )  # fmt: skip
        case events.SubscriptionChanged() | events.SubscriptionEnded():
            ended, found = isinstance(told, events.SubscriptionEnded), told.subscription
            return Facts(kind=Told.SUBSCRIPTION, subscription=found.id, customer=found.customer,
                         ours=found.metadata.get(OURS, ""), over=ended,
                         ends=ended or found.ends_at is not None)  # fmt: skip
        case events.RefundChanged():
            refund = told.refund
            return Facts(kind=Told.REFUND, payment_intent=refund.payment_intent, amount=refund.amount,
                         currency=refund.currency, refund=refund.id, refund_key=refund.metadata.get(MARK, ""),
                         refund_status=_status(refund))  # fmt: skip
        case events.ChargeRefunded():
            return Facts(kind=Told.NOTHING, why="its refunds tell of themselves", payment_intent=told.payment_intent)
        case events.Disputed():
            return Facts(kind=Told.DISPUTE, payment_intent=told.payment_intent, amount=told.amount,
                         currency=told.currency, dispute=told.dispute, over=told.over, lost=told.status == "lost",
                         why=told.reason or "")  # fmt: skip
        case events.Ignored():
            return Facts(kind=Told.NOTHING, why=told.why or "")


def _bought(metadata: dict[str, str], email: str | None) -> dict[str, Any]:
    """The shop's own word for the e-mail counts: it is the one that it sends to POST /api/orders too."""
    return {
        "tenant_slug": metadata.get("tenantSlug", ""),
        "price_id": metadata.get("priceId", ""),
        "email": metadata.get("customerEmail") or email or "",
        "domain": metadata.get("domain", ""),
    }


def _status(refund: Refund) -> RefundStatus:
    if refund.lost:
        return RefundStatus.FAILED
    return RefundStatus.SUCCEEDED if refund.status == "succeeded" else RefundStatus.PENDING
