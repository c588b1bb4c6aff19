"""first schema"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("action", sa.String(length=100), nullable=False),
        sa.Column("target_type", sa.String(length=40), nullable=False),
        sa.Column("target_id", sa.String(length=200), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("ip", sa.String(length=64), nullable=False),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_index(op.f("ix_audit_log_actor"), "audit_log", ["actor"], unique=False)
    op.create_index(op.f("ix_audit_log_target_id"), "audit_log", ["target_id"], unique=False)
    op.create_table(
        "idempotency_keys",
        sa.Column("principal", sa.String(length=200), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("route", sa.String(length=100), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=False),
        sa.Column("response", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("principal", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_table(
        "organizations",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("slug", sa.String(length=63), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organizations")),
        sa.UniqueConstraint("slug", name=op.f("uq_organizations_slug")),
    )
    op.create_table(
        "secrets",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("purpose", sa.String(length=60), nullable=False),
        sa.Column("key_id", sa.String(length=40), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=True),
        sa.Column("deployment_id", sa.UUID(), nullable=True),
        sa.Column("vps_id", sa.UUID(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revealed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_secrets")),
    )
    op.create_index(op.f("ix_secrets_deployment_id"), "secrets", ["deployment_id"], unique=False)
    op.create_index(op.f("ix_secrets_vps_id"), "secrets", ["vps_id"], unique=False)
    op.create_index(
        "uq_secrets_deployment_purpose",
        "secrets",
        ["deployment_id", "purpose"],
        unique=True,
        postgresql_where=sa.text("deployment_id is not null"),
    )
    op.create_index(
        "uq_secrets_global_purpose",
        "secrets",
        ["purpose"],
        unique=True,
        postgresql_where=sa.text("deployment_id is null and vps_id is null"),
    )
    op.create_index(
        "uq_secrets_vps_purpose",
        "secrets",
        ["vps_id", "purpose"],
        unique=True,
        postgresql_where=sa.text("vps_id is not null"),
    )
    op.create_table(
        "vps_instances",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("vps_name", sa.String(length=100), nullable=False),
        sa.Column("vps_ip", sa.String(length=50), nullable=True),
        sa.Column("vps_hostname", sa.String(length=255), nullable=True),
        sa.Column("location", sa.String(length=100), nullable=True),
        sa.Column("product_name", sa.String(length=100), nullable=True),
        sa.Column("specs", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("lifecycle", sa.String(length=20), nullable=False),
        sa.Column("power_state", sa.String(length=20), nullable=False),
        sa.Column("is_shared", sa.Boolean(), nullable=False),
        sa.Column("current_organizations", sa.Integer(), nullable=False),
        sa.Column("max_organizations", sa.Integer(), nullable=False),
        sa.Column("provider_type", sa.String(length=50), nullable=False),
        sa.Column("provider_instance_id", sa.String(length=200), nullable=True),
        sa.Column("host_key", sa.Text(), nullable=True),
        sa.Column("set_up_version", sa.String(length=40), nullable=True),
        sa.Column("price_cents_month", sa.Integer(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("billed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "lifecycle in ('pending','provisioning','active','terminating','terminated','failed','quarantined')",
            name=op.f("ck_vps_instances_lifecycle"),
        ),
        sa.CheckConstraint("power_state in ('running','stopped','unknown')", name=op.f("ck_vps_instances_power_state")),
        sa.CheckConstraint(
            "current_organizations >= 0 and current_organizations <= max_organizations",
            name=op.f("ck_vps_instances_places"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vps_instances")),
        sa.UniqueConstraint("vps_name", name=op.f("uq_vps_instances_vps_name")),
    )
    op.create_index("idx_vps_instances_provider_type", "vps_instances", ["provider_type"], unique=False)
    op.create_index(
        "uq_vps_instances_provider_ref",
        "vps_instances",
        ["provider_type", "provider_instance_id"],
        unique=True,
        postgresql_where=sa.text("provider_instance_id is not null"),
    )
    op.create_table(
        "instance_deployments",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("organization_id", sa.UUID(), nullable=False),
        sa.Column("deployment_type", sa.String(length=20), nullable=False),
        sa.Column("tier", sa.String(length=50), nullable=False),
        sa.Column("slug", sa.String(length=63), nullable=False),
        sa.Column("assigned_subdomain", sa.String(length=255), nullable=False),
        sa.Column("status", sa.String(length=50), nullable=False),
        sa.Column("phase", sa.String(length=20), nullable=False),
        sa.Column("attention", sa.String(length=30), nullable=False),
        sa.Column("status_message", sa.Text(), nullable=True),
        sa.Column("error_code", sa.String(length=60), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("access_url", sa.Text(), nullable=True),
        sa.Column("vps_id", sa.UUID(), nullable=True),
        sa.Column("requested_vps_id", sa.UUID(), nullable=True),
        sa.Column("inputs", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("admin_email", sa.String(length=320), nullable=False),
        sa.Column("admin_name", sa.String(length=200), nullable=False),
        sa.Column("parked", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("absence", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("price_cents_month", sa.Integer(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("run_id", sa.String(length=100), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("requested_by", sa.String(length=200), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "deployment_type in ('shared','dedicated')", name=op.f("ck_instance_deployments_deployment_type")
        ),
        sa.CheckConstraint(
            "status in ('provisioning','vps_ready','deploying','active','failed')",
            name=op.f("ck_instance_deployments_status"),
        ),
        sa.CheckConstraint(
            "tier in ('starter','professional','enterprise')", name=op.f("ck_instance_deployments_tier")
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_instance_deployments_organization_id_organizations"),
        ),
        sa.ForeignKeyConstraint(
            ["vps_id"], ["vps_instances.id"], name=op.f("fk_instance_deployments_vps_id_vps_instances")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instance_deployments")),
    )
    op.create_index("ix_instance_deployments_created_at_id", "instance_deployments", ["created_at", "id"], unique=False)
    op.create_index(
        op.f("ix_instance_deployments_organization_id"),
        "instance_deployments",
        ["organization_id"],
        unique=False,
    )
    op.create_index(
        "ix_instance_deployments_unstarted",
        "instance_deployments",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("started_at is null"),
    )
    op.create_index(op.f("ix_instance_deployments_vps_id"), "instance_deployments", ["vps_id"], unique=False)
    op.create_index(
        "uq_instance_deployments_slug_live",
        "instance_deployments",
        ["slug"],
        unique=True,
        postgresql_where=sa.text("ended_at is null"),
    )
    op.create_table(
        "server_intents",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("vps_id", sa.UUID(), nullable=False),
        sa.Column("deployment_id", sa.UUID(), nullable=False),
        sa.Column("provider", sa.String(length=50), nullable=False),
        sa.Column("correlation", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sends", sa.Integer(), nullable=False),
        sa.Column("action_ref", sa.String(length=200), nullable=True),
        sa.Column("provider_ref", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("state in ('intended','sent','adopted','released')", name=op.f("ck_server_intents_state")),
        sa.ForeignKeyConstraint(["vps_id"], ["vps_instances.id"], name=op.f("fk_server_intents_vps_id_vps_instances")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_server_intents")),
        sa.UniqueConstraint("correlation", name=op.f("uq_server_intents_correlation")),
        sa.UniqueConstraint("vps_id", name=op.f("uq_server_intents_vps_id")),
    )
    op.create_index(op.f("ix_server_intents_deployment_id"), "server_intents", ["deployment_id"], unique=False)
    op.create_table(
        "users",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("username", sa.String(length=100), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("organization_id", sa.UUID(), nullable=True),
        sa.Column("must_change_password", sa.Boolean(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "role in ('ADMINISTRATOR','OPERATOR','BILLING','SUPPORT','USER')", name=op.f("ck_users_role")
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_users_organization_id_organizations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
        sa.UniqueConstraint("username", name=op.f("uq_users_username")),
    )
    op.create_table(
        "certificates",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("deployment_id", sa.UUID(), nullable=False),
        sa.Column("names", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("serial", sa.String(length=80), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("not_after", sa.DateTime(timezone=True), nullable=False),
        sa.Column("chain_pem", sa.Text(), nullable=False),
        sa.Column("key_sha256", sa.String(length=64), nullable=False),
        sa.Column("directory_url", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["deployment_id"],
            ["instance_deployments.id"],
            name=op.f("fk_certificates_deployment_id_instance_deployments"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certificates")),
        sa.UniqueConstraint("serial", "issuer", name=op.f("uq_certificates_serial_issuer")),
    )
    op.create_index(op.f("ix_certificates_deployment_id"), "certificates", ["deployment_id"], unique=False)
    op.create_table(
        "deployment_events",
        sa.Column("deployment_id", sa.UUID(), nullable=False),
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
        sa.CheckConstraint("kind in ('step','log')", name=op.f("ck_deployment_events_kind")),
        sa.ForeignKeyConstraint(
            ["deployment_id"],
            ["instance_deployments.id"],
            name=op.f("fk_deployment_events_deployment_id_instance_deployments"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("deployment_id", "position", name=op.f("pk_deployment_events")),
    )
    op.create_index(
        "uq_deployment_events_log",
        "deployment_events",
        ["run_id", "activity_id", "attempt", "line_no"],
        unique=True,
        postgresql_where=sa.text("kind = 'log'"),
    )
    op.create_index(
        "uq_deployment_events_step",
        "deployment_events",
        ["run_id", "seq"],
        unique=True,
        postgresql_where=sa.text("kind = 'step'"),
    )
    op.create_table(
        "placements",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("vps_id", sa.UUID(), nullable=False),
        sa.Column("deployment_id", sa.UUID(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["deployment_id"],
            ["instance_deployments.id"],
            name=op.f("fk_placements_deployment_id_instance_deployments"),
        ),
        sa.ForeignKeyConstraint(["vps_id"], ["vps_instances.id"], name=op.f("fk_placements_vps_id_vps_instances")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_placements")),
        sa.UniqueConstraint("deployment_id", name=op.f("uq_placements_deployment_id")),
        sa.UniqueConstraint("vps_id", "place", name=op.f("uq_placements_vps_id_place")),
    )
    op.create_table(
        "refresh_tokens",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("family_id", sa.UUID(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("spent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_refresh_tokens_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refresh_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_refresh_tokens_token_hash")),
    )
    op.create_index(op.f("ix_refresh_tokens_family_id"), "refresh_tokens", ["family_id"], unique=False)
    op.create_index(op.f("ix_refresh_tokens_user_id"), "refresh_tokens", ["user_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_refresh_tokens_user_id"), table_name="refresh_tokens")
    op.drop_index(op.f("ix_refresh_tokens_family_id"), table_name="refresh_tokens")
    op.drop_table("refresh_tokens")
    op.drop_table("placements")
    op.drop_index(
        "uq_deployment_events_step", table_name="deployment_events", postgresql_where=sa.text("kind = 'step'")
    )
    op.drop_index("uq_deployment_events_log", table_name="deployment_events", postgresql_where=sa.text("kind = 'log'"))
    op.drop_table("deployment_events")
    op.drop_index(op.f("ix_certificates_deployment_id"), table_name="certificates")
    op.drop_table("certificates")
    op.drop_table("users")
    op.drop_index(op.f("ix_server_intents_deployment_id"), table_name="server_intents")
    op.drop_table("server_intents")
    op.drop_index("uq_instance_deployments_slug_live", table_name="instance_deployments")
    op.drop_index(op.f("ix_instance_deployments_vps_id"), table_name="instance_deployments")
    op.drop_index("ix_instance_deployments_unstarted", table_name="instance_deployments")
    op.drop_index(op.f("ix_instance_deployments_organization_id"), table_name="instance_deployments")
    op.drop_index("ix_instance_deployments_created_at_id", table_name="instance_deployments")
    op.drop_table("instance_deployments")
    op.drop_index("uq_vps_instances_provider_ref", table_name="vps_instances")
    op.drop_index("idx_vps_instances_provider_type", table_name="vps_instances")
    op.drop_table("vps_instances")
    op.drop_index("uq_secrets_vps_purpose", table_name="secrets", postgresql_where=sa.text("vps_id is not null"))
    op.drop_index("uq_secrets_global_purpose", table_name="secrets")
    op.drop_index("uq_secrets_deployment_purpose", table_name="secrets")
    op.drop_index(op.f("ix_secrets_vps_id"), table_name="secrets")
    op.drop_index(op.f("ix_secrets_deployment_id"), table_name="secrets")
    op.drop_table("secrets")
    op.drop_table("organizations")
    op.drop_table("idempotency_keys")
    op.drop_index(op.f("ix_audit_log_target_id"), table_name="audit_log")
    op.drop_index(op.f("ix_audit_log_actor"), table_name="audit_log")
    op.drop_table("audit_log")
