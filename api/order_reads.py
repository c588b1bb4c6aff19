"""Orders and subscriptions as they are read: by staff all of them, by a customer those of the own organization."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AfterValidator, StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from api import sales_view
from api.deps import Held, Member, bound, parsed_id
from api.envelope import reply
from api.errors import not_found
from api.jobs import with_steps
from api.paging import pagination
from api.schemas import printable
from api.services import Principal
from db.queries import sales_view as rows
from db.queries.sales_view import FoundSubscription, SalesFilter, WholeSubscription
from domain.lifecycle import Standing, senseless
from domain.sales import JobType, OrderStatus, SubscriptionStatus
from domain.statuses import Role

router = APIRouter(tags=["orders"])

_VERBS = {  # of POST /api/subscriptions/{id}/… (api/subscription_changes.py)
    "suspend": JobType.SUSPEND, "resume": JobType.RESUME, "change": JobType.CHANGE_LIMITS, "cancel": JobType.CANCEL,
    "keep": JobType.KEEP, "terminate": JobType.TERMINATE, "refund": JobType.REFUND,
}  # fmt: skip

Text = Annotated[str, StringConstraints(max_length=200), AfterValidator(printable)]
TenantName = Annotated[Text | None, Query(description="A tenant's slug")]
Search = Annotated[
    Text | None, Query(description="Part of an e-mail or a domain, or a whole id of the payment service")
]
Page = Annotated[int, Query(ge=1, le=100_000)]
Limit = Annotated[int, Query(ge=1, le=100)]


def _wanted(
    principal: Principal, status: str | None, tenant: str | None, customer: uuid.UUID | None, q: str | None
) -> SalesFilter:
    return SalesFilter(status, tenant, customer, (q or "").strip() or None, bound(principal))


@router.get("/api/orders")
async def orders(
    request: Request,
    principal: Member,
    held: Held,
    status: OrderStatus | None = None,
    tenant: TenantName = None,
    customer: uuid.UUID | None = None,
    q: Search = None,
    page: Page = 1,
    limit: Limit = 20,
) -> Response:
    wanted = _wanted(principal, status, tenant, customer, q)
    async with held.db.begin() as session:
        total, found = await rows.list_orders(session, wanted, offset=(page - 1) * limit, limit=limit)
    shown = [sales_view.order(one.order, one.tenant, one.customer) for one in found]
    return reply(request, {"orders": shown, "pagination": pagination(page, limit, total)})


@router.get("/api/orders/{order_id}")
async def order(request: Request, order_id: str, principal: Member, held: Held) -> Response:
    """With its subscription, its zones, its jobs and their steps, and refunds; `payment_events` are for staff alone."""
    ref = parsed_id(order_id)
    async with held.db.begin() as session:
        found = await rows.order(session, ref, bound(principal)) if ref else None
    if found is None:
        raise not_found("order", order_id)
    events = [] if principal.role is Role.USER else found.events
    body: dict[str, object] = {
        "order": sales_view.order(found.found.order, found.found.tenant, found.found.customer),
        "subscription": sales_view.subscription(found.subscription, found.found.tenant),
        "zones": [sales_view.zone(row) for row in found.zones],
        "jobs": await with_steps(held, principal, found.jobs),
        "refunds": [sales_view.refund(row) for row in found.refunds],
        "payment_events": [sales_view.payment_event(row) for row in events],
    }
    return reply(request, body)


@router.get("/api/subscriptions")
async def subscriptions(
    request: Request,
    principal: Member,
    held: Held,
    status: SubscriptionStatus | None = None,
    tenant: TenantName = None,
    customer: uuid.UUID | None = None,
    q: Search = None,
    page: Page = 1,
    limit: Limit = 20,
) -> Response:
    wanted = _wanted(principal, status, tenant, customer, q)
    async with held.db.begin() as session:
        total, found = await rows.list_subscriptions(session, wanted, offset=(page - 1) * limit, limit=limit)
    return reply(
        request, {"subscriptions": [_listed(one) for one in found], "pagination": pagination(page, limit, total)}
    )


@router.get("/api/subscriptions/{subscription_id}")
async def subscription(request: Request, subscription_id: str, principal: Member, held: Held) -> Response:
    """With everything that is or was delivered for it, the newest first. `changes` are what it may be asked for by now;
    who may ask is the route's to say."""
    ref = parsed_id(subscription_id)
    async with held.db.begin() as session:
        found = await rows.subscription(session, ref, bound(principal)) if ref else None
    if found is None:
        raise not_found("subscription", subscription_id)
    body: dict[str, object] = {
        "subscription": _listed(found.found),
        "changes": _changes(found),
        "order": sales_view.order(found.found.order, found.found.tenant, found.found.customer),
        "domains": [sales_view.domain(row) for row in found.domains],
        "zones": [sales_view.zone(row) for row in found.zones],
        "hosting_accounts": [sales_view.hosting_account(row) for row in found.accounts],
        "mailboxes": [sales_view.mailbox(row) for row in found.mailboxes],
        "backups": [sales_view.backup(row) for row in found.backups],
        "jobs": [sales_view.job(row) for row in found.jobs],
    }
    return reply(request, body)


def _listed(one: FoundSubscription) -> sales_view.Shown:
    """With whose it is and the name that was asked for."""
    return sales_view.subscription(one.subscription, one.tenant) | {
        "customer_email": one.customer.email,
        "organization_id": one.customer.organization_id,
        "domain": one.order.domain_name,
    }


def _changes(found: WholeSubscription) -> list[str]:
    """The last words of the routes that would not refuse it for its state; none while a job of it is under way."""
    if any(job.ended_at is None and job.parent_id is None for job in found.jobs):
        return []
    row = found.found.subscription
    held = Standing(row.status, interval="", amount_cents=0, period_end=row.current_period_end,
                    cancel_at_period_end=row.cancel_at_period_end)  # fmt: skip
    return [verb for verb, kind in _VERBS.items() if senseless(kind, held) is None]
