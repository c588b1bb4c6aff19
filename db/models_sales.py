"""The tables of what was bought: tenants, customers, orders, subscriptions, what the payment service said, refunds
(R147, R152–R154, X07). Statuses stand in domain/sales.py."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, CheckConstraint, ForeignKey, Index, Integer, String, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, new_id


class Tenant(Base):
    """A brand that sells here (R147). Its organizations, customers and orders are nobody else's."""

    __tablename__ = "tenants"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    slug: Mapped[str] = mapped_column(String(63), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    is_active: Mapped[bool] = mapped_column(Boolean, default=True, server_default=text("true"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Customer(Base):
    """The billing account of an organization (R152, X07), found again by its e-mail within a tenant."""

    __tablename__ = "customers"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenants.id"))
    organization_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("organizations.id"), index=True)
    email: Mapped[str] = mapped_column(String(320))
    name: Mapped[str] = mapped_column(String(200), default="", server_default="")
    stripe_customer_id: Mapped[str | None] = mapped_column(String(100), unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (Index("uq_customers_email", "tenant_id", func.lower(text("email")), unique=True),)


class Order(Base):
    """A paid order (R153). One payment is one order, for ever: the payment intent is unique."""

    __tablename__ = "orders"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenants.id"))
    customer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("customers.id"), index=True)
    price_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("prices.id"), index=True)
    total_amount_cents: Mapped[int] = mapped_column(Integer)
    currency: Mapped[str] = mapped_column(String(3))
    status: Mapped[str] = mapped_column(String(20), default="PAID", server_default="PAID")
    stripe_payment_intent_id: Mapped[str] = mapped_column(String(255), unique=True)
    domain_name: Mapped[str | None] = mapped_column(
        String(253)
    )  # as asked for; without one the platform's name is used
    source: Mapped[str] = mapped_column(String(20))  # who told us: the marketing site, or the payment service itself
    started_at: Mapped[datetime | None]  # its run is known to have been started
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())

    __table_args__ = (
        CheckConstraint("status in ('PAID','FULFILLED','REFUNDING','REFUNDED','CANCELLED')", name="status"),
        CheckConstraint("source in ('marketing','stripe','portal')", name="source"),
        CheckConstraint("total_amount_cents >= 0", name="amount"),
        Index("ix_orders_created_at_id", "created_at", "id"),
        Index("ix_orders_tenant_id_created_at", "tenant_id", "created_at"),
        Index("ix_orders_unstarted", "created_at", postgresql_where=text("started_at is null")),
    )


class Subscription(Base):
    """What an order gives, for as long as it is paid (R154). INACTIVE until everything ordered works."""

    __tablename__ = "subscriptions"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenants.id"))
    order_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("orders.id"), unique=True)
    customer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("customers.id"), index=True)
    price_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("prices.id"))
    status: Mapped[str] = mapped_column(String(20), default="INACTIVE", server_default="INACTIVE")
    current_period_start: Mapped[datetime]
    current_period_end: Mapped[datetime | None]  # None: paid once, for good
    cancel_at_period_end: Mapped[bool] = mapped_column(Boolean, default=False, server_default=text("false"))
    stripe_subscription_id: Mapped[str | None] = mapped_column(String(255), unique=True)
    past_due_since: Mapped[datetime | None]
    suspended_at: Mapped[datetime | None]
    suspended_for: Mapped[str] = mapped_column(Text, default="", server_default="")
    activated_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())

    __table_args__ = (
        CheckConstraint("status in ('INACTIVE','ACTIVE','PAST_DUE','SUSPENDED','TERMINATED')", name="status"),
        CheckConstraint("(status = 'PAST_DUE') <= (past_due_since is not null)", name="past_due"),
        CheckConstraint("(status = 'SUSPENDED') <= (suspended_at is not null)", name="suspended"),
        CheckConstraint("(status = 'TERMINATED') = (ended_at is not null)", name="ended"),
        Index("ix_subscriptions_created_at_id", "created_at", "id"),
        # What the sweep of lifecycles looks for: whose period is over, whose grace is over.
        Index("ix_subscriptions_due", "current_period_end", postgresql_where=text("status in ('ACTIVE','PAST_DUE')")),
        Index("ix_subscriptions_past_due", "past_due_since", postgresql_where=text("status = 'PAST_DUE'")),
        Index("ix_subscriptions_cancelled", "current_period_end",
              postgresql_where=text("cancel_at_period_end and status in ('ACTIVE','PAST_DUE','SUSPENDED')")),
        Index("ix_subscriptions_unpaid", "suspended_at",
              postgresql_where=text("status = 'SUSPENDED' and suspended_for = 'non-payment'")),
        Index("ix_subscriptions_paid_again", "suspended_at",
              postgresql_where=text("status = 'SUSPENDED' and suspended_for = 'non-payment' "
                                    "and past_due_since is null")),
    )  # fmt: skip


