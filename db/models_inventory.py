"""The tables of the inventory: every server that a cloud has listed, and every sweep that looked.

A table of its own file because `models.py` holds what customers have; this holds what clouds say.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Index, Integer, String, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, new_id


class CloudResource(Base):
    """A server at a cloud: what our rows say of it, since when, and what was decided. `gone` rows are history."""

    __tablename__ = "cloud_resources"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    provider: Mapped[str] = mapped_column(String(50))
    provider_ref: Mapped[str] = mapped_column(String(200))
    correlation: Mapped[str | None] = mapped_column(String(255))  # the token it carries or carried
    label: Mapped[str] = mapped_column(String(255), default="")
    product: Mapped[str] = mapped_column(String(100), default="")
    status: Mapped[str] = mapped_column(String(50), default="")  # the cloud's own word
    address: Mapped[str | None] = mapped_column(String(50))
    state: Mapped[str] = mapped_column(String(20))
    verdict: Mapped[str] = mapped_column(String(20))
    vps_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("vps_instances.id"), index=True)
    sightings: Mapped[int] = mapped_column(Integer, default=0)
    sweep_id: Mapped[uuid.UUID | None]  # the sweep that counted last
    first_seen: Mapped[datetime] = mapped_column(server_default=func.now())
    last_seen: Mapped[datetime | None]
    unexplained_since: Mapped[datetime | None]
    quarantined_at: Mapped[datetime | None]
    delete_after: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]  # the cloud was asked to delete it
    quarantine_tried_at: Mapped[datetime | None]  # written before the call, for the cap
    price_cents_month: Mapped[int | None] = mapped_column(Integer)
    currency: Mapped[str] = mapped_column(String(3), default="EUR")
    decided_by: Mapped[str] = mapped_column(String(200), default="")
    decided_at: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(Text, default="")
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())

    __table_args__ = (
        CheckConstraint("state in ('explained','unexplained','quarantined','adopted','released','missing','gone')",
                        name="state"),
        CheckConstraint("verdict in ('explained','surplus','leftover','unproven','unknown_order','foreign')",
                        name="verdict"),
        CheckConstraint("sightings >= 0", name="sightings"),
        CheckConstraint("price_cents_month >= 0", name="price"),
        CheckConstraint("state <> 'quarantined' or quarantined_at is not null", name="quarantined"),
        CheckConstraint("state not in ('adopted','released') or decided_at is not null", name="decided"),
        # Only a quarantine ends in a deletion by itself.
        CheckConstraint("delete_after is null or state = 'quarantined'", name="delete_after"),
        # A cloud may give a name again once its first bearer is gone.
        Index("uq_cloud_resources_living", "provider", "provider_ref", unique=True,
              postgresql_where=text("state <> 'gone'")),
        Index("ix_cloud_resources_state", "state"),
    )  # fmt: skip


class InventorySweep(Base):
    """One look at a cloud, whatever came of it. At most one of a cloud is under way: the one without an end."""

    __tablename__ = "inventory_sweeps"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    provider: Mapped[str] = mapped_column(String(50))
    requested_by: Mapped[str] = mapped_column(String(200), default="")
    vouched: Mapped[bool] = mapped_column(Boolean, default=False)
    began_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str] = mapped_column(String(20), default="running")
    complete: Mapped[bool] = mapped_column(Boolean, default=False)  # the list was, and was written down
    reason: Mapped[str] = mapped_column(Text, default="")
    listed: Mapped[int | None] = mapped_column(Integer)
    unexplained: Mapped[int] = mapped_column(Integer, default=0)
    quarantined: Mapped[int] = mapped_column(Integer, default=0)
    deleted: Mapped[int] = mapped_column(Integer, default=0)

    __table_args__ = (
        CheckConstraint("outcome in ('running','complete','held','refused','skipped','abandoned')", name="outcome"),
        CheckConstraint("(outcome = 'running') = (ended_at is null)", name="ended"),
        CheckConstraint("not complete or outcome in ('running','complete','held','abandoned')", name="complete"),
        CheckConstraint("outcome not in ('held','refused','skipped') or reason <> ''", name="reason"),
        Index("uq_inventory_sweeps_running", "provider", unique=True, postgresql_where=text("ended_at is null")),
        Index("ix_inventory_sweeps_provider_began_at", "provider", "began_at"),
    )  # fmt: skip
