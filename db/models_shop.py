"""The tables of what is sold: products and their prices (R150, R151, X08)."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Index, Integer, String, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, new_id


class Product(Base):
    """Something that is sold. Its slug is taken for ever, because orders and invoices name it."""

    __tablename__ = "products"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(200))
    slug: Mapped[str] = mapped_column(String(63), unique=True)
    type: Mapped[str] = mapped_column(String(20))
    description: Mapped[str] = mapped_column(Text, default="", server_default="")
    active: Mapped[bool] = mapped_column(Boolean, default=True, server_default=text("true"))
    deleted_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())

    __table_args__ = (
        CheckConstraint("type in ('hosting','mail','dns','vps')", name="type"),
        CheckConstraint("deleted_at is null or not active", name="deleted"),
        Index("ix_products_created_at_id", "created_at", "id"),
    )


class Price(Base):
    """What a product costs for an interval, and what it may use for that. A price that was sold is never changed: it
    is made inactive, and another one takes its place."""

    __tablename__ = "prices"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    product_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("products.id"), index=True)
    interval: Mapped[str] = mapped_column(String(10))
    amount_cents: Mapped[int] = mapped_column(Integer)
    currency: Mapped[str] = mapped_column(String(3), default="EUR", server_default="EUR")
    limits_json: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))
    active: Mapped[bool] = mapped_column(Boolean, default=True, server_default=text("true"))
    # The payment service's name of it; without one nobody can be moved to it whom the payment service charges.
    stripe_price_id: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint("interval in ('month','year','once')", name="interval"),
        CheckConstraint("amount_cents >= 0", name="amount"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        Index("uq_prices_living", "product_id", "interval", "currency", unique=True, postgresql_where=text("active")),
    )
