"""Certificates, what is next for each of them, orders that are open at a CA, and what its limits have left."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, new_id


class Certificate(Base):
    """A certificate for a deployment's or a subscription's names (R164, R167). The chain is public; the key is on the
    server only (X18).

    A renewal makes a row of its own, whose `renews_id` is the old one; once the new one is seen from outside, the old
    one is superseded. What is next is planned by domain/renewal.py and written here whenever a fact changes.
    """

    __tablename__ = "certificates"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    deployment_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("instance_deployments.id"), index=True)
    subscription_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("subscriptions.id"), index=True)
    shared_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("shared_certificates.id"))  # it was uploaded
    names: Mapped[list[str]]
    serial: Mapped[str] = mapped_column(String(80))
    issuer: Mapped[str] = mapped_column(Text)
    not_before: Mapped[datetime]
    not_after: Mapped[datetime]
    chain_pem: Mapped[str] = mapped_column(Text)
    key_sha256: Mapped[str] = mapped_column(String(64))  # of the public key: reissue only for another key
    key_type: Mapped[str] = mapped_column(String(20), default="", server_default="")  # such as ec-secp256r1
    directory_url: Mapped[str] = mapped_column(Text)
    challenge: Mapped[str] = mapped_column(String(10), default="dns-01", server_default="dns-01")  # its renewal's too
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    # ---- what it is to its CA (RFC 9773)
    certificate_id: Mapped[str] = mapped_column(String(200), default="", server_default="")
    replaces: Mapped[str] = mapped_column(String(200), default="", server_default="")  # as the CA accepted it
    renews_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("certificates.id"), index=True)
    window_start: Mapped[datetime | None]
    window_end: Mapped[datetime | None]
    explanation_url: Mapped[str] = mapped_column(Text, default="", server_default="")
    next_poll: Mapped[datetime | None]
    revoked: Mapped[bool] = mapped_column(Boolean, default=False, server_default=text("false"))

    # ---- tries to renew it
    failures: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    failure_kind: Mapped[str | None] = mapped_column(String(20))
    failure_message: Mapped[str] = mapped_column(Text, default="", server_default="")
    failed_at: Mapped[datetime | None]
    limited_until: Mapped[datetime | None]
    rehearsals_failed: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    rehearsal_passed: Mapped[bool] = mapped_column(Boolean, default=False, server_default=text("false"))
    rehearsed_at: Mapped[datetime | None]

    # ---- what is next; None and empty where nothing is
    renew_after: Mapped[datetime | None]
    next_action: Mapped[str] = mapped_column(String(20), default="", server_default="")
    why: Mapped[str] = mapped_column(Text, default="", server_default="")
    urgent: Mapped[bool] = mapped_column(Boolean, default=False, server_default=text("false"))
    troubled_since: Mapped[datetime | None]  # urgent, or failed again and again: somebody should look
    superseded_at: Mapped[datetime | None]

    # ---- the last drill that it belongs to, and from when on that, or somebody, wants it replaced
    drill_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("certificate_drills.id"))
    replace_after: Mapped[datetime | None]
    replace_key: Mapped[bool] = mapped_column(Boolean, default=False, server_default=text("false"))
    awaits_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("shared_certificates.id"))  # is to take its place

    __table_args__ = (
        # One that was uploaded is served in several places, each a row of its own.
        Index("uq_certificates_issued", "serial", "issuer", unique=True, postgresql_where=text("shared_id is null")),
        Index("ix_certificates_shared", "shared_id", postgresql_where=text("shared_id is not null")),
        Index("ix_certificates_awaits", "awaits_id", postgresql_where=text("awaits_id is not null")),
        CheckConstraint("num_nonnulls(deployment_id, subscription_id) = 1", name="subject"),
        CheckConstraint("(failures = 0) = (failure_kind is null)", name="failure"),
        CheckConstraint("(window_start is null) = (window_end is null)", name="window"),
        CheckConstraint("superseded_at is null or renew_after is null", name="superseded"),
        CheckConstraint("(renew_after is null) = (next_action = '')", name="plan"),
        # The sweeps read from its beginning, so what is not due costs them nothing.
        Index("ix_certificates_due_polls", "renew_after", postgresql_where=text("next_action = 'poll'")),
        Index("ix_certificates_due_renewals", "renew_after",
              postgresql_where=text("next_action in ('renew','rehearse','second_ca','emergency')")),
        Index("ix_certificates_troubled", "troubled_since", postgresql_where=text("troubled_since is not null")),
        Index("ix_certificates_names", "names", postgresql_using="gin", postgresql_where=text("superseded_at is null")),
        Index("ix_certificates_drill", "drill_id", postgresql_where=text("drill_id is not null")),
        # What a drill has not come to; it reads from the beginning.
        Index("ix_certificates_drill_waiting", "drill_id", "not_after", "id",
              postgresql_where=text("drill_id is not null and replace_after is null and renew_after is not null")),
        Index("ix_certificates_living_end", "not_after", "id", postgresql_where=text("superseded_at is null")),
    )  # fmt: skip


class SharedCertificate(Base):
    """A certificate that was uploaded together with its private key (X18: its key is shared, and off by default).

    The key is encrypted with the key ring (`key_id`, `ciphertext`, bound to this row) and gone once it is withdrawn.
    Where it is served stands in `certificates`, a row for each place. The default one is what new sites of the house
    get whose names it covers.
    """

    __tablename__ = "shared_certificates"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    names: Mapped[list[str]]
    serial: Mapped[str] = mapped_column(String(80))
    issuer: Mapped[str] = mapped_column(Text)
    not_before: Mapped[datetime]
    not_after: Mapped[datetime]
    chain_pem: Mapped[str] = mapped_column(Text)
    key_sha256: Mapped[str] = mapped_column(String(64))  # of the public key
    key_type: Mapped[str] = mapped_column(String(20))
    key_id: Mapped[str] = mapped_column(String(50))
    ciphertext: Mapped[bytes | None]
    is_default: Mapped[bool] = mapped_column(Boolean, default=False, server_default=text("false"))
    uploaded_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    withdrawn_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("serial", "issuer"),
        CheckConstraint("(withdrawn_at is null) = (ciphertext is not null)", name="withdrawn"),
        CheckConstraint("not is_default or withdrawn_at is null", name="default"),
        Index("uq_shared_certificates_default", "is_default", unique=True, postgresql_where=text("is_default")),
        Index("ix_shared_certificates_created_at", "created_at"),
        Index("ix_shared_certificates_key_sha256", "key_sha256"),
    )


class CertificateDrill(Base):
    """Certificates of a CA or of a kind of key that are replaced, so many an hour (domain/drills.py). Which they are
    is settled when it begins; what became of each stands in its own row. One drill at a time."""

    __tablename__ = "certificate_drills"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    directory_url: Mapped[str] = mapped_column(Text)  # of the CA that issued them; empty: of any
    key_type: Mapped[str] = mapped_column(String(20))  # empty: any
    fresh_key: Mapped[bool]
    reason: Mapped[str] = mapped_column(Text)
    pace_per_hour: Mapped[int]
    state: Mapped[str] = mapped_column(String(10), default="running", server_default="running")
    total: Mapped[int]
    next_at: Mapped[datetime]  # when the next one may be made due
    why: Mapped[str] = mapped_column(Text, default="", server_default="")  # what holds it up, if anything
    requested_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]

    # ---- as counted at its end; a later drill may have taken over what it left
    replaced: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    under_way: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    gone: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))

    __table_args__ = (
        CheckConstraint("state in ('running','paused','stopped','done')", name="state"),
        CheckConstraint("(state in ('running','paused')) = (ended_at is null)", name="ended"),
        CheckConstraint("directory_url <> '' or key_type <> ''", name="subject"),
        CheckConstraint("pace_per_hour > 0", name="pace"),
        Index("uq_certificate_drills_unfinished", text("(ended_at is null)"), unique=True,
              postgresql_where=text("ended_at is null")),
        Index("ix_certificate_drills_created_at", "created_at"),
    )  # fmt: skip


class CertificateOrder(Base):
    """An order that is open at a CA: gone on with after a crash, because another one costs of its limits and, in a
    renewal, has no predecessor to name. One per holder and CA."""

    __tablename__ = "certificate_orders"

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)  # of a deployment or a subscription
    directory_url: Mapped[str] = mapped_column(Text, primary_key=True)
    url: Mapped[str] = mapped_column(Text)
    csr_pem: Mapped[str] = mapped_column(Text)  # public; the order is finished with this very one
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class CaBucket(Base):
    """One bucket of a CA's limits, in the short form of domain/ca_limits.py. Locked while something is taken."""

    __tablename__ = "ca_buckets"

    directory_url: Mapped[str] = mapped_column(Text, primary_key=True)
    limit: Mapped[str] = mapped_column(String(30), primary_key=True)
    subject: Mapped[str] = mapped_column(Text, primary_key=True)
    full_at: Mapped[datetime | None]  # when it would be full again if nothing more were taken
    refused_until: Mapped[datetime | None]  # as the CA itself said last
