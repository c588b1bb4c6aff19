"""The table of jobs (R162, X22): each row is the projection of one run, written by that run's journal. And the keys of
machines that may ask for some (X06)."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, String, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, new_id


class Job(Base):
    """One piece of work for a subscription or a server. PENDING until its run has said something."""

    __tablename__ = "jobs"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    type: Mapped[str] = mapped_column(String(30))
    status: Mapped[str] = mapped_column(String(20), default="PENDING", server_default="PENDING")
    attempts: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))  # begun steps, retries counted
    payload: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))  # never a secret
    parent_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("jobs.id"), index=True)
    subscription_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("subscriptions.id"), index=True)
    server_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("servers.id"), index=True)
    workflow_id: Mapped[str] = mapped_column(String(200), unique=True)
    phase: Mapped[str] = mapped_column(String(20), default="running", server_default="running")
    attention: Mapped[str] = mapped_column(String(30), default="none", server_default="none")
    status_message: Mapped[str | None] = mapped_column(Text)
    error_code: Mapped[str | None] = mapped_column(String(60))
    error_message: Mapped[str | None] = mapped_column(Text)
    parked: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list, server_default=text("'[]'"))
    absence: Mapped[dict[str, Any] | None]
    run_id: Mapped[str | None] = mapped_column(String(100))
    task: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    seq: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    position: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    requested_by: Mapped[str] = mapped_column(String(200), default="", server_default="")
    started_at: Mapped[datetime | None]  # its run is known to have been started
    ended_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())

    __table_args__ = (
        CheckConstraint(
            "type in ('FULFIL_ORDER','PROVISION_DNS','PROVISION_HOSTING','PROVISION_MAIL','SUSPEND','RESUME',"
            "'CHANGE_LIMITS','TERMINATE','REFUND','CANCEL','KEEP','DISCARD_BACKUPS','MAILBOX_PASSWORD','SFTP_KEYS',"
            "'SFTP_PASSWORD','SET_UP_SERVER')", name="type"),
        CheckConstraint("status in ('PENDING','RUNNING','WAITING','SUCCESS','FAILED','CANCELLED')", name="status"),
        CheckConstraint("num_nonnulls(subscription_id, server_id) = 1", name="subject"),
        # One thing at a time is done to a subscription; the parts of an order are their parent's.
        Index("uq_jobs_subscription_living", "subscription_id", unique=True,
              postgresql_where=text("parent_id is null and ended_at is null and subscription_id is not null")),
        Index("uq_jobs_server_living", "server_id", unique=True,
              postgresql_where=text("ended_at is null and server_id is not null")),
        Index("ix_jobs_unstarted", "created_at", postgresql_where=text("started_at is null and parent_id is null")),
        Index("ix_jobs_waiting", "created_at", postgresql_where=text("attention <> 'none'")),
        Index("ix_jobs_created_at_id", "created_at", "id"),
    )  # fmt: skip


class JobEvent(Base):
    """The story of a job, in the shape of deployment_events."""

    __tablename__ = "job_events"

    job_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    kind: Mapped[str] = mapped_column(String(10))  # step | log
    family: Mapped[str] = mapped_column(String(20))
    run_id: Mapped[str] = mapped_column(String(100))
    seq: Mapped[int | None] = mapped_column(BigInteger)
    task: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    activity_id: Mapped[str | None] = mapped_column(String(200))
    attempt: Mapped[int | None] = mapped_column(Integer)
    line_no: Mapped[int | None] = mapped_column(Integer)
    step: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(20), default="")
    message: Mapped[str] = mapped_column(Text)
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint("kind in ('step','log')", name="kind"),
        Index("uq_job_events_step", "run_id", "seq", unique=True, postgresql_where=text("kind = 'step'")),
        Index("uq_job_events_log", "run_id", "activity_id", "attempt", "line_no", unique=True,
              postgresql_where=text("kind = 'log'")),
    )  # fmt: skip


class ApiKey(Base):
    """A machine that may call the API (X06), by the hash of its key. What it may do stands in its scopes."""

    __tablename__ = "api_keys"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(20))
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    hint: Mapped[str] = mapped_column(String(12))  # its first characters, to tell keys apart
    scopes: Mapped[list[str]]
    tenant_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("tenants.id"))
    created_by: Mapped[str] = mapped_column(String(200), default="", server_default="")
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (CheckConstraint("kind in ('webhook','node','portal')", name="kind"),)
