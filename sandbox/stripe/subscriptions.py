"""Subscriptions and their invoices. Time passes when a test says so: a renewal asks no clock."""

from __future__ import annotations

import calendar
import time
from datetime import UTC, datetime

from sandbox.clouds.store import Store
from sandbox.stripe.journal import Journal
from sandbox.stripe.payments import Payments, Purchase
from sandbox.stripe.records import DAY, Interval, Invoice, Payment, Price, Subscription
from sandbox.stripe.wire import Json, Refusal, missing

RETRY = 3 * DAY


class Subscriptions:
    def __init__(self, store: Store, journal: Journal, payments: Payments) -> None:
        self._store = store
        self._journal = journal
        self._payments = payments

    # ---- what customers and the calendar do

    def begin(self, purchase: Purchase) -> Subscription:
        with self._store.transaction():
            # The metadata goes to the subscription, as Checkout's `subscription_data` does: its payments have none.
            payment = self._payments.new(purchase.model_copy(update={"metadata": {}}))
            now = int(time.time())
            made = Subscription(
                id=self._journal.id("sub"), item=self._journal.id("si"), customer=payment.customer,
                price=purchase.price, amount=purchase.amount, currency=purchase.currency, interval=purchase.interval,
                period_start=now, period_end=after(now, purchase.interval), metadata=purchase.metadata, created=now,
            )  # fmt: skip
            invoice = Invoice(
                id=self._journal.id("in"), subscription=made.id, payment=payment.id, status="paid",
                amount=made.amount, billing_reason="subscription_create", period_start=made.period_start,
                period_end=made.period_end, created=now,
            )  # fmt: skip
            made = made.model_copy(update={"latest_invoice": invoice.id})
            self._store.put(invoice.id, invoice)
            self._store.put(made.id, made)
            if self._store.get(Price, made.price) is None:
                self.offer(Price(id=made.price, amount=made.amount, currency=made.currency, interval=made.interval))
            self._journal.emit("customer.subscription.created", self._journal.wire.subscription(made))
            self._payments.announce(payment, invoice)
            self._tell(invoice, made, "paid")
            self._payments.complete(payment, "paid", subscription=made, invoice=invoice)
        return made

    def renew(self, id_: str, *, succeeds: bool) -> Subscription:
        """The period is over: the next one is paid, or past due; one that was to be cancelled ends instead."""
        with self._store.transaction():
            found = self._living(id_)
            if found.cancel_at_period_end:
                return self.end(id_, reason="cancellation_requested")
            before = self._journal.wire.subscription(found)
            email = self._payments.get(self._invoice_of(found).payment).email
            # What a change gave back beyond the price would become a balance of the customer's: not kept here.
            prorated = max(found.unbilled, 1 - found.amount)
            purchase = Purchase(amount=found.amount + prorated, currency=found.currency, email=email)
            payment = self._payments.new(purchase, later=not succeeds, checkout=False)
            now, start = int(time.time()), found.period_end
            invoice = Invoice(
                id=self._journal.id("in"), subscription=id_, payment=payment.id, billing_reason="subscription_cycle",
                amount=found.amount, prorated=prorated,
                status="paid" if succeeds else "open", period_start=start, period_end=after(start, found.interval),
                next_attempt=None if succeeds else now + RETRY, created=now,
            )  # fmt: skip
            changed = found.model_copy(update={
                "period_start": start, "period_end": invoice.period_end, "latest_invoice": invoice.id,
                "unbilled": 0, "status": "active" if succeeds else "past_due",
            })  # fmt: skip
            self._store.put(invoice.id, invoice)
            self._change(changed, before)
            if succeeds:
                self._payments.announce(payment, invoice)
            else:
                payment = payment.model_copy(update={"status": "requires_payment_method"})
                self._store.put(payment.id, payment)
                shown = self._journal.wire.payment_intent(payment, invoice)
                self._journal.emit("payment_intent.payment_failed", shown)
            self._tell(invoice, changed, "paid" if succeeds else "payment_failed")
        return changed

    def recover(self, id_: str, *, succeeds: bool) -> Subscription:
        """Stripe's next try at what is past due."""
        with self._store.transaction():
            found = self._living(id_)
            invoice = self._invoice_of(found)
            if invoice.status != "open":
                raise Refusal(409, f"the latest invoice of {id_} is {invoice.status}")
            before = self._journal.wire.subscription(found)
            invoice = invoice.model_copy(update={"attempt_count": invoice.attempt_count + 1, "next_attempt": None,
                                                 "status": "paid" if succeeds else "open"})  # fmt: skip
            self._store.put(invoice.id, invoice)
            if succeeds:
                payment = self._payments.get(invoice.payment).model_copy(update={"status": "succeeded"})
                self._store.put(payment.id, payment)
                self._payments.announce(payment, invoice)
                found = found.model_copy(update={"status": "active"})
                self._change(found, before)
            self._tell(invoice, found, "paid" if succeeds else "payment_failed")
        return found

    # ---- what our calls do

    def set_cancel(self, id_: str, wanted: bool) -> Subscription:
        found = self._living(id_, kept=True)
        if found.cancel_at_period_end is wanted:
            return found
        before = self._journal.wire.subscription(found)
        changed = found.model_copy(update={
            "cancel_at_period_end": wanted, "canceled_at": int(time.time()) if wanted else None,
            "end_reason": "cancellation_requested" if wanted else None,
        })  # fmt: skip
        self._change(changed, before)
        return changed

    def offer(self, price: Price) -> Price:
        self._store.put(price.id, price)
        return price

    def set_price(self, id_: str, item: str | None, price: str, *, prorates: bool) -> Subscription:
        """Another price of the same interval for the one item; the rest of the period is for the next invoice."""
        found = self._living(id_, kept=True)
        if item is None:  # Stripe would add another item beside the one that is there
            raise Refusal(400, "The sandbox knows subscriptions of one item: name it.", param="items[0][id]")
        if item != found.item:
            raise Refusal(
                400, f"The subscription item {item} does not belong to {id_}", param="items[0][id]", kept=True
            )
        wanted = self._store.get(Price, price)
        if wanted is None:
            raise missing("price", price, param="items[0][price]", status=400)
        if (wanted.currency, wanted.interval) != (found.currency, found.interval):
            told = f"The price {price} is in {wanted.currency} a {wanted.interval}; the sandbox changes neither."
            raise Refusal(400, told, param="items[0][price]", kept=True)
        if price == found.price:
            return found
        before = self._journal.wire.subscription(found)
        length = max(1, found.period_end - found.period_start)
        left = min(length, max(0, found.period_end - int(time.time())))
        difference = (wanted.amount - found.amount) * left // length if prorates else 0
        changed = found.model_copy(update={"price": price, "amount": wanted.amount,
                                           "unbilled": found.unbilled + difference})  # fmt: skip
        self._change(changed, before)
        return changed

    def end(self, id_: str, *, reason: str) -> Subscription:
        """At once. What is open is not asked for any more."""
        found = self._living(id_, kept=True)
        now = int(time.time())
        ended = found.model_copy(update={"status": "canceled", "ended_at": now, "end_reason": reason,
                                         "canceled_at": found.canceled_at or now,
                                         "cancel_at_period_end": False})  # fmt: skip
        self._store.put(ended.id, ended)
        invoice = self._invoice_of(ended)
        if invoice.status == "open":
            self._store.put(invoice.id, invoice.model_copy(update={"status": "void", "next_attempt": None}))
        self._journal.emit("customer.subscription.deleted", self._journal.wire.subscription(ended))
        return ended

    # ---- looking

    def get(self, id_: str) -> Subscription:
        found = self._store.get(Subscription, id_)
        if found is None:
            raise missing("subscription", id_)
        return found

    def invoice(self, id_: str) -> Invoice:
        found = self._store.get(Invoice, id_)
        if found is None:
            raise missing("invoice", id_, param="invoice")
        return found

    def shown(self, invoice: Invoice) -> tuple[Invoice, Subscription, Payment]:
        """What an invoice's rendering needs."""
        return invoice, self.get(invoice.subscription), self._payments.get(invoice.payment)

    def _living(self, id_: str, *, kept: bool = False) -> Subscription:
        """A subscription that has ended can be looked at, and is not there for anything else."""
        found = self.get(id_)
        if found.status == "canceled":
            refusal = missing("subscription", id_)
            refusal.kept = kept
            raise refusal
        return found

    def _invoice_of(self, subscription: Subscription) -> Invoice:
        return self.invoice(subscription.latest_invoice or "")

    def _change(self, changed: Subscription, before: Json) -> None:
        self._store.put(changed.id, changed)
        shown = self._journal.wire.subscription(changed)
        previous = {name: before[name] for name in shown if before[name] != shown[name]}
        self._journal.emit("customer.subscription.updated", shown, previous)

    def _tell(self, invoice: Invoice, subscription: Subscription, what: str) -> None:
        shown = self._journal.wire.invoice(invoice, subscription, self._payments.get(invoice.payment))
        self._journal.emit(f"invoice.{what}", shown)


def after(start: int, interval: Interval) -> int:
    """The same day of the next month or year, or that month's last."""
    at = datetime.fromtimestamp(start, UTC)
    year, month = (at.year + 1, at.month) if interval == "year" else (at.year + at.month // 12, at.month % 12 + 1)
    day = min(at.day, calendar.monthrange(year, month)[1])
    return int(at.replace(year=year, month=month, day=day).timestamp())
