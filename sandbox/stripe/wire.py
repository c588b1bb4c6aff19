"""Objects and errors as Stripe writes them, in the shape of a version: basil (2025-03-31) moved periods and parents."""

from __future__ import annotations

from typing import Any

from sandbox.stripe.records import Customer, Dispute, Invoice, Payment, Refund, StoredEvent, Subscription

Json = dict[str, Any]
BASIL = "2025-03-31"


class Refusal(Exception):
    """An error of the API. `kept` ones are the outcome of the request, which its Idempotency-Key repeats; a request
    that was not understood is not begun and not kept."""

    def __init__(
        self, status: int, message: str, *, code: str | None = None, param: str | None = None,
        type_: str = "invalid_request_error", kept: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.status = status
        self.kept = kept
        told = {"code": code, "message": message, "param": param, "type": type_}
        self.body: Json = {"error": {name: value for name, value in told.items() if value is not None}}


def missing(kind: str, id_: str, *, param: str = "id", status: int = 404) -> Refusal:
    return Refusal(status, f"No such {kind}: '{id_}'", code="resource_missing", param=param)


class Wire:
    """Renders for one version."""

    def __init__(self, version: str, *, livemode: bool) -> None:
        self.version = version
        self.basil = version[:10] >= BASIL
        self._mode = {"livemode": livemode}

    def customer(self, one: Customer) -> Json:
        return {"id": one.id, "object": "customer", "created": one.created, "email": one.email, "metadata": {},
                "name": None, **self._mode}  # fmt: skip

    def payment_intent(self, one: Payment, invoice: Invoice | None = None) -> Json:
        paid = one.status == "succeeded"
        shown = {
            "id": one.id, "object": "payment_intent", "amount": one.amount, "amount_capturable": 0,
            "amount_received": one.amount if paid else 0, "canceled_at": None, "cancellation_reason": None,
            "capture_method": "automatic", "created": one.created, "currency": one.currency, "customer": one.customer,
            "description": None, "latest_charge": one.charge if paid else None, "metadata": one.metadata,
            "payment_method_types": ["card"], "receipt_email": one.email, "status": one.status, **self._mode,
        }  # fmt: skip
        return shown if self.basil else {**shown, "invoice": invoice.id if invoice else None}

    def charge(self, one: Payment) -> Json:
        return {
            "id": one.charge, "object": "charge", "amount": one.amount, "amount_captured": one.amount,
            "amount_refunded": one.refunded, "captured": True, "created": one.created, "currency": one.currency,
            "customer": one.customer, "disputed": one.disputed, "metadata": one.metadata, "paid": True,
            "payment_intent": one.id, "receipt_email": one.email, "refunded": one.refunded == one.amount,
            "status": "succeeded", **self._mode,
        }  # fmt: skip

    def session(self, one: Payment, status: str, *, subscription: Subscription | None, invoice: Invoice | None) -> Json:
        """`status` is the payment's: paid or unpaid."""
        return {
            "id": one.session, "object": "checkout.session", "amount_subtotal": one.amount, "amount_total": one.amount,
            "created": one.created, "currency": one.currency, "customer": one.customer,
            "customer_details": {"email": one.email, "name": None, "phone": None, "address": None},
            "customer_email": None,
            "invoice": invoice.id if invoice else None,
            "metadata": subscription.metadata if subscription else one.metadata,
            "mode": "subscription" if subscription else "payment",
            "payment_intent": None if subscription else one.id, "payment_status": status, "status": "complete",
            "subscription": subscription.id if subscription else None, **self._mode,
        }  # fmt: skip

    def refund(self, one: Refund, payment: Payment) -> Json:
        shown = {
            "id": one.id, "object": "refund", "amount": one.amount, "balance_transaction": None,
            "charge": payment.charge, "created": one.created, "currency": payment.currency, "metadata": one.metadata,
            "payment_intent": payment.id, "reason": one.reason, "receipt_number": None, "status": one.status,
        }  # fmt: skip
        return {**shown, "failure_reason": one.failure_reason} if one.failure_reason else shown

    def dispute(self, one: Dispute, payment: Payment) -> Json:
        return {
            "id": one.id, "object": "dispute", "amount": one.amount, "charge": payment.charge, "created": one.created,
            "currency": payment.currency, "evidence_details": {"due_by": one.due_by, "has_evidence": False,
            "past_due": False, "submission_count": 0}, "is_charge_refundable": False, "metadata": {},
            "payment_intent": payment.id, "reason": one.reason, "status": one.status, **self._mode,
        }  # fmt: skip

    def subscription(self, one: Subscription) -> Json:
        period = {"current_period_end": one.period_end, "current_period_start": one.period_start}
        price = {"id": one.price, "object": "price", "active": True, "currency": one.currency, "type": "recurring",
                 "unit_amount": one.amount, "recurring": {"interval": one.interval, "interval_count": 1}}  # fmt: skip
        item = {"id": one.item, "object": "subscription_item", "created": one.created, "metadata": {}, "price": price,
                "quantity": 1, "subscription": one.id}  # fmt: skip
        items = [{**item, **period} if self.basil else item]
        shown = {
            "id": one.id, "object": "subscription", "cancel_at": one.period_end if one.cancel_at_period_end else None,
            "cancel_at_period_end": one.cancel_at_period_end, "canceled_at": one.canceled_at,
            "cancellation_details": {"comment": None, "feedback": None, "reason": one.end_reason},
            "collection_method": "charge_automatically", "created": one.created, "currency": one.currency,
            "customer": one.customer, "ended_at": one.ended_at, "latest_invoice": one.latest_invoice,
            "items": listed(items, f"/v1/subscription_items?subscription={one.id}"), "metadata": one.metadata,
            "start_date": one.created, "status": one.status, **self._mode,
        }  # fmt: skip
        return shown if self.basil else {**shown, **period}

    def invoice(self, one: Invoice, subscription: Subscription, payment: Payment) -> Json:
        paid = one.status == "paid"
        details = {"metadata": subscription.metadata, "subscription": subscription.id}
        sold = subscription.amount if one.amount is None else one.amount
        total = sold + one.prorated
        parts = [(sold, False), *([(one.prorated, True)] if one.prorated else [])]
        lines = [self._line(one, subscription, amount, proration=proration) for amount, proration in parts]
        shown: Json = {
            "id": one.id, "object": "invoice", "amount_due": total,
            "amount_paid": total if paid else 0, "amount_remaining": 0 if paid else total,
            "attempt_count": one.attempt_count, "attempted": True, "billing_reason": one.billing_reason,
            "created": one.created, "currency": subscription.currency, "customer": subscription.customer,
            "customer_email": payment.email, "metadata": {}, "next_payment_attempt": one.next_attempt,
            # The period that is over, as Stripe tells it: what is sold stands at the lines.
            "period_start": subscription.created if one.billing_reason == "subscription_create" else
            one.period_start - (one.period_end - one.period_start), "period_end": one.period_start,
            "status": one.status, "total": total, **self._mode,
        }  # fmt: skip
        url = f"/v1/invoices/{one.id}/lines"
        if self.basil:
            parent = {"type": "subscription_details", "quote_details": None, "subscription_details": details}
            return {**shown, "lines": listed(lines, url), "parent": parent}
        return {**shown, "lines": listed(lines, url), "subscription": subscription.id, "payment_intent": one.payment,
                "charge": payment.charge if paid else None, "paid": paid, "subscription_details": details}  # fmt: skip

    def _line(self, one: Invoice, subscription: Subscription, amount: int, *, proration: bool) -> Json:
        """A difference is told of the period before the one that is sold."""
        start, end = one.period_start, one.period_end
        line: Json = {
            "id": one.id.replace("in_", "ilp_" if proration else "il_"), "object": "line_item", "amount": amount,
            "currency": subscription.currency, "invoice": one.id, "metadata": {}, "quantity": 1,
            "period": {"start": start - (end - start), "end": start} if proration else {"start": start, "end": end},
            **self._mode,
        }  # fmt: skip
        if not self.basil:
            return line | {"type": "subscription", "subscription": subscription.id, "proration": proration}
        details = {"proration": proration, "subscription": subscription.id, "subscription_item": subscription.item}
        return line | {"parent": {"type": "subscription_item_details", "invoice_item_details": None,
                                  "subscription_item_details": details}}  # fmt: skip

    def invoice_payment(self, one: Invoice, payment: Payment) -> Json:
        paid = one.status == "paid"
        return {
            "id": one.id.replace("in_", "inpay_"), "object": "invoice_payment",
            "amount_paid": payment.amount if paid else None, "amount_requested": payment.amount,
            "created": one.created, "currency": payment.currency, "invoice": one.id, "is_default": True,
            "payment": {"type": "payment_intent", "payment_intent": payment.id}, "status": "paid" if paid else "open",
            "status_transitions": {"canceled_at": None, "paid_at": one.created if paid else None}, **self._mode,
        }  # fmt: skip

    def event(self, one: StoredEvent, pending: int) -> Json:
        data: Json = {"object": one.object}
        if one.previous is not None:
            data["previous_attributes"] = one.previous
        return {"id": one.id, "object": "event", "api_version": one.api_version, "created": one.created, "data": data,
                "pending_webhooks": pending, "request": {"id": None, "idempotency_key": one.request},
                "type": one.type, **self._mode}  # fmt: skip


def listed(data: list[Json], url: str, *, more: bool = False) -> Json:
    return {"object": "list", "data": data, "has_more": more, "url": url}
