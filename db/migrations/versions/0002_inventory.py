"""inventory: servers at clouds and the sweeps that look for them

Servers that were set aside as rows of vps_instances move to the ledger: they never were servers of ours to place on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

LIFECYCLES = "'pending','provisioning','active','terminating','terminated','failed'"
# The note tells, on the way down, which lines came from there.
MOVED = "second server with one order's token"


def upgrade() -> None:
    op.create_table(
        "cloud_resources",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("provider", sa.String(length=50), nullable=False),
        sa.Column("provider_ref", sa.String(length=200), nullable=False),
        sa.Column("correlation", sa.String(length=255), nullable=True),
        sa.Column("label", sa.String(length=255), nullable=False),
        sa.Column("product", sa.String(length=100), nullable=False),
        sa.Column("status", sa.String(length=50), nullable=False),
        sa.Column("address", sa.String(length=50), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("verdict", sa.String(length=20), nullable=False),
        sa.Column("vps_id", sa.UUID(), nullable=True),
        sa.Column("sightings", sa.Integer(), nullable=False),
        sa.Column("sweep_id", sa.UUID(), nullable=True),
        sa.Column("first_seen", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unexplained_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("quarantined_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delete_after", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("quarantine_tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("price_cents_month", sa.Integer(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("decided_by", sa.String(length=200), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "state in ('explained','unexplained','quarantined','adopted','released','missing','gone')",
            name=op.f("ck_cloud_resources_state"),
        ),
        sa.CheckConstraint(
            "verdict in ('explained','surplus','leftover','unproven','unknown_order','foreign')",
            name=op.f("ck_cloud_resources_verdict"),
        ),
        sa.CheckConstraint("sightings >= 0", name=op.f("ck_cloud_resources_sightings")),
        sa.CheckConstraint("price_cents_month >= 0", name=op.f("ck_cloud_resources_price")),
        sa.CheckConstraint(
            "state <> 'quarantined' or quarantined_at is not null", name=op.f("ck_cloud_resources_quarantined")
        ),
        sa.CheckConstraint(
            "state not in ('adopted','released') or decided_at is not null", name=op.f("ck_cloud_resources_decided")
        ),
        sa.CheckConstraint(
            "delete_after is null or state = 'quarantined'", name=op.f("ck_cloud_resources_delete_after")
        ),
        sa.ForeignKeyConstraint(["vps_id"], ["vps_instances.id"], name=op.f("fk_cloud_resources_vps_id_vps_instances")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cloud_resources")),
    )
    op.create_index(
        "uq_cloud_resources_living",
        "cloud_resources",
        ["provider", "provider_ref"],
        unique=True,
        postgresql_where=sa.text("state <> 'gone'"),
    )
    op.create_index("ix_cloud_resources_state", "cloud_resources", ["state"], unique=False)
    op.create_index(op.f("ix_cloud_resources_vps_id"), "cloud_resources", ["vps_id"], unique=False)
    op.create_table(
        "inventory_sweeps",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("provider", sa.String(length=50), nullable=False),
        sa.Column("requested_by", sa.String(length=200), nullable=False),
        sa.Column("vouched", sa.Boolean(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("listed", sa.Integer(), nullable=True),
        sa.Column("unexplained", sa.Integer(), nullable=False),
        sa.Column("quarantined", sa.Integer(), nullable=False),
        sa.Column("deleted", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "outcome in ('running','complete','held','refused','skipped','abandoned')",
            name=op.f("ck_inventory_sweeps_outcome"),
        ),
        sa.CheckConstraint("(outcome = 'running') = (ended_at is null)", name=op.f("ck_inventory_sweeps_ended")),
        sa.CheckConstraint(
            "not complete or outcome in ('running','complete','held','abandoned')",
            name=op.f("ck_inventory_sweeps_complete"),
        ),
        sa.CheckConstraint(
            "outcome not in ('held','refused','skipped') or reason <> ''", name=op.f("ck_inventory_sweeps_reason")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inventory_sweeps")),
    )
    op.create_index(
        "uq_inventory_sweeps_running",
        "inventory_sweeps",
        ["provider"],
        unique=True,
        postgresql_where=sa.text("ended_at is null"),
    )
    op.create_index("ix_inventory_sweeps_provider_began_at", "inventory_sweeps", ["provider", "began_at"], unique=False)
    moved = sa.text("""
        insert into cloud_resources (id, provider, provider_ref, correlation, label, product, status, address, state,
                                     verdict, sightings, first_seen, currency, decided_by, note)
        select id, provider_type, provider_instance_id, specs ->> 'correlation', '', coalesce(product_name, ''), '',
               vps_ip, 'unexplained', 'unproven', 0, created_at, currency, '', :note
          from vps_instances where lifecycle = 'quarantined' and provider_instance_id is not null
    """)
    op.execute(moved.bindparams(note=MOVED))
    op.execute("delete from vps_instances where lifecycle = 'quarantined'")
    _replace_check(LIFECYCLES)


def downgrade() -> None:
    _replace_check(f"{LIFECYCLES},'quarantined'")
    back = sa.text("""
        insert into vps_instances (id, vps_name, vps_ip, specs, lifecycle, power_state, is_shared,
                                   current_organizations, max_organizations, provider_type, provider_instance_id,
                                   currency, created_at)
        select id, left('quarantine-' || provider_ref, 100), address,
               jsonb_build_object('correlation', correlation, 'reason', note),
               'quarantined', 'unknown', false, 0, 1, provider, provider_ref, currency, first_seen
          from cloud_resources
         where state in ('unexplained', 'quarantined') and note = :note
    """)
    op.execute(back.bindparams(note=MOVED))
    op.drop_index("ix_inventory_sweeps_provider_began_at", table_name="inventory_sweeps")
    op.drop_index(
        "uq_inventory_sweeps_running", table_name="inventory_sweeps", postgresql_where=sa.text("ended_at is null")
    )
    op.drop_table("inventory_sweeps")
    op.drop_index(op.f("ix_cloud_resources_vps_id"), table_name="cloud_resources")
    op.drop_index("ix_cloud_resources_state", table_name="cloud_resources")
    op.drop_index(
        "uq_cloud_resources_living", table_name="cloud_resources", postgresql_where=sa.text("state <> 'gone'")
    )
    op.drop_table("cloud_resources")


def _replace_check(lifecycles: str) -> None:
    op.drop_constraint(op.f("ck_vps_instances_lifecycle"), "vps_instances", type_="check")
    op.create_check_constraint(op.f("ck_vps_instances_lifecycle"), "vps_instances", f"lifecycle in ({lifecycles})")
