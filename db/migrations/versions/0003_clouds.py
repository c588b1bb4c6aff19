"""clouds: accounts, plans, what clouds offer, actions on servers; servers know their account"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "service_providers",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=50), nullable=False),
        sa.Column("api_key_encrypted", sa.Text(), nullable=True),
        sa.Column("key_id", sa.String(length=40), nullable=False),
        sa.Column(
            "configuration", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("origin", sa.String(length=20), nullable=False),
        sa.Column("validated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("validation", sa.Text(), server_default="", nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("origin in ('administrator','environment')", name=op.f("ck_service_providers_origin")),
        sa.CheckConstraint(
            "type in ('transip','digitalocean','linode','aws','gcp')", name=op.f("ck_service_providers_type")
        ),
        sa.CheckConstraint(
            "api_key_encrypted is not null or deleted_at is not null", name=op.f("ck_service_providers_key")
        ),
        sa.CheckConstraint("deleted_at is null or not active", name=op.f("ck_service_providers_deleted")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_providers")),
    )
    op.create_index(
        "uq_service_providers_environment",
        "service_providers",
        ["type"],
        unique=True,
        postgresql_where=sa.text("origin = 'environment' and deleted_at is null"),
    )
    op.create_index(
        "uq_service_providers_name_live",
        "service_providers",
        ["name"],
        unique=True,
        postgresql_where=sa.text("deleted_at is null"),
    )
    op.create_table(
        "call_budgets",
        sa.Column("provider_id", sa.UUID(), nullable=False),
        sa.Column("calls", sa.String(length=40), nullable=False),
        sa.Column("free_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("blocked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("line_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("deferred", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("refused", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["provider_id"],
            ["service_providers.id"],
            name=op.f("fk_call_budgets_provider_id_service_providers"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("provider_id", "calls", name=op.f("pk_call_budgets")),
    )
    op.create_table(
        "provider_cache",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("provider_id", sa.UUID(), nullable=False),
        sa.Column("value", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fresh_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure", sa.Text(), server_default="", nullable=False),
        sa.Column("hits", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("misses", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("stale_hits", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["provider_id"],
            ["service_providers.id"],
            name=op.f("fk_provider_cache_provider_id_service_providers"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_provider_cache")),
    )
    op.create_index(op.f("ix_provider_cache_provider_id"), "provider_cache", ["provider_id"], unique=False)
    op.create_table(
        "vps_plans",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("provider_id", sa.UUID(), nullable=False),
        sa.Column("provider_plan_id", sa.String(length=255), nullable=False),
        sa.Column("base_price", sa.Numeric(precision=10, scale=2), server_default=sa.text("0.00"), nullable=False),
        sa.Column("markup_price", sa.Numeric(precision=10, scale=2), server_default=sa.text("0.00"), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column(
            "specifications", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("base_price >= 0 and markup_price >= 0", name=op.f("ck_vps_plans_prices")),
        sa.ForeignKeyConstraint(
            ["provider_id"],
            ["service_providers.id"],
            name=op.f("fk_vps_plans_provider_id_service_providers"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vps_plans")),
    )
    op.create_index("uq_vps_plans_provider_plan", "vps_plans", ["provider_id", "provider_plan_id"], unique=True)
    op.create_table(
        "server_actions",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("vps_id", sa.UUID(), nullable=False),
        sa.Column("action", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("action_ref", sa.String(length=200), nullable=True),
        sa.Column("error_code", sa.String(length=60), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("requested_by", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state in ('done','failed')) = (ended_at is not null)", name=op.f("ck_server_actions_ended")
        ),
        sa.CheckConstraint(
            "action in ('power_on','shutdown','power_off','reboot','power_cycle')",
            name=op.f("ck_server_actions_action"),
        ),
        sa.CheckConstraint("state in ('requested','sent','done','failed')", name=op.f("ck_server_actions_state")),
        sa.ForeignKeyConstraint(["vps_id"], ["vps_instances.id"], name=op.f("fk_server_actions_vps_id_vps_instances")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_server_actions")),
    )
    op.create_index("ix_server_actions_vps_created", "server_actions", ["vps_id", "created_at"], unique=False)
    op.create_index(
        "uq_server_actions_running",
        "server_actions",
        ["vps_id"],
        unique=True,
        postgresql_where=sa.text("ended_at is null"),
    )
    op.add_column("vps_instances", sa.Column("provider_id", sa.UUID(), nullable=True))
    op.add_column("vps_instances", sa.Column("label", sa.String(length=100), server_default="", nullable=False))
    op.add_column("vps_instances", sa.Column("image", sa.String(length=200), nullable=True))
    op.add_column("vps_instances", sa.Column("ipv6_address", sa.String(length=50), nullable=True))
    op.add_column("vps_instances", sa.Column("hourly_rate", sa.Numeric(precision=12, scale=5), nullable=True))
    op.add_column(
        "vps_instances",
        sa.Column("options", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    )
    op.add_column("vps_instances", sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("idx_vps_instances_provider_id", "vps_instances", ["provider_id"], unique=False)
    op.create_foreign_key(
        op.f("fk_vps_instances_provider_id_service_providers"),
        "vps_instances",
        "service_providers",
        ["provider_id"],
        ["id"],
    )
    # What a server is called was our own name so far.
    op.execute("update vps_instances set label = vps_name")
    _replace_check("'shared','dedicated','server'")


def downgrade() -> None:
    _replace_check("'shared','dedicated'")
    op.drop_constraint(op.f("fk_vps_instances_provider_id_service_providers"), "vps_instances", type_="foreignkey")
    op.drop_index("idx_vps_instances_provider_id", table_name="vps_instances")
    op.drop_column("vps_instances", "seen_at")
    op.drop_column("vps_instances", "options")
    op.drop_column("vps_instances", "hourly_rate")
    op.drop_column("vps_instances", "ipv6_address")
    op.drop_column("vps_instances", "image")
    op.drop_column("vps_instances", "label")
    op.drop_column("vps_instances", "provider_id")
    op.drop_index(
        "uq_server_actions_running", table_name="server_actions", postgresql_where=sa.text("ended_at is null")
    )
    op.drop_index("ix_server_actions_vps_created", table_name="server_actions")
    op.drop_table("server_actions")
    op.drop_index("uq_vps_plans_provider_plan", table_name="vps_plans")
    op.drop_table("vps_plans")
    op.drop_index(op.f("ix_provider_cache_provider_id"), table_name="provider_cache")
    op.drop_table("provider_cache")
    op.drop_table("call_budgets")
    op.drop_index(
        "uq_service_providers_name_live", table_name="service_providers", postgresql_where=sa.text("deleted_at is null")
    )
    op.drop_index(
        "uq_service_providers_environment",
        table_name="service_providers",
        postgresql_where=sa.text("origin = 'environment' and deleted_at is null"),
    )
    op.drop_table("service_providers")


def _replace_check(types: str) -> None:
    name = op.f("ck_instance_deployments_deployment_type")
    op.drop_constraint(name, "instance_deployments", type_="check")
    op.create_check_constraint(name, "instance_deployments", f"deployment_type in ({types})")
