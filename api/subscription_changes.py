"""Changes of a subscription that stands: each is a job, which tells how it goes (GET /api/jobs/{id})."""

from __future__ import annotations

import uuid

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from api.change_schemas import (
    CHANGING,
    END_REQUEST,
    NO_SENSE,
    PRICE_REQUEST,
    SUSPENSION_REQUEST,
    End,
    PriceChange,
    Suspension,
    Why,
)
from api.changing import Asking, Check, ask
from api.deps import Biller, Held, IdempotencyKey, Operator, OwnerOrBiller
from api.errors import ApiError
from api.examples import taking
from db.models_shop import Price, Product
from db.queries import refunds
from db.queries.delivery import DISK_MB, Delivery
from domain.catalogue import Limits, ProductType
from domain.errors import ErrorCode
from domain.sales import JobType, RefundStatus

SMALLEST_DISK_MB = 16  # of a volume that holds a file system

router = APIRouter(
    prefix="/api/subscriptions/{subscription_id}", tags=["subscriptions"], responses={202: CHANGING, 400: NO_SENSE}
)


@router.post("/suspend", status_code=202, openapi_extra=taking(SUSPENSION_REQUEST))
async def suspend(
    request: Request, subscription_id: str, asked: Suspension, principal: Biller, held: Held, key: IdempotencyKey
) -> Response:
    """The site answers 503 with a page that says so, files cannot be reached, mail waits. Nothing is deleted."""
    asking = Asking(JobType.SUSPEND, "Suspension initiated", "subscription.suspend", asked.model_dump(),
                    asked.reason)  # fmt: skip
    return await ask(request, principal, held, key, subscription_id, asking)


@router.post("/resume", status_code=202)
async def resume(
    request: Request, subscription_id: str, principal: Biller, held: Held, key: IdempotencyKey, asked: Why | None = None
) -> Response:
    """Everything is as it was before the suspension."""
    asked = asked or Why()
    asking = Asking(JobType.RESUME, "Resumption initiated", "subscription.resume", asked.model_dump(), asked.reason)
    return await ask(request, principal, held, key, subscription_id, asking)


@router.post("/change", status_code=202, openapi_extra=taking(PRICE_REQUEST))
async def change(
    request: Request, subscription_id: str, asked: PriceChange, principal: Operator, held: Held, key: IdempotencyKey
) -> Response:
    """To another price of hosting: what may be used changes, then what the payment service charges for, where it does,
    and then the price.

    Less disk than is used stops the job with a name for it; another price, or a rollback, ends that.
    """
    asking = Asking(
        JobType.CHANGE_LIMITS, "Change initiated", "subscription.change", asked.model_dump(mode="json"), asked.reason,
        details={"price_id": str(asked.price_id)}, check=_sold(asked.price_id),
    )  # fmt: skip
    return await ask(request, principal, held, key, subscription_id, asking)


@router.post("/cancel", status_code=202)
async def cancel(
    request: Request,
    subscription_id: str,
    principal: OwnerOrBiller,
    held: Held,
    key: IdempotencyKey,
    asked: Why | None = None,
) -> Response:
    """It ends with the period that is paid for; until then everything works, and `keep` takes it back."""
    asked = asked or Why()
    asking = Asking(JobType.CANCEL, "Cancellation initiated", "subscription.cancel", asked.model_dump(), asked.reason)
    return await ask(request, principal, held, key, subscription_id, asking)


@router.post("/keep", status_code=202)
async def keep(
    request: Request, subscription_id: str, principal: OwnerOrBiller, held: Held, key: IdempotencyKey
) -> Response:
    """The undo of `cancel`, as long as the period runs."""
    asking = Asking(JobType.KEEP, "It is being kept", "subscription.keep")
    return await ask(request, principal, held, key, subscription_id, asking)


@router.post("/terminate", status_code=202, openapi_extra=taking(END_REQUEST))
async def terminate(
    request: Request, subscription_id: str, asked: End, principal: Operator, held: Held, key: IdempotencyKey
) -> Response:
    """End it now: a last backup is put away and read back, then everything is removed, with proof. Nothing is refunded
    by this."""

    async def confirmed(session: AsyncSession, found: Delivery) -> None:
        if asked.confirm.removesuffix(".") != found.name:
            raise ApiError(ErrorCode.VALIDATION_ERROR, "confirm must be the site's name.", field="confirm")

    asking = Asking(JobType.TERMINATE, "Termination initiated", "subscription.terminate", asked.model_dump(),
                    asked.reason, check=confirmed)  # fmt: skip
    return await ask(request, principal, held, key, subscription_id, asking)


@router.post("/refund", status_code=202)
async def refund(
    request: Request, subscription_id: str, principal: Biller, held: Held, key: IdempotencyKey, asked: Why | None = None
) -> Response:
    """Pay the order's money back, once. The subscription stays what it is."""
    asked = asked or Why()
    asking = Asking(JobType.REFUND, "Refund initiated", "subscription.refund", asked.model_dump(), asked.reason,
                    check=_refundable)  # fmt: skip
    return await ask(request, principal, held, key, subscription_id, asking)


# ---- what is refused beforehand -------------------------------------------------------------------------------------


def _sold(price_id: uuid.UUID) -> Check:
    async def check(session: AsyncSession, found: Delivery) -> None:
        price = await session.get(Price, price_id)
        product = await session.get(Product, price.product_id) if price else None
        problem = _problem_of(found, price, product)
        if problem is not None:
            raise ApiError(ErrorCode.VALIDATION_ERROR, f"priceId {problem}.", field="priceId")

    return check


def _problem_of(found: Delivery, price: Price | None, product: Product | None) -> str | None:
    if price is None or product is None or not price.active or not product.active:
        return "names no price that is sold"
    if product.type != ProductType.HOSTING:
        return f"names a price of type {product.type}; this is hosting"
    if price.id == found.subscription.price_id:
        return "is the price it has already"
    if price.currency != found.price.currency:
        return f"names a price in {price.currency}; it is paid for in {found.price.currency}"
    if found.subscription.stripe_subscription_id is not None and price.stripe_price_id is None:
        return "names a price that the payment service does not know, and it charges for this subscription"
    limits = Limits.model_validate(price.limits_json)
    if limits.mailboxes == 0 and found.living_mailbox is not None:
        return f"names a price without mailboxes, and there is {found.living_mailbox.email}"
    if (limits.disk_mb or DISK_MB) < SMALLEST_DISK_MB:
        return f"names a price with less than {SMALLEST_DISK_MB} MB of disk"
    return None


async def _refundable(session: AsyncSession, found: Delivery) -> None:
    if found.order.total_amount_cents == 0:
        raise ApiError(ErrorCode.INVALID_ACTION, "Nothing was paid for it.")
    refund = await refunds.living(session, found.order.id)
    if refund is not None and refund.status == RefundStatus.SUCCEEDED:
        raise ApiError(ErrorCode.CONFLICT, "It was paid back already.")
