"""The tables. Names follow the source documents where they name one (R135–R138); units stand in column names.

Ids are UUIDv7 made here, so they sort by time; timestamps are timestamptz (X30, X32).
"""

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
    Integer,
    LargeBinary,
    Numeric,
    String,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

# Tables refer to each other across files: whoever has one of them must have all.
from db import models_certificates as models_certificates
from db import models_clouds as models_clouds
from db import models_dns as models_dns
from db import models_hosting as models_hosting
from db import models_inventory as models_inventory
from db import models_jobs as models_jobs
from db import models_mail as models_mail
from db import models_sales as models_sales
from db import models_shop as models_shop
from db.base import Base, new_id


def _id() -> Mapped[uuid.UUID]:
    return mapped_column(primary_key=True, default=new_id)


def _now() -> Mapped[datetime]:
    return mapped_column(server_default=func.now())


class Organization(Base):
    """A client of the hosting company (X07)."""

    __tablename__ = "organizations"

    id: Mapped[uuid.UUID] = _id()
    name: Mapped[str] = mapped_column(String(200))
    slug: Mapped[str] = mapped_column(String(63), unique=True)
    tenant_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("tenants.id"), index=True)  # None: the house's own
    created_at: Mapped[datetime] = _now()


class User(Base):
    """Somebody who may sign in to the portal. An instance's first application admin is not one of these."""

    __tablename__ = "users"

    id: Mapped[uuid.UUID] = _id()
    username: Mapped[str] = mapped_column(String(100), unique=True)
    email: Mapped[str] = mapped_column(String(320), unique=True)
    name: Mapped[str] = mapped_column(String(200), default="")
    password_hash: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(String(20))
    organization_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("organizations.id"))
    must_change_password: Mapped[bool] = mapped_column(Boolean, default=False)
    is_active: Mapped[bool] = mapped_column(Boolean, default=True)
    created_at: Mapped[datetime] = _now()

    __table_args__ = (
        CheckConstraint("role in ('ADMINISTRATOR','OPERATOR','BILLING','SUPPORT','USER')", name="role"),
        # Who signs in may write either as they like.
        Index("uq_users_lower_email", func.lower(text("email")), unique=True),
        Index("uq_users_lower_username", func.lower(text("username")), unique=True),
    )


class RefreshToken(Base):
    """One issued refresh token, by hash. A family is revoked together when a spent one comes back (X05)."""

    __tablename__ = "refresh_tokens"

    id: Mapped[uuid.UUID] = _id()
    family_id: Mapped[uuid.UUID] = mapped_column(index=True)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[datetime]
    spent_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = _now()


class Secret(Base):
    """An encrypted value; everything else refers to it by id. AES-GCM, bound to the row by its id."""

    __tablename__ = "secrets"

    id: Mapped[uuid.UUID] = _id()
    purpose: Mapped[str] = mapped_column(String(60))
    key_id: Mapped[str] = mapped_column(String(40))
    ciphertext: Mapped[bytes | None] = mapped_column(LargeBinary)  # emptied when destroyed
    deployment_id: Mapped[uuid.UUID | None] = mapped_column(index=True)
    vps_id: Mapped[uuid.UUID | None] = mapped_column(index=True)
    expires_at: Mapped[datetime | None]
    revealed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = _now()

    __table_args__ = (
        # Generated once per deployment or server and purpose (X39): a second writer finds the first one's row.
        Index("uq_secrets_deployment_purpose", "deployment_id", "purpose", unique=True,
              postgresql_where=text("deployment_id is not null")),
        Index("uq_secrets_vps_purpose", "vps_id", "purpose", unique=True,
              postgresql_where=text("vps_id is not null")),
        Index("uq_secrets_global_purpose", "purpose", unique=True,
              postgresql_where=text("deployment_id is null and vps_id is null")),
    )  # fmt: skip


