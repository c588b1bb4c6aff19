"""Payments, refunds and disputes: what customers and their banks do, and what our API calls do to it."""

from __future__ import annotations

import time
from typing import Literal

from pydantic import BaseModel, Field

from sandbox.clouds.store import Store
from sandbox.stripe.journal import Journal
from sandbox.stripe.records import DAY, Customer, Dispute, Interval, Invoice, Payment, Refund, Subscription
from sandbox.stripe.wire import Refusal, missing


class Purchase(BaseModel, extra="forbid"):
    """What a customer does at the shop's checkout. `later`: a debit, which is only processing when it is done."""

    amount: int = Field(ge=1)
    currency: str = Field("eur", pattern="^[a-z]{3}$")
    email: str
    metadata: dict[str, str] = {}
    mode: Literal["payment", "subscription"] = "payment"
    later: bool = False
    price: str = "price_sandbox"
    interval: Interval = "month"


class Payments:
    def __init__(self, store: Store, journal: Journal) -> None:
        self._store = store
        self._journal = journal
        self._customers = {known.email: known for known in store.all(Customer)}

    # ---- what others do

    def customer(self, email: str) -> Customer:
        """The customer with this address, made where there is none."""
        if email in self._customers:
            return self._customers[email]
        made = Customer(id=self._journal.id("cus"), email=email, created=int(time.time()))
        self._store.put(made.id, made)
        self._customers[email] = made
        self._journal.emit("customer.created", self._journal.wire.customer(made))
        return made

    def new(self, purchase: Purchase, *, later: bool = False, checkout: bool = True) -> Payment:
        """A payment as it is before anybody is told."""
        payment = Payment(
            id=self._journal.id("pi"), charge=self._journal.id("ch"),
            session=self._journal.id("cs_test") if checkout else None, amount=purchase.amount,
            currency=purchase.currency, customer=self.customer(purchase.email).id, email=purchase.email,
            metadata=purchase.metadata, status="processing" if later else "succeeded", created=int(time.time()),
        )  # fmt: skip
        self._store.put(payment.id, payment)
        return payment

    def buy(self, purchase: Purchase) -> Payment:
        with self._store.transaction():
            payment = self.new(purchase, later=purchase.later)
            if purchase.later:
                shown = self._journal.wire.payment_intent(payment)
                self._journal.emit("payment_intent.processing", shown)
                self.complete(payment, "unpaid")
            else:
                self.announce(payment)
                self.complete(payment, "paid")
        return payment

    def announce(self, payment: Payment, invoice: Invoice | None = None) -> None:
        """Tell that the money has come."""
        self._journal.emit("charge.succeeded", self._journal.wire.charge(payment))
        self._journal.emit("payment_intent.succeeded", self._journal.wire.payment_intent(payment, invoice))

    def complete(
        self, payment: Payment, status: str, *, subscription: Subscription | None = None,
        invoice: Invoice | None = None, type_: str = "completed",
    ) -> None:  # fmt: skip
        shown = self._journal.wire.session(payment, status, subscription=subscription, invoice=invoice)
        self._journal.emit(f"checkout.session.{type_}", shown)

    def settle(self, id_: str, *, succeeds: bool) -> Payment:
        """The end of a payment that was processing."""
        with self._store.transaction():
            payment = self.get(id_)
            if payment.status != "processing":
                raise Refusal(409, f"payment {id_} is {payment.status}")
            payment = payment.model_copy(update={"status": "succeeded" if succeeds else "requires_payment_method"})
            self._store.put(payment.id, payment)
            if succeeds:
                self.announce(payment)
                self.complete(payment, "paid", type_="async_payment_succeeded")
            else:
                self._journal.emit("payment_intent.payment_failed", self._journal.wire.payment_intent(payment))
                self.complete(payment, "unpaid", type_="async_payment_failed")
        return payment

    def dispute(self, id_: str) -> Dispute:
        with self._store.transaction():
            payment = self.get(id_).model_copy(update={"disputed": True})
            self._store.put(payment.id, payment)
            now = int(time.time())
            made = Dispute(id=self._journal.id("dp"), payment=id_, amount=payment.amount, due_by=now + 7 * DAY,
                           created=now)  # fmt: skip
            self._store.put(made.id, made)
            self._journal.emit("charge.dispute.created", self._journal.wire.dispute(made, payment))
        return made

    def close_dispute(self, id_: str, *, won: bool) -> Dispute:
        with self._store.transaction():
            found = self._store.get(Dispute, id_)
            if found is None:
                raise missing("dispute", id_)
            closed = found.model_copy(update={"status": "won" if won else "lost"})
            self._store.put(closed.id, closed)
            self._journal.emit("charge.dispute.closed", self._journal.wire.dispute(closed, self.get(closed.payment)))
        return closed

    # ---- refunds

    def refund(self, id_: str, *, amount: int | None, reason: str | None, metadata: dict[str, str]) -> Refund:
        payment = self.get(id_, param="payment_intent")
        left = payment.amount - payment.refunded
        if payment.status != "succeeded":
            raise Refusal(400, f"This PaymentIntent ({id_}) does not have a successful charge to refund.", kept=True)
        if payment.disputed:
            raise Refusal(400, f"Charge {payment.charge} has been charged back; cannot issue a refund.",
                          code="charge_disputed", kept=True)  # fmt: skip
        if not left:
            raise Refusal(400, f"Charge {payment.charge} has already been refunded.", code="charge_already_refunded",
                          kept=True)  # fmt: skip
        if amount is not None and amount > left:
            raise Refusal(400, f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})",
                          param="amount", kept=True)  # fmt: skip
        made = Refund(
            id=self._journal.id("re"), payment=id_, amount=left if amount is None else amount, reason=reason,
            status=self._journal.options.refunds, metadata=metadata, created=int(time.time()),
        )  # fmt: skip
        payment = payment.model_copy(update={"refunded": payment.refunded + made.amount})
        self._store.put(payment.id, payment)
        self._store.put(made.id, made)
        self._journal.emit("refund.created", self._journal.wire.refund(made, payment))
        self._journal.emit("charge.refunded", self._journal.wire.charge(payment))
        return made

    def settle_refund(self, id_: str, *, succeeds: bool) -> Refund:
        """What the bank says of it; a refund may fail after it had succeeded, and its money is ours again."""
        with self._store.transaction():
            refund = self.get_refund(id_)
            payment = self.get(refund.payment)
            before = {"status": refund.status}
            if succeeds:
                refund = refund.model_copy(update={"status": "succeeded"})
            else:
                if refund.status != "failed":
                    payment = payment.model_copy(update={"refunded": payment.refunded - refund.amount})
                    self._store.put(payment.id, payment)
                refund = refund.model_copy(update={"status": "failed", "failure_reason": "expired_or_canceled_card"})
            self._store.put(refund.id, refund)
            shown = self._journal.wire.refund(refund, payment)
            self._journal.emit("refund.updated", shown, before)
            if not succeeds:
                self._journal.emit("refund.failed", shown)
        return refund

    # ---- looking

    def get(self, id_: str, *, param: str = "intent") -> Payment:
        found = self._store.get(Payment, id_)
        if found is None:
            raise missing("payment_intent", id_, param=param)
        return found

    def get_refund(self, id_: str) -> Refund:
        found = self._store.get(Refund, id_)
        if found is None:
            raise missing("refund", id_)
        return found

    def refunds(self) -> list[Refund]:
        """Newest first, as Stripe lists everything."""
        return self._store.all(Refund)[::-1]
