"""The tables of what is delivered for a subscription: names, zones, sites, mailboxes, backups, and the servers that
hold them (R149, R155–R158, R160, R161). Statuses stand in domain/sales.py; rows of what is gone are kept."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, Boolean, CheckConstraint, ForeignKey, Index, Integer, String, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, new_id

_SERVICE_STATUSES = "status in ('PENDING','ACTIVE','SUSPENDED','REMOVED')"


class Server(Base):
    """A server of the house that many customers share (R149): it is registered, not ordered."""

    __tablename__ = "servers"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    hostname: Mapped[str] = mapped_column(String(253), unique=True)
    ip_address: Mapped[str] = mapped_column(String(50))
    type: Mapped[str] = mapped_column(String(20))
    status: Mapped[str] = mapped_column(String(20), default="PENDING", server_default="PENDING")
    ssh_port: Mapped[int] = mapped_column(Integer, default=22, server_default=text("22"))
    ssh_user: Mapped[str] = mapped_column(String(32), default="root", server_default="root")
    host_key: Mapped[str] = mapped_column(Text, default="", server_default="")  # public, pinned at registration
    set_up_version: Mapped[str | None] = mapped_column(String(40))
    max_accounts: Mapped[int] = mapped_column(Integer, default=500, server_default=text("500"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())

    __table_args__ = (
        CheckConstraint("type in ('web','mail','dns')", name="type"),
        # A draining server keeps what it has and gets nothing new.
        CheckConstraint("status in ('PENDING','ACTIVE','DRAINING','REMOVED')", name="status"),
        CheckConstraint("status <> 'ACTIVE' or type = 'dns' or host_key <> ''", name="pinned"),
        CheckConstraint("ssh_port between 1 and 65535", name="port"),
        CheckConstraint("max_accounts >= 0", name="places"),
    )


class Domain(Base):
    """A name that a subscription answers to (R155). PENDING claims nothing: two orders may ask for one name, and the
    second one's run stops with a name for it, because only one row can be RESERVED or more."""

    __tablename__ = "domains"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    organization_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("organizations.id"), index=True)
    subscription_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("subscriptions.id"), index=True)
    name: Mapped[str] = mapped_column(String(253))
    status: Mapped[str] = mapped_column(String(20), default="PENDING", server_default="PENDING")
    # Of the registration, where we know it. Names are registered elsewhere.
    expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())

    __table_args__ = (
        CheckConstraint("status in ('PENDING','RESERVED','ACTIVE','SUSPENDED','REMOVED')", name="status"),
        CheckConstraint("name = lower(name)", name="lower"),
        Index("uq_domains_claimed", "name", unique=True,
              postgresql_where=text("status in ('RESERVED','ACTIVE','SUSPENDED')")),
    )  # fmt: skip


class DnsZone(Base):
    """A zone at our name servers (R156). `subscription_id` marks it as ours there; None: made by hand in the office."""

    __tablename__ = "dns_zones"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    zone_name: Mapped[str] = mapped_column(String(253))
    server_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("servers.id"))  # None: the configured name server
    organization_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("organizations.id"), index=True)
    subscription_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("subscriptions.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20), default="Native", server_default="Native")
    status: Mapped[str] = mapped_column(String(20), default="PENDING", server_default="PENDING")
    serial: Mapped[int | None] = mapped_column(BigInteger)
    last_export: Mapped[str | None] = mapped_column(Text)  # the zone file, kept when the zone is taken away
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())

    __table_args__ = (
        CheckConstraint(_SERVICE_STATUSES, name="status"),
        CheckConstraint("kind in ('Native','Primary')", name="kind"),
        CheckConstraint("zone_name = lower(zone_name)", name="lower"),
        Index("uq_dns_zones_living", "zone_name", unique=True, postgresql_where=text("status <> 'REMOVED'")),
    )


