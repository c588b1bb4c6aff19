"""The table of changes of zones: what was asked of the name servers, in order, and how each ended (R156, R157)."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, new_id


class DnsChange(Base):
    """One change of a zone. What is wanted stands in dns_zones and dns_records; this says that somebody must carry it
    to the name servers, and what came of it. Changes of a zone are done in the order of their numbers."""

    __tablename__ = "dns_changes"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    zone_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("dns_zones.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(Integer)  # within its zone, from 1
    kind: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(String(253), default="", server_default="")  # of the set
    type: Mapped[str] = mapped_column(String(10), default="", server_default="")
    state: Mapped[str] = mapped_column(String(10), default="waiting", server_default="waiting")
    trouble: Mapped[str] = mapped_column(String(40), default="", server_default="")
    message: Mapped[str] = mapped_column(Text, default="", server_default="")  # evidence, or why it failed
    requested_by: Mapped[str] = mapped_column(String(200), default="", server_default="")
    started_at: Mapped[datetime | None]  # its zone's run is known to have been told
    ended_at: Mapped[datetime | None]
    # Of one that failed: somebody has seen to it otherwise, and it stands in no list of what needs somebody.
    settled_by: Mapped[str] = mapped_column(String(200), default="", server_default="")
    settled_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint("kind in ('zone','set','end')", name="kind"),
        CheckConstraint("state in ('waiting','published','failed')", name="state"),
        CheckConstraint("(kind = 'set') = (name <> '' and type <> '')", name="subject"),
        CheckConstraint("(state = 'waiting') = (ended_at is null)", name="ended"),
        CheckConstraint("settled_at is null or state = 'failed'", name="settled"),
        CheckConstraint("(settled_at is null) = (settled_by = '')", name="settled_by"),
        Index("uq_dns_changes_number", "zone_id", "number", unique=True),
        Index("ix_dns_changes_set", "zone_id", "name", "type", "number"),
        Index(
            "ix_dns_changes_unstarted", "created_at", postgresql_where=text("started_at is null and state = 'waiting'")
        ),
        Index(
            "ix_dns_changes_open",
            "created_at",
            postgresql_where=text("state = 'waiting' or (state = 'failed' and settled_at is null)"),
        ),
    )
