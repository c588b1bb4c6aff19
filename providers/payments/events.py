"""What an event of Stripe's means to us. Everything that we do not act on is `Ignored`, with its type.

Events come more than once and in any order, and one payment is told by several of them: a meaning is a reason to look
at a row, never a change that may be counted. Where the order matters (a subscription's state), ask Stripe for the
object as it is now; `created` alone does not tell, since it has seconds only.
"""

from __future__ import annotations

from collections.abc import Callable

from pydantic import BaseModel, Field

from providers.payments import objects as wire
from providers.payments.objects import Invoice, Json, Refund, Subscription
from providers.payments.webhook import Event

UNPAID = "not paid yet"
NOTHING_SOLD = "sets up a way of paying; nothing is sold"


class Meaning(BaseModel, frozen=True):
    event: str  # its id
    type: str
    created: int  # epoch seconds
    livemode: bool


class Ordered(BaseModel, frozen=True):
    """What the shop wrote to the payment's metadata: the members of R044's body, in its spelling."""

    tenant_slug: str
    price_id: str  # ours
    domain: str | None = None


class Paid(Meaning, frozen=True):
    """Money has come. An order only if `ordered` tells what was bought: renewals of subscriptions are payments too.

    `payment_intent` is the natural key of an order (X36). It is None for a session that began a subscription, or that
    cost nothing: ask `Stripe.payment_of_invoice` with `invoice`.
    """

    payment_intent: str | None
    amount: int | None  # smallest unit; None where the event does not tell it
    currency: str | None
    customer: str | None = None
    email: str | None = Field(None, repr=False)
    subscription: str | None = None
    invoice: str | None = None
    metadata: dict[str, str] = {}

    @property
    def ordered(self) -> Ordered | None:
        slug, price = self.metadata.get("tenantSlug"), self.metadata.get("priceId")
        if not slug or not price:
            return None
        return Ordered(tenant_slug=slug, price_id=price, domain=self.metadata.get("domain") or None)


class PaymentFailed(Meaning, frozen=True):
    """A payment that takes days (a debit) has failed after its session was completed."""

    payment_intent: str | None
    metadata: dict[str, str] = {}


class InvoicePaid(Meaning, frozen=True):
    """A period is paid for: the first, a renewal, or the rest of one after an upgrade (`invoice.billing_reason`)."""

    invoice: Invoice


class InvoiceFailed(Meaning, frozen=True):
    """A period is not paid for: past due. Stripe tries again at `invoice.next_attempt_at`, never where that is None."""

    invoice: Invoice


class SubscriptionChanged(Meaning, frozen=True):
    """Begun, renewed, past due, upgraded, or told to end (`subscription.ends_at`)."""

    subscription: Subscription


class SubscriptionEnded(Meaning, frozen=True):
    """It is over. Why: `cancellation_requested`, `payment_failed`, `payment_disputed` or None."""

    subscription: Subscription
    why: str | None = None


class ChargeRefunded(Meaning, frozen=True):
    """Money went back, by whomever: `amount_refunded` of `amount` so far."""

    charge: str
    payment_intent: str | None
    amount: int
    amount_refunded: int
    currency: str
    full: bool


class RefundChanged(Meaning, frozen=True):
    """One refund's state. One that is `lost` owes the customer the money again."""

    refund: Refund


class Disputed(Meaning, frozen=True):
    """The customer's bank takes the money back; evidence is wanted until `due_by`."""

    dispute: str
    charge: str | None
    payment_intent: str | None
    amount: int
    currency: str
    reason: str | None
    status: str  # warning_needs_response, needs_response, under_review, won, lost, …
    due_by: int | None = None

    @property
    def over(self) -> bool:
        return self.status in {"won", "lost", "warning_closed", "prevented"}


class Ignored(Meaning, frozen=True):
    why: str | None = None


Meanings = (
    Paid | PaymentFailed | InvoicePaid | InvoiceFailed | SubscriptionChanged | SubscriptionEnded | ChargeRefunded
    | RefundChanged | Disputed | Ignored
)  # fmt: skip


def meaning(event: Event) -> Meanings:
    """objects.Malformed for an event that we should act on and cannot read: answer 500, so that Stripe repeats it."""
    reader = _READERS.get(event.type)
    return reader(event, event.object) if reader else Ignored(**_head(event))


def _head(event: Event) -> Json:
    return {"event": event.id, "type": event.type, "created": event.created, "livemode": event.livemode}


