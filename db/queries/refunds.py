"""Money that goes back, as rows: opened before the payment service is asked, ended by what it says."""

from __future__ import annotations

import uuid

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import new_id
from db.models_sales import Order, Refund
from domain.sales import OrderStatus, RefundStatus


async def open_for(session: AsyncSession, order: Order, *, reason: str, requested_by: str = "") -> str:
    """The id of the order's living refund, made where there is none; empty where the order was free.

    The caller holds the order's subscription, so that two never open two.
    """
    if order.total_amount_cents == 0:
        order.status = OrderStatus.CANCELLED
        return ""
    refund = await living(session, order.id)
    if refund is None:
        refund = Refund(id=new_id(), order_id=order.id, amount_cents=order.total_amount_cents, currency=order.currency,
                        reason=reason, requested_by=requested_by)  # fmt: skip
        session.add(refund)
        await session.flush()
    if refund.status == RefundStatus.PENDING:
        order.status = OrderStatus.REFUNDING
    return str(refund.id)


async def living(session: AsyncSession, order_id: uuid.UUID) -> Refund | None:
    """The one that is under way or has succeeded."""
    query = select(Refund).where(Refund.order_id == order_id, Refund.status != RefundStatus.FAILED)
    return (await session.execute(query)).scalar_one_or_none()


async def end(session: AsyncSession, refund: Refund, *, succeeded: bool, reference: str | None) -> None:
    """What the payment service said. A refund may fail days after it had succeeded."""
    refund.status = RefundStatus.SUCCEEDED if succeeded else RefundStatus.FAILED
    refund.stripe_refund_id = reference or refund.stripe_refund_id
    refund.ended_at = func.now()
    order = await session.get_one(Order, refund.order_id)
    if succeeded:
        order.status = OrderStatus.REFUNDED