class DnsRecord(Base):
    """A record as it was asked for (R157). The name server's own answer is what counts; this is what it should be."""

    __tablename__ = "dns_records"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    zone_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("dns_zones.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(253))  # the full name, without the last dot
    type: Mapped[str] = mapped_column(String(10))
    content: Mapped[str] = mapped_column(Text)
    ttl: Mapped[int] = mapped_column(Integer)
    managed: Mapped[bool] = mapped_column(Boolean, default=False, server_default=text("false"))  # by a run of ours
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())

    __table_args__ = (
        CheckConstraint("ttl between 1 and 604800", name="ttl"),
        Index("uq_dns_records_value", "zone_id", "name", "type", func.md5(text("content")), unique=True),
    )


class HostingAccount(Base):
    """A site on a shared server (R158): its system user, its home and what it may use."""

    __tablename__ = "hosting_accounts"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    subscription_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("subscriptions.id"))
    server_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("servers.id"), index=True)
    system_user: Mapped[str] = mapped_column(String(32))
    home_dir: Mapped[str] = mapped_column(String(200))
    fqdn: Mapped[str] = mapped_column(String(253))
    runtime: Mapped[str] = mapped_column(String(10), default="php", server_default="php")
    quota_mb: Mapped[int] = mapped_column(Integer)
    status: Mapped[str] = mapped_column(String(20), default="PENDING", server_default="PENDING")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())

    __table_args__ = (
        CheckConstraint(_SERVICE_STATUSES, name="status"),
        CheckConstraint("runtime in ('static','php')", name="runtime"),
        CheckConstraint("quota_mb > 0", name="quota"),
        Index("uq_hosting_accounts_user", "server_id", "system_user", unique=True),
        Index("uq_hosting_accounts_living", "subscription_id", unique=True,
              postgresql_where=text("status <> 'REMOVED'")),
        Index("uq_hosting_accounts_fqdn", "fqdn", unique=True, postgresql_where=text("status <> 'REMOVED'")),
    )  # fmt: skip


class MailAccount(Base):
    """A mailbox (R160, R242). `server_id` None: kept by the record-only adapter."""

    __tablename__ = "mail_accounts"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    subscription_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("subscriptions.id"), index=True)
    server_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("servers.id"), index=True)
    email: Mapped[str] = mapped_column(String(320))
    quota_mb: Mapped[int] = mapped_column(Integer)
    status: Mapped[str] = mapped_column(String(20), default="PENDING", server_default="PENDING")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())

    __table_args__ = (
        CheckConstraint(_SERVICE_STATUSES, name="status"),
        CheckConstraint("email = lower(email)", name="lower"),
        CheckConstraint("quota_mb > 0", name="quota"),
        Index("uq_mail_accounts_living", "email", unique=True, postgresql_where=text("status <> 'REMOVED'")),
    )


class BackupJob(Base):
    """A backup of what a subscription holds (R161); the last one before an end is kept longest."""

    __tablename__ = "backup_jobs"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    subscription_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("subscriptions.id"), index=True)
    hosting_account_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("hosting_accounts.id"))
    mail_account_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("mail_accounts.id"))
    dns_zone_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("dns_zones.id"))
    job_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("jobs.id"), index=True)  # the run that made it
    content: Mapped[str | None] = mapped_column(Text)  # of a zone, whose text is small; archives lie on servers
    status: Mapped[str] = mapped_column(String(20), default="PENDING", server_default="PENDING")
    reason: Mapped[str] = mapped_column(String(20))
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64))
    s3_key: Mapped[str | None] = mapped_column(Text)  # where it lies, as scheme:path
    keep_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("status in ('PENDING','SUCCESS','FAILED','EXPIRED')", name="status"),
        CheckConstraint("reason in ('last','manual')", name="reason"),
        CheckConstraint("status <> 'SUCCESS' or (size_bytes is not null and sha256 is not null "
                        "and s3_key is not null)", name="whole"),
        Index("ix_backup_jobs_over", "keep_until", postgresql_where=text("status = 'SUCCESS'")),
    )  # fmt: skip
