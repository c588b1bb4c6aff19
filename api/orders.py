"""POST /api/orders (R044, R239): the marketing site tells of a payment, once or many times; one order comes of it.

The rows are committed before the answer is given, and the run is started behind it: with Temporal away the answer is
201 all the same, and the sweep of unstarted rows starts it.
"""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import APIRouter, Depends, Header
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response

from api import sales_view
from api.answers import also, refuses
from api.deps import Held, OrderMachine, actor, charge, client_ip, orders_for
from api.envelope import reply, request_id
from api.errors import ApiError
from api.examples import taking
from api.machines import Machine
from api.sales_schemas import ORDER_REQUEST, ORDERED, ORDERED_BEFORE, OrderCreate
from api.services import Services, services
from api.starting import start_fulfilment
from db.queries import audit, orders, payments
from db.queries.audit import Actor
from db.queries.orders import OtherContent, Placed, Refused
from domain.errors import ErrorCode
from domain.hostnames import site_domain
from domain.orders import OrderAsked
from domain.sales import OrderSource
from settings import each

router = APIRouter(tags=["orders"])

WHERE = "/api/orders"
MARKETING = "marketing"


@refuses(401, 403, 429)
async def marketing_site(
    request: Request,
    machine: OrderMachine,
    key: Annotated[str | None, Header(alias="x-internal-key", description="MARKETING_WEBHOOK_SECRET")] = None,
) -> Machine | None:
    """A machine whose key may order, or the marketing site (None). Wrong internal keys are counted against their
    address; right ones are not counted."""
    if machine is not None:
        return machine
    held = services(request)
    secrets = each(held.settings.marketing_webhook_secret)
    if not secrets:
        raise ApiError(ErrorCode.MISSING_CREDENTIALS, "MARKETING_WEBHOOK_SECRET is not set; orders are not taken.",
                       status=503)  # fmt: skip
    given = (key or "").encode()
    # Each is compared: how long it takes does not tell which one was close.
    if not sum(hmac.compare_digest(given, secret.get_secret_value().encode()) for secret in secrets):
        charge(request, f"ip:{client_ip(request)}", held.settings.rate_limit_max_requests)
        if key is None:
            raise ApiError(ErrorCode.UNAUTHENTICATED, "Send the internal key as x-internal-key.")
        raise ApiError(ErrorCode.INVALID_CREDENTIALS, "x-internal-key is not the internal key.")
    return None


Shop = Annotated[Machine | None, Depends(marketing_site)]


@router.post(
    WHERE,
    status_code=201,
    responses={201: ORDERED, 200: ORDERED_BEFORE, **also(409)},
    openapi_extra=taking(ORDER_REQUEST),
)
async def create(request: Request, asked: OrderCreate, machine: Shop, held: Held) -> Response:
    """One payment is one order: a repeat gets it again, with 200; one that says something else is refused with 409."""
    wanted = _wanted(held, asked)
    who = actor(request, machine) if machine else Actor(MARKETING, "", request_id(request), client_ip(request))
    try:
        async with held.db.begin() as session:
            placed = await orders.place(session, wanted)
            if machine is not None:
                orders_for(machine, placed.tenant.id)
            if placed.created:
                await payments.catch_up(session, placed, held.letters(session))
                await audit.record(session, who, "order.create", "order", str(placed.order.id),
                                   tenant=placed.tenant.slug, payment=wanted.payment_intent)  # fmt: skip
    except Refused as refused:
        raise ApiError(ErrorCode.VALIDATION_ERROR, refused.message, field=refused.field) from None
    except OtherContent as other:
        raise ApiError(ErrorCode.IDEMPOTENCY_MISMATCH, f"This payment has an order already, whose {other.field} is "
                       "another one.", field=other.field) from None  # fmt: skip
    status = 201 if placed.created else 200
    headers = {"Location": f"{WHERE}/{placed.order.id}"}
    return reply(request, _answer(placed), status, headers=headers, background=starting(held, placed))


def starting(held: Services, placed: Placed) -> BackgroundTask | None:
    """What is to be done behind the answer; None where the run is known to have been started."""
    if placed.order.started_at is not None:
        return None
    return BackgroundTask(start_fulfilment, held, orders.run_of(placed, held.policy()))


def _wanted(held: Services, asked: OrderCreate) -> OrderAsked:
    named = (asked.domain or "").strip()  # an empty field of a form is no domain
    try:
        domain = site_domain(named, held.settings.base_domain) if named else None
    except ValueError as error:
        raise ApiError(ErrorCode.VALIDATION_ERROR, f"domain {error}.", field="domain") from None
    return OrderAsked(tenant_slug=asked.tenant_slug, price_id=str(asked.price_id), customer_email=asked.customer_email,
                      payment_intent=asked.stripe_payment_intent_id, domain=domain,
                      source=OrderSource.MARKETING)  # fmt: skip


def _answer(placed: Placed) -> dict[str, object]:
    return {
        "order": sales_view.order(placed.order, placed.tenant, placed.customer),
        "subscription": sales_view.subscription(placed.subscription, placed.tenant),
        "jobs": [sales_view.job(row) for row in placed.jobs],
        "created": placed.created,
    }