class VpsInstance(Base):
    """A server at a cloud (R136, X09, X10): our label, the cloud's name, lifecycle and power apart."""

    __tablename__ = "vps_instances"

    id: Mapped[uuid.UUID] = _id()
    vps_name: Mapped[str] = mapped_column(String(100), unique=True)
    vps_ip: Mapped[str | None] = mapped_column(String(50))
    vps_hostname: Mapped[str | None] = mapped_column(String(255))
    location: Mapped[str | None] = mapped_column(String(100))
    product_name: Mapped[str | None] = mapped_column(String(100))
    specs: Mapped[dict[str, Any]] = mapped_column(default=dict)  # cpu, ram_mb, disk_gb
    lifecycle: Mapped[str] = mapped_column(String(20), default="pending")
    power_state: Mapped[str] = mapped_column(String(20), default="unknown")
    is_shared: Mapped[bool] = mapped_column(Boolean, default=False)
    current_organizations: Mapped[int] = mapped_column(Integer, default=0)
    max_organizations: Mapped[int] = mapped_column(Integer, default=1)
    provider_type: Mapped[str] = mapped_column(String(50))
    # Not "on delete set null" (R140): without the account nobody could delete the server (X13).
    provider_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("service_providers.id"))
    provider_instance_id: Mapped[str | None] = mapped_column(String(200))
    label: Mapped[str] = mapped_column(String(100), default="", server_default="")  # the customer's name for it
    image: Mapped[str | None] = mapped_column(String(200))
    ipv6_address: Mapped[str | None] = mapped_column(String(50))
    hourly_rate: Mapped[Decimal | None] = mapped_column(Numeric(12, 5))
    options: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))  # ServerOptions
    seen_at: Mapped[datetime | None]  # the cloud was last asked about it
    host_key: Mapped[str | None] = mapped_column(Text)  # public ed25519 host key, pinned before birth
    set_up_version: Mapped[str | None] = mapped_column(String(40))  # of step 1, once done
    price_cents_month: Mapped[int | None] = mapped_column(Integer)
    currency: Mapped[str] = mapped_column(String(3), default="EUR")
    billed_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = _now()
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())

    __table_args__ = (
        CheckConstraint("lifecycle in ('pending','provisioning','active','terminating','terminated','failed')",
                        name="lifecycle"),
        CheckConstraint("power_state in ('running','stopped','unknown')", name="power_state"),
        CheckConstraint("current_organizations >= 0 and current_organizations <= max_organizations", name="places"),
        Index("idx_vps_instances_provider_type", "provider_type"),
        Index("idx_vps_instances_provider_id", "provider_id"),
        Index("uq_vps_instances_provider_ref", "provider_type", "provider_instance_id", unique=True,
              postgresql_where=text("provider_instance_id is not null")),
    )  # fmt: skip


class ServerIntent(Base):
    """A paid order at a cloud, written before the call. One per server; `correlation` finds it there again."""

    __tablename__ = "server_intents"

    id: Mapped[uuid.UUID] = _id()
    vps_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("vps_instances.id"), unique=True)
    deployment_id: Mapped[uuid.UUID] = mapped_column(index=True)
    provider: Mapped[str] = mapped_column(String(50))
    correlation: Mapped[str] = mapped_column(String(32), unique=True)
    state: Mapped[str] = mapped_column(String(20), default="intended")
    sent_at: Mapped[datetime | None]
    sends: Mapped[int] = mapped_column(Integer, default=0)
    action_ref: Mapped[str | None] = mapped_column(String(200))  # the cloud's name of the order's process
    provider_ref: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime] = _now()
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())

    __table_args__ = (CheckConstraint("state in ('intended','sent','adopted','released')", name="state"),)