class PaymentEvent(Base):
    """A message of the payment service, by its own id: delivered many times, acted on once."""

    __tablename__ = "payment_events"

    id: Mapped[str] = mapped_column(String(255), primary_key=True)
    type: Mapped[str] = mapped_column(String(100))
    happened_at: Mapped[datetime]
    livemode: Mapped[bool] = mapped_column(Boolean)
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))  # what was read out of it
    outcome: Mapped[str] = mapped_column(String(20))
    message: Mapped[str] = mapped_column(Text, default="", server_default="")
    order_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("orders.id"), index=True)
    subscription_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("subscriptions.id"), index=True)
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())
    letter_at: Mapped[datetime | None]  # its invoice's customer was written to because of this failure
    settled_by: Mapped[str] = mapped_column(String(200), default="", server_default="")
    settled_at: Mapped[datetime | None]  # of a case: somebody has dealt with it

    __table_args__ = (
        # A `case` is money that no order could be made for: it stands on the operators' list until somebody settles it.
        CheckConstraint("outcome in ('done','ignored','case')", name="outcome"),
        Index("ix_payment_events_cases", "received_at",
              postgresql_where=text("outcome = 'case' and settled_at is null")),
        # All that was told of one payment, of one subscription and of one customer of the payment service.
        Index("ix_payment_events_payment_intent", text("(facts ->> 'payment_intent')")),
        Index("ix_payment_events_subscription", text("(facts ->> 'subscription')")),
        Index("ix_payment_events_customer", text("(facts ->> 'customer')")),
    )  # fmt: skip


class PaymentCatchUp(Base):
    """How far the messages of a payment service are kept, its webhook's or asked for: everything that happened before
    `position` is. One row for each service."""

    __tablename__ = "payment_catch_ups"

    service: Mapped[str] = mapped_column(String(20), primary_key=True)
    position: Mapped[datetime]
    asked_at: Mapped[datetime] = mapped_column(server_default=func.now())
    fetched: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))  # the webhook had not brought


class Refund(Base):
    """Money that goes back. Its id is the idempotency key at the payment service, so it goes back once."""

    __tablename__ = "refunds"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    order_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("orders.id"))
    amount_cents: Mapped[int] = mapped_column(Integer)
    currency: Mapped[str] = mapped_column(String(3))
    status: Mapped[str] = mapped_column(String(20), default="PENDING", server_default="PENDING")
    reason: Mapped[str] = mapped_column(Text, default="", server_default="")
    stripe_refund_id: Mapped[str | None] = mapped_column(String(255), unique=True)
    requested_by: Mapped[str] = mapped_column(String(200), default="", server_default="")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("status in ('PENDING','SUCCEEDED','FAILED')", name="status"),
        CheckConstraint("amount_cents > 0", name="amount"),
        Index("uq_refunds_living", "order_id", unique=True, postgresql_where=text("status <> 'FAILED'")),
    )
