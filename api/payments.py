"""POST /api/webhooks/stripe: what the payment service tells. And the cases that come of it, for people to settle.

The signature is verified over the raw bytes, the message is kept by its id together with its effect, and answered with
200 from then on: a refusal would only make it come again. Verification and meaning are pure code of
providers/payments, which is why this file, and no other of the API, may use them.
"""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header
from starlette.background import BackgroundTasks
from starlette.requests import Request
from starlette.responses import Response

from api import sales_view
from api.answers import also
from api.auditing import audited_change
from api.deps import OPERATORS, Held, charge, client_ip, requires
from api.envelope import reply, request_id
from api.errors import ApiError, not_found
from api.examples import described, taking
from api.sales_schemas import Settlement
from api.services import Principal, Services
from api.starting import start_change, start_fulfilment
from db.models_sales import PaymentEvent
from db.queries import jobs, orders, payments
from db.queries.audit import Actor
from db.queries.payments import PAYMENT_SERVICE, Taken
from domain.errors import ErrorCode
from domain.fulfilment import ChangeOrder
from domain.statuses import Role
from providers.payments.facts import news_of
from providers.payments.webhook import Event, WebhookRefused, verify
from settings import each

router = APIRouter(tags=["orders"])

WHERE = "/api/webhooks/stripe"
MoneyKeeper = Annotated[Principal, Depends(requires(OPERATORS | {Role.BILLING}))]
_EVENT: dict[str, Any] = {
    "id": "evt_1", "object": "event", "type": "payment_intent.succeeded", "created": 1790000000, "livemode": False,
    "data": {"object": {"object": "payment_intent", "id": "pi_1", "status": "succeeded", "amount": 995,
                        "currency": "eur", "created": 1790000000,
                        "metadata": {"tenantSlug": "acme-hosting", "priceId": "price-uuid",
                                     "customerEmail": "owner@bakery.example.com", "domain": "bakery.nl"}}},
}  # fmt: skip
_RECEIVED = described("It is kept; `outcome` is done, ignored or case", {"received": True, "outcome": "done"})


@router.post(
    WHERE,
    responses={200: _RECEIVED, 400: {"description": "Not signed by the payment service, or no event"}, **also(429)},
    openapi_extra=taking(_EVENT),
)
async def told(
    request: Request, held: Held, signature: Annotated[str | None, Header(alias="Stripe-Signature")] = None
) -> Response:
    event = _verified(request, held, await request.body(), signature)
    changes: list[ChangeOrder] = []
    async with held.db.begin() as session:
        who = Actor(PAYMENT_SERVICE, "", request_id(request), client_ip(request))
        taken = await payments.take_audited(session, news_of(event), held.settings.base_domain,
                                            held.letters(session), who)  # fmt: skip
        for job in taken.changes:
            changes.append(await jobs.change_of(session, job, held.policy()))
    body: dict[str, object] = {"received": True, "outcome": taken.outcome}
    return reply(request, body, background=_starts(held, taken, changes))


@router.post(
    "/api/operator/payment-cases/{event_id}/settle",
    openapi_extra=taking({"note": "Paid back by hand."}),
    responses=also(409),
)
async def settle(request: Request, event_id: str, asked: Settlement, principal: MoneyKeeper, held: Held) -> Response:
    """Somebody has dealt with a case; it leaves the operators' list. How, is kept in the audit log."""
    target = ("payment_event", event_id)
    async with audited_change(held, request, principal, "payment_case.settle", target, note=asked.note) as session:
        if "\0" in event_id or await session.get(PaymentEvent, event_id) is None:
            raise not_found("message of the payment service", event_id)
        row = await payments.settle(session, event_id, principal.username)
        if row is None:
            raise ApiError(ErrorCode.CONFLICT, "This message is no case, or it was settled before.")
    return reply(request, {"message": "Case settled", "event": sales_view.payment_event(row)})


def _verified(request: Request, held: Services, body: bytes, signature: str | None) -> Event:
    secrets = each(held.settings.stripe_webhook_secret)
    if not secrets:
        raise ApiError(ErrorCode.MISSING_CREDENTIALS, "STRIPE_WEBHOOK_SECRET is not set; messages cannot be verified.",
                       status=503)  # fmt: skip
    try:
        return verify(body, signature, secrets, now=time.time())
    except WebhookRefused as refused:
        charge(request, f"ip:{client_ip(request)}", held.settings.rate_limit_max_requests)
        raise ApiError(refused.code, f"The message is refused: {refused.message}.", status=400) from None


def _starts(held: Services, taken: Taken, changes: list[ChangeOrder]) -> BackgroundTasks:
    tasks = BackgroundTasks()
    if taken.placed is not None and taken.placed.order.started_at is None:
        tasks.add_task(start_fulfilment, held, orders.run_of(taken.placed, held.policy()))
    for change in changes:
        tasks.add_task(start_change, held, change)
    return tasks