class Deployment(Base):
    """One instance of an application for an organization (R135, X11). Written by the API once, then by its run."""

    __tablename__ = "instance_deployments"

    id: Mapped[uuid.UUID] = _id()
    organization_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("organizations.id"), index=True)
    deployment_type: Mapped[str] = mapped_column(String(20))
    tier: Mapped[str] = mapped_column(String(50))
    slug: Mapped[str] = mapped_column(String(63))
    assigned_subdomain: Mapped[str] = mapped_column(String(255))  # the full name, e.g. acme.recruitiq.nl
    status: Mapped[str] = mapped_column(String(50), default="provisioning")
    phase: Mapped[str] = mapped_column(String(20), default="running")
    attention: Mapped[str] = mapped_column(String(30), default="none")
    status_message: Mapped[str | None] = mapped_column(Text)
    error_code: Mapped[str | None] = mapped_column(String(60))
    error_message: Mapped[str | None] = mapped_column(Text)
    access_url: Mapped[str | None] = mapped_column(Text)
    vps_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("vps_instances.id"), index=True)
    requested_vps_id: Mapped[uuid.UUID | None]
    inputs: Mapped[dict[str, Any]] = mapped_column(default=dict)  # RunInputs as ordered
    admin_email: Mapped[str] = mapped_column(String(320))
    admin_name: Mapped[str] = mapped_column(String(200))
    parked: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)  # Parked values, for the operators' list
    absence: Mapped[dict[str, Any] | None]  # AbsenceReport after rollback or termination
    price_cents_month: Mapped[int | None] = mapped_column(Integer)
    currency: Mapped[str] = mapped_column(String(3), default="EUR")
    run_id: Mapped[str | None] = mapped_column(String(100))  # newest Temporal run that wrote this row
    task: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))  # newest task of that run
    seq: Mapped[int] = mapped_column(BigInteger, default=0)  # newest journal seq of that run
    position: Mapped[int] = mapped_column(BigInteger, default=0)  # newest place in the event stream
    requested_by: Mapped[str] = mapped_column(String(200), default="")
    started_at: Mapped[datetime | None]  # the workflow is known to have been started
    activated_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = _now()
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())

    __table_args__ = (
        CheckConstraint("deployment_type in ('shared','dedicated','server')", name="deployment_type"),
        CheckConstraint("tier in ('starter','professional','enterprise')", name="tier"),
        CheckConstraint("status in ('provisioning','vps_ready','deploying','active','failed')", name="status"),
        # A slug is taken while its deployment lives; after rollback or termination it is free again.
        Index("uq_instance_deployments_slug_live", "slug", unique=True, postgresql_where=text("ended_at is null")),
        Index("ix_instance_deployments_unstarted", "created_at", postgresql_where=text("started_at is null")),
        Index("ix_instance_deployments_created_at_id", "created_at", "id"),
    )  # fmt: skip


class Placement(Base):
    """A place on a server. The unique pair is what makes two orders never share one place."""

    __tablename__ = "placements"

    id: Mapped[uuid.UUID] = _id()
    vps_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("vps_instances.id"))
    deployment_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("instance_deployments.id"), unique=True)
    place: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = _now()

    __table_args__ = (UniqueConstraint("vps_id", "place"),)


class DeploymentEvent(Base):
    """The story of a deployment: step events (from workflows) and log lines (from activities) in one stream.

    `position` is given out under the deployment's row lock, so it is ordered by commit: a reader that has seen n has
    seen everything up to n, which is what Last-Event-ID needs.
    """

    __tablename__ = "deployment_events"

    deployment_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("instance_deployments.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    kind: Mapped[str] = mapped_column(String(10))  # step | log
    family: Mapped[str] = mapped_column(String(20), default="provisioning")
    run_id: Mapped[str] = mapped_column(String(100))
    seq: Mapped[int | None] = mapped_column(BigInteger)  # step events
    task: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))  # step events: who noted it
    activity_id: Mapped[str | None] = mapped_column(String(200))  # log lines
    attempt: Mapped[int | None] = mapped_column(Integer)
    line_no: Mapped[int | None] = mapped_column(Integer)
    step: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(20), default="")  # step events: StepState; log lines: stream
    message: Mapped[str] = mapped_column(Text)
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint("kind in ('step','log')", name="kind"),
        Index("uq_deployment_events_step", "run_id", "seq", unique=True, postgresql_where=text("kind = 'step'")),
        Index("uq_deployment_events_log", "run_id", "activity_id", "attempt", "line_no", unique=True,
              postgresql_where=text("kind = 'log'")),
    )  # fmt: skip


class IdempotencyKey(Base):
    """A creating POST that was answered (X36): same key and body, same answer; same key, other body, 409."""

    __tablename__ = "idempotency_keys"

    principal: Mapped[str] = mapped_column(String(200), primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    route: Mapped[str] = mapped_column(String(100))
    request_hash: Mapped[str] = mapped_column(String(64))
    status_code: Mapped[int] = mapped_column(Integer)
    response: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = _now()


class AuditEntry(Base):
    """Who did what to which thing. Every mutation leaves one; details never hold secrets."""

    __tablename__ = "audit_log"

    id: Mapped[uuid.UUID] = _id()
    at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    actor: Mapped[str] = mapped_column(String(200), index=True)
    role: Mapped[str] = mapped_column(String(20), default="")
    action: Mapped[str] = mapped_column(String(100), index=True)
    target_type: Mapped[str] = mapped_column(String(40))
    target_id: Mapped[str] = mapped_column(String(200), index=True)
    outcome: Mapped[str] = mapped_column(String(20), default="ok")
    request_id: Mapped[str] = mapped_column(String(64), default="")
    ip: Mapped[str] = mapped_column(String(64), default="")
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
