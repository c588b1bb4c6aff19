"""The calls of API v1 that we make, and some to look around. Each is one transaction with the answer it is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from typing import Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.clouds.store import Store
from sandbox.stripe import forms
from sandbox.stripe.forms import Form
from sandbox.stripe.idempotency import Idempotency
from sandbox.stripe.journal import Journal
from sandbox.stripe.payments import Payments
from sandbox.stripe.records import Customer, Payment, StoredEvent
from sandbox.stripe.subscriptions import Subscriptions
from sandbox.stripe.wire import Json, Refusal, Wire, listed, missing

PAGES = ("limit", "starting_after", "ending_before")
REASONS = ("duplicate", "fraudulent", "requested_by_customer")
Effect = Callable[[Wire, str, Form], Json]


class Listed(Protocol):
    id: str


R = TypeVar("R", bound=Listed)


class Calls:
    def __init__(self, store: Store, journal: Journal, payments: Payments, subscriptions: Subscriptions) -> None:
        self._store = store
        self._journal = journal
        self._payments = payments
        self._subscriptions = subscriptions
        self._idempotency = Idempotency(store, journal)

    def routes(self) -> list[Route]:
        return [
            self._route("GET", "/payment_intents/{id}", self.payment_intent),
            self._route("GET", "/charges/{id}", self.charge),
            self._route("GET", "/customers/{id}", self.customer),
            self._route("GET", "/refunds", self.refunds),
            self._route("POST", "/refunds", self.create_refund),
            self._route("GET", "/refunds/{id}", self.refund),
            self._route("GET", "/subscriptions/{id}", self.subscription),
            self._route("POST", "/subscriptions/{id}", self.change_subscription),
            self._route("DELETE", "/subscriptions/{id}", self.end_subscription),
            self._route("GET", "/invoices/{id}", self.invoice),
            self._route("GET", "/invoice_payments", self.invoice_payments),
            self._route("GET", "/events", self.events),
            self._route("GET", "/events/{id}", self.event),
        ]

    def _route(self, method: str, path: str, effect: Effect) -> Route:
        async def endpoint(request: Request) -> Response:
            raw = (await request.body()).decode() if method == "POST" else request.url.query
            wire = Wire(request.headers.get("Stripe-Version") or self._journal.options.api_version,
                        livemode=self._journal.options.livemode)  # fmt: skip
            form = forms.decode(raw)
            return self._idempotency.answer(
                request, form, lambda: effect(wire, request.path_params.get("id", ""), form)
            )

        return Route(path, endpoint, methods=[method])

    # ---- payments

    def payment_intent(self, wire: Wire, id_: str, form: Form) -> Json:
        return wire.payment_intent(self._payments.get(id_))

    def charge(self, wire: Wire, id_: str, form: Form) -> Json:
        return wire.charge(self._payment_of_charge(id_))

    def customer(self, wire: Wire, id_: str, form: Form) -> Json:
        found = self._store.get(Customer, id_)
        if found is None:
            raise missing("customer", id_)
        return wire.customer(found)

    def create_refund(self, wire: Wire, id_: str, form: Form) -> Json:
        forms.known(form, {"payment_intent", "charge", "amount", "reason", "metadata"})
        amount = forms.whole(form, "amount")
        reason = forms.choice(form, "reason", REASONS)
        metadata = forms.mapping(form, "metadata")
        if amount is not None and amount < 1:
            raise Refusal(400, "Invalid positive integer", code="parameter_invalid_integer", param="amount")
        made = self._payments.refund(self._paid_by(form), amount=amount, reason=reason, metadata=metadata)
        return wire.refund(made, self._payments.get(made.payment))

    def refund(self, wire: Wire, id_: str, form: Form) -> Json:
        found = self._payments.get_refund(id_)
        return wire.refund(found, self._payments.get(found.payment))

    def refunds(self, wire: Wire, id_: str, form: Form) -> Json:
        forms.known(form, {"payment_intent", "charge", *PAGES})
        found = self._payments.refunds()
        if {"payment_intent", "charge"} & set(form):
            paid_by = self._paid_by(form)
            found = [refund for refund in found if refund.payment == paid_by]
        return page(found, form, "/v1/refunds", lambda one: wire.refund(one, self._payments.get(one.payment)))

    def _paid_by(self, form: Form) -> str:
        """The payment intent that a form means."""
        if form.get("payment_intent"):
            return self._payments.get(form["payment_intent"], param="payment_intent").id
        if form.get("charge"):
            return self._payment_of_charge(form["charge"], param="charge").id
        raise Refusal(400, "One of the following params should be provided for this request: payment_intent or charge.",
                      code="parameter_missing")  # fmt: skip

    def _payment_of_charge(self, id_: str, *, param: str = "id") -> Payment:
        for payment in self._store.all(Payment):
            if payment.charge == id_ and payment.status == "succeeded":
                return payment
        raise missing("charge", id_, param=param)

    # ---- subscriptions

    def subscription(self, wire: Wire, id_: str, form: Form) -> Json:
        return wire.subscription(self._subscriptions.get(id_))

    def change_subscription(self, wire: Wire, id_: str, form: Form) -> Json:
        forms.known(form, {"cancel_at_period_end", "items", "proration_behavior"})
        wanted = forms.truth(form, "cancel_at_period_end")
        items = forms.several(form, "items", {"id", "price"})
        # `always_invoice` is Stripe's third; nothing of ours asks for money at once.
        prorates = forms.choice(form, "proration_behavior", ("create_prorations", "none")) != "none"
        found = self._subscriptions.get(id_)
        for item in items:
            found = self._subscriptions.set_price(id_, item.get("id"), item.get("price", ""), prorates=prorates)
        return wire.subscription(found if wanted is None else self._subscriptions.set_cancel(id_, wanted))

    def end_subscription(self, wire: Wire, id_: str, form: Form) -> Json:
        return wire.subscription(self._subscriptions.end(id_, reason="cancellation_requested"))

    def invoice(self, wire: Wire, id_: str, form: Form) -> Json:
        return wire.invoice(*self._subscriptions.shown(self._subscriptions.invoice(id_)))

    def invoice_payments(self, wire: Wire, id_: str, form: Form) -> Json:
        forms.known(form, {"invoice", *PAGES})
        invoice, _, payment = self._subscriptions.shown(self._subscriptions.invoice(form.get("invoice", "")))
        return page([invoice], form, "/v1/invoice_payments", lambda one: wire.invoice_payment(one, payment))

    # ---- events

    def event(self, wire: Wire, id_: str, form: Form) -> Json:
        found = self._store.get(StoredEvent, id_)
        if found is None:
            raise missing("event", id_)
        return wire.event(found, self._journal.pending_of(id_))

    def events(self, wire: Wire, id_: str, form: Form) -> Json:
        """Newest first. A cursor may be of a type that the filter leaves out."""
        forms.known(form, {"type", "types", "created", *PAGES})
        wanted = form.get("types") or [form.get("type", "*")]
        created = forms.mapping(form, "created")
        since, until = forms.whole(created, "gte") or 0, forms.whole(created, "lte")
        cursors = {form.get("starting_after"), form.get("ending_before")}
        found = [
            event for event in self._journal.events()[::-1]
            if event.id in cursors or (any(fnmatch(event.type, one) for one in wanted) and event.created >= since
                                       and (until is None or event.created <= until))
        ]  # fmt: skip
        return page(found, form, "/v1/events", lambda event: wire.event(event, self._journal.pending_of(event.id)))


def page(newest_first: Sequence[R], form: Form, url: str, show: Callable[[R], Json]) -> Json:
    """By Stripe's cursors: what follows `starting_after`, or the page just before `ending_before`."""
    limit = forms.whole(form, "limit")
    limit = 10 if limit is None else limit
    if not 1 <= limit <= 100:
        raise Refusal(400, "This value must be between 1 and 100.", code="parameter_invalid_integer", param="limit")
    places = {item.id: place for place, item in enumerate(newest_first)}
    for cursor in ("starting_after", "ending_before"):
        if cursor in form and form[cursor] not in places:
            raise missing("object", form[cursor], param=cursor, status=400)
    if "ending_before" in form:
        rest = newest_first[: places[form["ending_before"]]]
        shown = rest[-limit:]
    else:
        rest = newest_first[places[form["starting_after"]] + 1 :] if "starting_after" in form else newest_first
        shown = rest[:limit]
    return listed([show(item) for item in shown], url, more=len(rest) > limit)
