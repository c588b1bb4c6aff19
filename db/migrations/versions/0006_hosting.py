"""hosting: servers, names, zones, sites, mailboxes, backups, and the jobs that make them"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "servers",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("hostname", sa.String(length=253), nullable=False),
        sa.Column("ip_address", sa.String(length=50), nullable=False),
        sa.Column("type", sa.String(length=20), nullable=False),
        sa.Column("status", sa.String(length=20), server_default="PENDING", nullable=False),
        sa.Column("ssh_port", sa.Integer(), server_default=sa.text("22"), nullable=False),
        sa.Column("ssh_user", sa.String(length=32), server_default="root", nullable=False),
        sa.Column("host_key", sa.Text(), server_default="", nullable=False),
        sa.Column("set_up_version", sa.String(length=40), nullable=True),
        sa.Column("max_accounts", sa.Integer(), server_default=sa.text("500"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("status <> 'ACTIVE' or type = 'dns' or host_key <> ''", name=op.f("ck_servers_pinned")),
        sa.CheckConstraint("status in ('PENDING','ACTIVE','DRAINING','REMOVED')", name=op.f("ck_servers_status")),
        sa.CheckConstraint("type in ('web','mail','dns')", name=op.f("ck_servers_type")),
        sa.CheckConstraint("max_accounts >= 0", name=op.f("ck_servers_places")),
        sa.CheckConstraint("ssh_port between 1 and 65535", name=op.f("ck_servers_port")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_servers")),
        sa.UniqueConstraint("hostname", name=op.f("uq_servers_hostname")),
    )
    op.create_table(
        "dns_zones",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("zone_name", sa.String(length=253), nullable=False),
        sa.Column("server_id", sa.UUID(), nullable=True),
        sa.Column("organization_id", sa.UUID(), nullable=True),
        sa.Column("subscription_id", sa.UUID(), nullable=True),
        sa.Column("kind", sa.String(length=20), server_default="Native", nullable=False),
        sa.Column("status", sa.String(length=20), server_default="PENDING", nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind in ('Native','Primary')", name=op.f("ck_dns_zones_kind")),
        sa.CheckConstraint("status in ('PENDING','ACTIVE','SUSPENDED','REMOVED')", name=op.f("ck_dns_zones_status")),
        sa.CheckConstraint("zone_name = lower(zone_name)", name=op.f("ck_dns_zones_lower")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_dns_zones_organization_id_organizations")
        ),
        sa.ForeignKeyConstraint(["server_id"], ["servers.id"], name=op.f("fk_dns_zones_server_id_servers")),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscriptions.id"], name=op.f("fk_dns_zones_subscription_id_subscriptions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dns_zones")),
    )
    op.create_index(op.f("ix_dns_zones_organization_id"), "dns_zones", ["organization_id"], unique=False)
    op.create_index(op.f("ix_dns_zones_subscription_id"), "dns_zones", ["subscription_id"], unique=False)
    op.create_index(
        "uq_dns_zones_living", "dns_zones", ["zone_name"], unique=True, postgresql_where=sa.text("status <> 'REMOVED'")
    )
    op.create_table(
        "domains",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("organization_id", sa.UUID(), nullable=False),
        sa.Column("subscription_id", sa.UUID(), nullable=True),
        sa.Column("name", sa.String(length=253), nullable=False),
        sa.Column("status", sa.String(length=20), server_default="PENDING", nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "status in ('PENDING','RESERVED','ACTIVE','SUSPENDED','REMOVED')", name=op.f("ck_domains_status")
        ),
        sa.CheckConstraint("name = lower(name)", name=op.f("ck_domains_lower")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_domains_organization_id_organizations")
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscriptions.id"], name=op.f("fk_domains_subscription_id_subscriptions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_domains")),
    )
    op.create_index(op.f("ix_domains_organization_id"), "domains", ["organization_id"], unique=False)
    op.create_index(op.f("ix_domains_subscription_id"), "domains", ["subscription_id"], unique=False)
    op.create_index(
        "uq_domains_claimed",
        "domains",
        ["name"],
        unique=True,
        postgresql_where=sa.text("status in ('RESERVED','ACTIVE','SUSPENDED')"),
    )
    op.create_table(
        "hosting_accounts",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("subscription_id", sa.UUID(), nullable=False),
        sa.Column("server_id", sa.UUID(), nullable=False),
        sa.Column("system_user", sa.String(length=32), nullable=False),
        sa.Column("home_dir", sa.String(length=200), nullable=False),
        sa.Column("fqdn", sa.String(length=253), nullable=False),
        sa.Column("runtime", sa.String(length=10), server_default="php", nullable=False),
        sa.Column("quota_mb", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=20), server_default="PENDING", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("runtime in ('static','php')", name=op.f("ck_hosting_accounts_runtime")),
        sa.CheckConstraint(
            "status in ('PENDING','ACTIVE','SUSPENDED','REMOVED')", name=op.f("ck_hosting_accounts_status")
        ),
        sa.CheckConstraint("quota_mb > 0", name=op.f("ck_hosting_accounts_quota")),
        sa.ForeignKeyConstraint(["server_id"], ["servers.id"], name=op.f("fk_hosting_accounts_server_id_servers")),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscriptions.id"], name=op.f("fk_hosting_accounts_subscription_id_subscriptions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hosting_accounts")),
    )
    op.create_index(op.f("ix_hosting_accounts_server_id"), "hosting_accounts", ["server_id"], unique=False)
    op.create_index(
        "uq_hosting_accounts_fqdn",
        "hosting_accounts",
        ["fqdn"],
        unique=True,
        postgresql_where=sa.text("status <> 'REMOVED'"),
    )
    op.create_index(
        "uq_hosting_accounts_living",
        "hosting_accounts",
        ["subscription_id"],
        unique=True,
        postgresql_where=sa.text("status <> 'REMOVED'"),
    )
    op.create_index("uq_hosting_accounts_user", "hosting_accounts", ["server_id", "system_user"], unique=True)
    op.create_table(
        "jobs",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("type", sa.String(length=30), nullable=False),
        sa.Column("status", sa.String(length=20), server_default="PENDING", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("parent_id", sa.UUID(), nullable=True),
        sa.Column("subscription_id", sa.UUID(), nullable=True),
        sa.Column("server_id", sa.UUID(), nullable=True),
        sa.Column("workflow_id", sa.String(length=200), nullable=False),
        sa.Column("phase", sa.String(length=20), server_default="running", nullable=False),
        sa.Column("attention", sa.String(length=30), server_default="none", nullable=False),
        sa.Column("status_message", sa.Text(), nullable=True),
        sa.Column("error_code", sa.String(length=60), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("parked", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("absence", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("run_id", sa.String(length=100), nullable=True),
        sa.Column("seq", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("position", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("requested_by", sa.String(length=200), server_default="", nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "status in ('PENDING','RUNNING','WAITING','SUCCESS','FAILED','CANCELLED')", name=op.f("ck_jobs_status")
        ),
        sa.CheckConstraint(
            "type in ('FULFIL_ORDER','PROVISION_DNS','PROVISION_HOSTING','PROVISION_MAIL','SUSPEND','RESUME','CHANGE_LIMITS','TERMINATE','REFUND','SET_UP_SERVER')",
            name=op.f("ck_jobs_type"),
        ),
        sa.CheckConstraint("num_nonnulls(subscription_id, server_id) = 1", name=op.f("ck_jobs_subject")),
        sa.ForeignKeyConstraint(["parent_id"], ["jobs.id"], name=op.f("fk_jobs_parent_id_jobs")),
        sa.ForeignKeyConstraint(["server_id"], ["servers.id"], name=op.f("fk_jobs_server_id_servers")),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscriptions.id"], name=op.f("fk_jobs_subscription_id_subscriptions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        sa.UniqueConstraint("workflow_id", name=op.f("uq_jobs_workflow_id")),
    )
    op.create_index("ix_jobs_created_at_id", "jobs", ["created_at", "id"], unique=False)
    op.create_index(op.f("ix_jobs_parent_id"), "jobs", ["parent_id"], unique=False)
    op.create_index(op.f("ix_jobs_server_id"), "jobs", ["server_id"], unique=False)
    op.create_index(op.f("ix_jobs_subscription_id"), "jobs", ["subscription_id"], unique=False)
    op.create_index(
        "ix_jobs_unstarted",
        "jobs",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("started_at is null and parent_id is null"),
    )
    op.create_index(
        "ix_jobs_waiting", "jobs", ["created_at"], unique=False, postgresql_where=sa.text("attention <> 'none'")
    )
    op.create_index(
        "uq_jobs_server_living",
        "jobs",
        ["server_id"],
        unique=True,
        postgresql_where=sa.text("ended_at is null and server_id is not null"),
    )
    op.create_index(
        "uq_jobs_subscription_living",
        "jobs",
        ["subscription_id"],
        unique=True,
        postgresql_where=sa.text("parent_id is null and ended_at is null and subscription_id is not null"),
    )
    op.create_table(
        "mail_accounts",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("subscription_id", sa.UUID(), nullable=False),
        sa.Column("server_id", sa.UUID(), nullable=True),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("quota_mb", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=20), server_default="PENDING", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "status in ('PENDING','ACTIVE','SUSPENDED','REMOVED')", name=op.f("ck_mail_accounts_status")
        ),
        sa.CheckConstraint("email = lower(email)", name=op.f("ck_mail_accounts_lower")),
        sa.CheckConstraint("quota_mb > 0", name=op.f("ck_mail_accounts_quota")),
        sa.ForeignKeyConstraint(["server_id"], ["servers.id"], name=op.f("fk_mail_accounts_server_id_servers")),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscriptions.id"], name=op.f("fk_mail_accounts_subscription_id_subscriptions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_accounts")),
    )
    op.create_index(op.f("ix_mail_accounts_server_id"), "mail_accounts", ["server_id"], unique=False)
    op.create_index(op.f("ix_mail_accounts_subscription_id"), "mail_accounts", ["subscription_id"], unique=False)
    op.create_index(
        "uq_mail_accounts_living",
        "mail_accounts",
        ["email"],
        unique=True,
        postgresql_where=sa.text("status <> 'REMOVED'"),
    )
    op.create_table(
        "backup_jobs",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("subscription_id", sa.UUID(), nullable=False),
        sa.Column("hosting_account_id", sa.UUID(), nullable=True),
        sa.Column("mail_account_id", sa.UUID(), nullable=True),
        sa.Column("status", sa.String(length=20), server_default="PENDING", nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("s3_key", sa.Text(), nullable=True),
        sa.Column("keep_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("reason in ('last','manual')", name=op.f("ck_backup_jobs_reason")),
        sa.CheckConstraint(
            "status <> 'SUCCESS' or (size_bytes is not null and sha256 is not null and s3_key is not null)",
            name=op.f("ck_backup_jobs_whole"),
        ),
        sa.CheckConstraint("status in ('PENDING','SUCCESS','FAILED','EXPIRED')", name=op.f("ck_backup_jobs_status")),
        sa.ForeignKeyConstraint(
            ["hosting_account_id"],
            ["hosting_accounts.id"],
            name=op.f("fk_backup_jobs_hosting_account_id_hosting_accounts"),
        ),
        sa.ForeignKeyConstraint(
            ["mail_account_id"], ["mail_accounts.id"], name=op.f("fk_backup_jobs_mail_account_id_mail_accounts")
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscriptions.id"], name=op.f("fk_backup_jobs_subscription_id_subscriptions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backup_jobs")),
    )
    op.create_index(op.f("ix_backup_jobs_subscription_id"), "backup_jobs", ["subscription_id"], unique=False)
    op.create_table(
        "dns_records",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("zone_id", sa.UUID(), nullable=False),
        sa.Column("name", sa.String(length=253), nullable=False),
        sa.Column("type", sa.String(length=10), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("ttl", sa.Integer(), nullable=False),
        sa.Column("managed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("ttl between 1 and 604800", name=op.f("ck_dns_records_ttl")),
        sa.ForeignKeyConstraint(
            ["zone_id"], ["dns_zones.id"], name=op.f("fk_dns_records_zone_id_dns_zones"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dns_records")),
    )
    op.create_index(
        "uq_dns_records_value",
        "dns_records",
        ["zone_id", "name", "type", sa.literal_column("md5(content)")],
        unique=True,
    )
    op.create_table(
        "job_events",
        sa.Column("job_id", sa.UUID(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("family", sa.String(length=20), nullable=False),
        sa.Column("run_id", sa.String(length=100), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("activity_id", sa.String(length=200), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=True),
        sa.Column("line_no", sa.Integer(), nullable=True),
        sa.Column("step", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind in ('step','log')", name=op.f("ck_job_events_kind")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_events_job_id_jobs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "position", name=op.f("pk_job_events")),
    )
    op.create_index(
        "uq_job_events_log",
        "job_events",
        ["run_id", "activity_id", "attempt", "line_no"],
        unique=True,
        postgresql_where=sa.text("kind = 'log'"),
    )
    op.create_index(
        "uq_job_events_step", "job_events", ["run_id", "seq"], unique=True, postgresql_where=sa.text("kind = 'step'")
    )
    op.add_column("certificates", sa.Column("subscription_id", sa.UUID(), nullable=True))
    op.alter_column("certificates", "deployment_id", existing_type=sa.UUID(), nullable=True)
    op.create_index(op.f("ix_certificates_subscription_id"), "certificates", ["subscription_id"], unique=False)
    op.create_foreign_key(
        op.f("fk_certificates_subscription_id_subscriptions"),
        "certificates",
        "subscriptions",
        ["subscription_id"],
        ["id"],
    )
    op.create_check_constraint(
        op.f("ck_certificates_subject"), "certificates", "num_nonnulls(deployment_id, subscription_id) = 1"
    )


def downgrade() -> None:
    # Indexes go with their tables.
    op.drop_constraint(op.f("fk_certificates_subscription_id_subscriptions"), "certificates", type_="foreignkey")
    op.drop_index(op.f("ix_certificates_subscription_id"), table_name="certificates")
    op.drop_constraint(op.f("ck_certificates_subject"), "certificates", type_="check")
    op.execute("delete from certificates where deployment_id is null")  # of subscriptions, whose table goes
    op.alter_column("certificates", "deployment_id", existing_type=sa.UUID(), nullable=False)
    op.drop_column("certificates", "subscription_id")
    op.drop_table("job_events")
    op.drop_table("dns_records")
    op.drop_table("backup_jobs")
    op.drop_table("mail_accounts")
    op.drop_table("jobs")
    op.drop_table("hosting_accounts")
    op.drop_table("domains")
    op.drop_table("dns_zones")
    op.drop_table("servers")
