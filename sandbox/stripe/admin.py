"""What a test or a demonstration may do from this machine: customers, the calendar, banks, the endpoint, faults."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sandbox.clouds.faults import Faults
from sandbox.clouds.records import Fault
from sandbox.stripe.journal import Journal
from sandbox.stripe.payments import Payments, Purchase
from sandbox.stripe.records import (
    Customer,
    Dispute,
    Endpoint,
    Invoice,
    Payment,
    Price,
    Refund,
    StoredEvent,
    Subscription,
)
from sandbox.stripe.subscriptions import Subscriptions
from sandbox.stripe.wire import Refusal

Verb = Callable[[str], BaseModel]


class Again(BaseModel, extra="forbid"):
    copies: int = 1


class Admin:
    """An ASGI application under /_sandbox; only for calls from this machine.

    GET  state                               all records, events, deliveries and calls
    POST payments                            a `Purchase`; returns the payment or the subscription
    GET  payments/{id}                       the payment, and its events with how many copies are on their way
    POST payments/{id}/{verb}                succeed, fail (one that is `later`), refund (by hand), dispute
    POST refunds/{id}/{verb}                 succeed, fail
    POST disputes/{id}/{verb}                win, lose
    POST prices                              a `Price` that subscriptions may be moved to
    POST subscriptions/{id}/{verb}           renew, fail (a renewal is not paid), recover, relapse (its next try), end
    GET, PUT webhook                         the `Endpoint`
    POST events/{id}/resend                  {"copies": n}
    GET, POST, DELETE faults                 as at the clouds (sandbox/faults/effects.py)
    """

    root = "/_sandbox"

    def __init__(
        self, journal: Journal, payments: Payments, subscriptions: Subscriptions, faults: Faults,
        calls: deque[dict[str, Any]],
    ) -> None:  # fmt: skip
        self._journal = journal
        self._payments = payments
        self._subscriptions = subscriptions
        self._faults = faults
        self._calls = calls
        self._verbs: dict[str, dict[str, Verb]] = {
            "payments": {
                "succeed": lambda id_: payments.settle(id_, succeeds=True),
                "fail": lambda id_: payments.settle(id_, succeeds=False),
                "refund": self._refund_by_hand,
                "dispute": payments.dispute,
            },
            "refunds": {
                "succeed": lambda id_: payments.settle_refund(id_, succeeds=True),
                "fail": lambda id_: payments.settle_refund(id_, succeeds=False),
            },
            "disputes": {
                "win": lambda id_: payments.close_dispute(id_, won=True),
                "lose": lambda id_: payments.close_dispute(id_, won=False),
            },
            "subscriptions": {
                "renew": lambda id_: subscriptions.renew(id_, succeeds=True),
                "fail": lambda id_: subscriptions.renew(id_, succeeds=False),
                "recover": lambda id_: subscriptions.recover(id_, succeeds=True),
                "relapse": lambda id_: subscriptions.recover(id_, succeeds=False),
                "end": self._end_for_payment,
            },
        }
        self._app = Starlette(
            routes=[
                self._route("GET", "state", self._state),
                self._route("GET", "webhook", self._webhook),
                self._route("PUT", "webhook", self._set_webhook),
                self._route("POST", "payments", self._pay),
                self._route("GET", "payments/{id}", self._payment),
                self._route("POST", "prices", self._offer),
                self._route("POST", "events/{id}/resend", self._resend),
                self._route("GET", "faults", self._list_faults),
                self._route("POST", "faults", self._add_fault),
                self._route("DELETE", "faults", self._clear_faults),
                self._route("POST", "{kind}/{id}/{verb}", self._do),
            ],
            exception_handlers={ValidationError: _invalid, re.error: _invalid, Refusal: _refused},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def _route(self, method: str, path: str, endpoint: Callable[[Request], Awaitable[Response]]) -> Route:
        return Route(f"{self.root}/{path}", endpoint, methods=[method])

    async def _state(self, request: Request) -> Response:
        kinds = (Customer, Payment, Refund, Dispute, Subscription, Invoice, StoredEvent)
        records = {kind.__name__: [one.model_dump() for one in self._journal.store.all(kind)] for kind in kinds}
        deliveries = [one.model_dump() for one in self._journal.deliveries()]
        return JSONResponse({"now": time.time(), **records, "deliveries": deliveries, "calls": [*self._calls],
                             "faults": [fault.model_dump() for fault in self._faults.all()]})  # fmt: skip

    # ---- customers, banks, the calendar

    async def _pay(self, request: Request) -> Response:
        purchase = Purchase.model_validate_json(await request.body())
        subscribes = purchase.mode == "subscription"
        made = self._subscriptions.begin(purchase) if subscribes else self._payments.buy(purchase)
        return JSONResponse(made.model_dump(), 201)

    async def _offer(self, request: Request) -> Response:
        price = Price.model_validate_json(await request.body())
        with self._journal.store.transaction():
            return JSONResponse(self._subscriptions.offer(price).model_dump(), 201)

    async def _payment(self, request: Request) -> Response:
        payment = self._payments.get(request.path_params["id"])
        names = {payment.id, payment.session, payment.charge}
        events = [
            {"id": event.id, "type": event.type, "pending": self._journal.pending_of(event.id)}
            for event in self._journal.events() if event.object.get("id") in names
        ]  # fmt: skip
        return JSONResponse({"payment": payment.model_dump(), "events": events})

    async def _do(self, request: Request) -> Response:
        verb = self._verbs.get(request.path_params["kind"], {}).get(request.path_params["verb"])
        if verb is None:
            raise HTTPException(404)
        return JSONResponse(verb(request.path_params["id"]).model_dump())

    def _refund_by_hand(self, id_: str) -> Refund:
        with self._journal.store.transaction():
            return self._payments.refund(id_, amount=None, reason="requested_by_customer", metadata={})

    def _end_for_payment(self, id_: str) -> Subscription:
        """As Stripe ends one after its last try."""
        with self._journal.store.transaction():
            return self._subscriptions.end(id_, reason="payment_failed")

    # ---- the endpoint

    async def _webhook(self, request: Request) -> Response:
        endpoint = self._journal.endpoint()
        return JSONResponse(endpoint.model_dump(exclude={"secrets"}) if endpoint else None)

    async def _set_webhook(self, request: Request) -> Response:
        self._journal.set_endpoint(Endpoint.model_validate_json(await request.body()))
        return await self._webhook(request)

    async def _resend(self, request: Request) -> Response:
        again = Again.model_validate_json(await request.body() or b"{}")
        id_ = request.path_params["id"]
        if self._journal.store.get(StoredEvent, id_) is None:
            raise HTTPException(404, f"there is no event {id_}")
        with self._journal.store.transaction():
            self._journal.send(id_, again.copies)
        return Response(status_code=204)

    # ---- faults

    async def _list_faults(self, request: Request) -> Response:
        return JSONResponse({"faults": [fault.model_dump() for fault in self._faults.all()]})

    async def _add_fault(self, request: Request) -> Response:
        fault = self._faults.add(Fault.model_validate_json(await request.body()))
        return JSONResponse({"fault": fault.model_dump()}, 201)

    async def _clear_faults(self, request: Request) -> Response:
        self._faults.clear()
        return Response(status_code=204)


async def _invalid(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 422)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return JSONResponse(error.body, error.status)
