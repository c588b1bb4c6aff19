"""The tables of mail that goes out, and of the links in it that work once."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, new_id


class OneTimeLink(Base):
    """A link somebody was sent, by the hash of its token. It works once, and only until it expires."""

    __tablename__ = "one_time_links"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    purpose: Mapped[str] = mapped_column(String(30))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (CheckConstraint("purpose in ('password-reset','invitation')", name="purpose"),)


class Registration(Base):
    """Somebody who asked for an account (R105). There is none until the link is followed with the password that was
    chosen: until then the address may be anybody's. Kept afterwards, as the proof of whose address it is."""

    __tablename__ = "registrations"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    email: Mapped[str] = mapped_column(String(320))
    name: Mapped[str] = mapped_column(String(200))
    password_hash: Mapped[str] = mapped_column(Text)  # empty once it is the user's
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[datetime]
    user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    confirmed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint("(user_id is null) = (confirmed_at is null)", name="confirmed"),
        CheckConstraint("(password_hash = '') = (confirmed_at is not null)", name="password"),
        Index("uq_registrations_waiting", func.lower(text("email")), unique=True,
              postgresql_where=text("confirmed_at is null")),
        Index("ix_registrations_over", "expires_at", postgresql_where=text("confirmed_at is null")),
    )  # fmt: skip


class OutgoingMail(Base):
    """A mail to be sent once. What is secret in it (a link's token) is an encrypted row that goes when it was sent."""

    __tablename__ = "outgoing_mails"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    recipient: Mapped[str] = mapped_column(String(320))
    template: Mapped[str] = mapped_column(String(60))
    values: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))  # nothing secret
    state: Mapped[str] = mapped_column(String(20), default="waiting", server_default="waiting")
    attempts: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    last_error: Mapped[str] = mapped_column(Text, default="", server_default="")
    started_at: Mapped[datetime | None]  # its run is known to have been started
    sent_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint("state in ('waiting','sent','failed')", name="state"),
        CheckConstraint("(state = 'sent') = (sent_at is not null)", name="sent"),
        Index("ix_outgoing_mails_recipient", func.lower(text("recipient")), "created_at"),
        Index("ix_outgoing_mails_unstarted", "created_at", postgresql_where=text("started_at is null")),
    )
