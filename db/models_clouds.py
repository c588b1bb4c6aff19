"""The tables of clouds: the accounts an administrator has set up, what is sold from them, what they were last seen to
offer, and what was asked of single servers (R139, R143, X12, X13)."""

from __future__ import annotations

import uuid
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Numeric,
    String,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, new_id


class ServiceProvider(Base):
    """An account at a cloud. Its key is encrypted, bound to the row, and destroyed once the account is removed."""

    __tablename__ = "service_providers"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(255))
    type: Mapped[str] = mapped_column(String(50))
    api_key_encrypted: Mapped[str | None] = mapped_column(Text)  # base64; None once destroyed
    key_id: Mapped[str] = mapped_column(String(40), default="")  # of the key ring
    configuration: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))
    active: Mapped[bool] = mapped_column(Boolean, default=True, server_default=text("true"))
    origin: Mapped[str] = mapped_column(String(20), default="administrator")  # administrator | environment
    validated_at: Mapped[datetime | None]
    validation: Mapped[str] = mapped_column(Text, default="", server_default="")  # the newest check's sentence
    deleted_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())

    __table_args__ = (
        CheckConstraint("type in ('transip','digitalocean','linode','aws','gcp')", name="type"),
        CheckConstraint("origin in ('administrator','environment')", name="origin"),
        CheckConstraint("deleted_at is null or not active", name="deleted"),
        CheckConstraint("api_key_encrypted is not null or deleted_at is not null", name="key"),
        Index("uq_service_providers_name_live", "name", unique=True, postgresql_where=text("deleted_at is null")),
        # What the environment names is one row per kind of cloud.
        Index("uq_service_providers_environment", "type", unique=True,
              postgresql_where=text("origin = 'environment' and deleted_at is null")),
    )  # fmt: skip


class VpsPlan(Base):
    """A size of a cloud that is sold, with the cloud's price and ours (R143). `specifications` is what it holds."""

    __tablename__ = "vps_plans"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    provider_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("service_providers.id", ondelete="CASCADE"))
    provider_plan_id: Mapped[str] = mapped_column(String(255))
    base_price: Mapped[Decimal] = mapped_column(Numeric(10, 2), default=Decimal(0), server_default=text("0.00"))
    markup_price: Mapped[Decimal] = mapped_column(Numeric(10, 2), default=Decimal(0), server_default=text("0.00"))
    currency: Mapped[str] = mapped_column(String(3), default="USD")
    specifications: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))
    active: Mapped[bool] = mapped_column(Boolean, default=True, server_default=text("true"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())

    __table_args__ = (
        CheckConstraint("base_price >= 0 and markup_price >= 0", name="prices"),
        Index("uq_vps_plans_provider_plan", "provider_id", "provider_plan_id", unique=True),
    )  # fmt: skip


class ProviderCache(Base):
    """What a cloud offered when it was last asked, by the documented key (R334–R337). Shared by all replicas."""

    __tablename__ = "provider_cache"

    key: Mapped[str] = mapped_column(String(200), primary_key=True)  # provider:{id}:plans|images|regions|marketplace|…
    provider_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("service_providers.id", ondelete="CASCADE"), index=True)
    value: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    fetched_at: Mapped[datetime]
    fresh_until: Mapped[datetime]  # afterwards it is better than nothing, and says so
    failed_at: Mapped[datetime | None]  # the newest failure since
    failure: Mapped[str] = mapped_column(Text, default="", server_default="")
    hits: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    misses: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    stale_hits: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))


class ServerAction(Base):
    """Something asked of one server (R015): written before it is sent, and how it ended."""

    __tablename__ = "server_actions"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    vps_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("vps_instances.id"))
    action: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20), default="requested")
    sent_at: Mapped[datetime | None]  # written before the call
    action_ref: Mapped[str | None] = mapped_column(String(200))  # the cloud's name of it
    error_code: Mapped[str | None] = mapped_column(String(60))
    error_message: Mapped[str | None] = mapped_column(Text)
    requested_by: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]  # its run is known to have been started
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("action in ('power_on','shutdown','power_off','reboot','power_cycle')", name="action"),
        CheckConstraint("state in ('requested','sent','done','failed')", name="state"),
        CheckConstraint("(state in ('done','failed')) = (ended_at is not null)", name="ended"),
        # A cloud does one thing at a time to a server.
        Index("uq_server_actions_running", "vps_id", unique=True, postgresql_where=text("ended_at is null")),
        Index("ix_server_actions_vps_created", "vps_id", "created_at"),
    )  # fmt: skip


class CallBudget(Base):
    """How many calls of a class an account may still make at its cloud, for all processes (domain/budgets.py).

    Times are the database's own, as the processes' clocks differ.
    """

    __tablename__ = "call_budgets"

    provider_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("service_providers.id", ondelete="CASCADE"), primary_key=True
    )
    calls: Mapped[str] = mapped_column(String(40), primary_key=True)  # class of calls, as the cloud counts them
    free_at: Mapped[datetime] = mapped_column(server_default=func.now())  # when all calls taken would have ended evenly
    blocked_until: Mapped[datetime | None]  # the cloud itself said so
    line_until: Mapped[datetime | None]  # when the last of those who were sent away was told to come again
    taken: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    deferred: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))  # sent away by us
    refused: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))  # 429s of the cloud
