"""Signed messages of the payment service, in the shape of its API 2026-10-28."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from providers.payments.webhook import signature
from tests.api.world import WEBHOOK_SECRET
from tests.sales import Shop

T0 = 1_790_000_000  # epoch seconds of the first message
DAY = 86_400

Event = dict[str, Any]


def event(kind: str, read: dict[str, Any], *, at: int = T0, ref: str | None = None) -> Event:
    return {
        "id": ref or f"evt_{uuid.uuid4().hex}", "object": "event", "api_version": "2026-10-28.endive", "created": at,
        "livemode": False, "type": kind, "data": {"object": read},
    }  # fmt: skip


def bought(shop: Shop, email: str, domain: str | None = None) -> dict[str, str]:
    """The metadata that the shop writes to a payment."""
    told = {"tenantSlug": shop.tenant.slug, "priceId": str(shop.price.id), "customerEmail": email}
    return told | ({"domain": domain} if domain else {})


def payment(ref: str, metadata: dict[str, str], *, amount: int = 995, currency: str = "eur", at: int = T0,
            customer: str | None = None) -> Event:  # fmt: skip
    return event("payment_intent.succeeded", {
        "object": "payment_intent", "id": ref, "status": "succeeded", "amount": amount, "amount_received": amount,
        "currency": currency, "created": at, "customer": customer, "receipt_email": None, "metadata": metadata,
    }, at=at)  # fmt: skip


def session(ref: str | None, metadata: dict[str, str], *, amount: int = 995, at: int = T0, status: str = "paid",
            subscription: str | None = None) -> Event:  # fmt: skip
    return event("checkout.session.completed", {
        "object": "checkout.session", "id": f"cs_{uuid.uuid4().hex}", "payment_status": status, "mode": "payment",
        "payment_intent": ref, "amount_total": amount, "currency": "eur", "subscription": subscription,
        "customer_details": {"email": "typed@checkout.example.com"}, "metadata": metadata,
    }, at=at)  # fmt: skip


def session_failed(ref: str, *, at: int = T0) -> Event:
    return event("checkout.session.async_payment_failed", {
        "object": "checkout.session", "id": f"cs_{uuid.uuid4().hex}", "payment_status": "unpaid",
        "payment_intent": ref, "metadata": {},
    }, at=at)  # fmt: skip


def invoice(
    kind: str, subscription: str, *, at: int, ref: str, start: int = T0, end: int = T0, payment: str | None = None,
    reason: str = "subscription_cycle", customer: str | None = None, amount: int = 995,
    metadata: dict[str, str] | None = None,
) -> Event:  # fmt: skip
    paid = kind == "invoice.paid"
    payments = [{"payment": {"type": "payment_intent", "payment_intent": payment}, "status": "paid"}] if payment else []
    return event(kind, {
        "object": "invoice", "id": ref, "status": "paid" if paid else "open", "billing_reason": reason,
        "amount_paid": amount if paid else 0, "amount_due": amount, "currency": "eur", "customer": customer,
        "customer_email": None, "attempt_count": 1, "next_payment_attempt": None, "metadata": {},
        "parent": {"type": "subscription_details",
                   "subscription_details": {"subscription": subscription, "metadata": metadata or {}}},
        "payments": {"object": "list", "data": payments},
        "lines": {"object": "list", "data": [{
            "object": "line_item", "period": {"start": start, "end": end},
            "parent": {"type": "subscription_item_details",
                       "subscription_item_details": {"subscription": subscription, "proration": False}},
        }]},
    }, at=at)  # fmt: skip


def subscription(
    kind: str,
    ref: str,
    *,
    at: int,
    status: str = "active",
    cancel: bool = False,
    customer: str | None = None,
    metadata: dict[str, str] | None = None,
) -> Event:
    return event(f"customer.subscription.{kind}", {
        "object": "subscription", "id": ref, "status": status, "cancel_at_period_end": cancel, "cancel_at": None,
        "customer": customer, "metadata": metadata or {},
        "items": {"object": "list", "data": [{"id": "si_1", "current_period_start": T0,
                                              "current_period_end": T0 + 30 * DAY}]},
    }, at=at)  # fmt: skip


def refund(ref: str, payment: str, status: str, *, key: str = "", at: int = T0, kind: str = "refund.updated") -> Event:
    return event(kind, {
        "object": "refund", "id": ref, "status": status, "amount": 995, "currency": "eur", "payment_intent": payment,
        "created": at, "metadata": {"slipwayRefund": key} if key else {},
    }, at=at)  # fmt: skip


def dispute(ref: str, payment: str, status: str, *, kind: str = "created", at: int = T0) -> Event:
    return event(f"charge.dispute.{kind}", {
        "object": "dispute", "id": ref, "amount": 995, "currency": "eur", "charge": "ch_1", "payment_intent": payment,
        "status": status, "reason": "fraudulent",
    }, at=at)  # fmt: skip


def signed(told: Event, *, secret: str = WEBHOOK_SECRET, at: int | None = None) -> tuple[bytes, dict[str, str]]:
    """(body, headers)"""
    body, moment = json.dumps(told).encode(), int(time.time()) if at is None else at
    header = f"t={moment},v1={signature(body, secret.encode(), moment)}"
    return body, {"Stripe-Signature": header, "Content-Type": "application/json; charset=utf-8"}