def _payment(event: Event, read: Json) -> Meanings:
    intent = wire.payment_intent(read)
    if not intent.paid:
        return Ignored(**_head(event), why=UNPAID)
    return Paid(
        **_head(event),
        payment_intent=intent.id,
        amount=intent.amount_received or intent.amount,
        currency=intent.currency,
        customer=intent.customer,
        email=intent.email or intent.metadata.get("customerEmail"),
        invoice=wire.reference(read.get("invoice")),
        metadata=intent.metadata,
    )


def _session(event: Event, read: Json) -> Meanings:
    wire.made(_Session, "checkout.session", read, wire.told(read, "id", "payment_status"))
    if read["payment_status"] == "unpaid":
        return Ignored(**_head(event), why=UNPAID)
    if read.get("mode") == "setup":
        return Ignored(**_head(event), why=NOTHING_SOLD)
    metadata = wire.metadata(read)
    email = wire.child(read, "customer_details").get("email") or read.get("customer_email")
    return wire.made(Paid, "checkout.session", read, {
        **_head(event),
        "payment_intent": wire.reference(read.get("payment_intent")),
        "amount": read.get("amount_total"),
        "currency": wire.currency(read),
        "customer": wire.reference(read.get("customer")),
        "email": email or metadata.get("customerEmail"),
        "subscription": wire.reference(read.get("subscription")),
        "invoice": wire.reference(read.get("invoice")),
        "metadata": metadata,
    })  # fmt: skip


def _session_failed(event: Event, read: Json) -> Meanings:
    members = {"payment_intent": wire.reference(read.get("payment_intent")), "metadata": wire.metadata(read)}
    return wire.made(PaymentFailed, "checkout.session", read, {**_head(event), **members})


def _invoice_paid(event: Event, read: Json) -> Meanings:
    return InvoicePaid(**_head(event), invoice=wire.invoice(read))


def _invoice_failed(event: Event, read: Json) -> Meanings:
    return InvoiceFailed(**_head(event), invoice=wire.invoice(read))


def _subscription(event: Event, read: Json) -> Meanings:
    subscription = wire.subscription(read)
    if event.type == "customer.subscription.deleted" or subscription.ended:
        why = wire.child(read, "cancellation_details").get("reason")
        return SubscriptionEnded(**_head(event), subscription=subscription, why=str(why) if why else None)
    return SubscriptionChanged(**_head(event), subscription=subscription)


def _charge(event: Event, read: Json) -> Meanings:
    return wire.made(ChargeRefunded, "charge", read, {
        **_head(event),
        **wire.told(read, "amount"),
        "charge": wire.reference(read),
        "payment_intent": wire.reference(read.get("payment_intent")),
        "amount_refunded": read.get("amount_refunded") or 0,
        "currency": wire.currency(read),
        "full": bool(read.get("refunded")),
    })  # fmt: skip


def _refund(event: Event, read: Json) -> Meanings:
    return RefundChanged(**_head(event), refund=wire.refund(read))


def _dispute(event: Event, read: Json) -> Meanings:
    return wire.made(Disputed, "dispute", read, {
        **_head(event),
        **wire.told(read, "amount", "status"),
        "dispute": wire.reference(read),
        "charge": wire.reference(read.get("charge")),
        "payment_intent": wire.reference(read.get("payment_intent")),
        "currency": wire.currency(read),
        "reason": read.get("reason"),
        "due_by": wire.child(read, "evidence_details").get("due_by"),
    })  # fmt: skip


class _Session(BaseModel):
    """What a session must have before anything is believed of it."""

    id: str
    payment_status: str


_READERS: dict[str, Callable[[Event, Json], Meanings]] = {
    "payment_intent.succeeded": _payment,
    "checkout.session.completed": _session,
    "checkout.session.async_payment_succeeded": _session,
    "checkout.session.async_payment_failed": _session_failed,
    "invoice.paid": _invoice_paid,
    "invoice.payment_failed": _invoice_failed,
    "customer.subscription.created": _subscription,
    "customer.subscription.updated": _subscription,
    "customer.subscription.deleted": _subscription,
    "charge.refunded": _charge,
    "charge.refund.updated": _refund,  # what accounts before 2024-10-28 (acacia) get in the place of refund.updated
    "refund.created": _refund,
    "refund.updated": _refund,
    "refund.failed": _refund,
    "charge.dispute.created": _dispute,
    "charge.dispute.updated": _dispute,
    "charge.dispute.closed": _dispute,
}
ACTED_ON = tuple(_READERS)  # the types to subscribe to, and to ask for when catching up: fewer than Stripe's 20
