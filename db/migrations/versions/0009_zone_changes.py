"""zone changes: what is asked of the name servers and how it ended; a zone's last export is kept"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("dns_zones", sa.Column("last_export", sa.Text(), nullable=True))
    op.create_table(
        "dns_changes",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("zone_id", sa.UUID(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=253), server_default="", nullable=False),
        sa.Column("type", sa.String(length=10), server_default="", nullable=False),
        sa.Column("state", sa.String(length=10), server_default="waiting", nullable=False),
        sa.Column("trouble", sa.String(length=40), server_default="", nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("requested_by", sa.String(length=200), server_default="", nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind in ('zone','set','end')", name=op.f("ck_dns_changes_kind")),
        sa.CheckConstraint("state in ('waiting','published','failed')", name=op.f("ck_dns_changes_state")),
        sa.CheckConstraint("(kind = 'set') = (name <> '' and type <> '')", name=op.f("ck_dns_changes_subject")),
        sa.CheckConstraint("(state = 'waiting') = (ended_at is null)", name=op.f("ck_dns_changes_ended")),
        sa.ForeignKeyConstraint(
            ["zone_id"], ["dns_zones.id"], name=op.f("fk_dns_changes_zone_id_dns_zones"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dns_changes")),
    )
    op.create_index("uq_dns_changes_number", "dns_changes", ["zone_id", "number"], unique=True)
    op.create_index("ix_dns_changes_set", "dns_changes", ["zone_id", "name", "type", "number"], unique=False)
    op.create_index(
        "ix_dns_changes_unstarted", "dns_changes", ["created_at"], unique=False,
        postgresql_where=sa.text("started_at is null and state = 'waiting'"),
    )  # fmt: skip


def downgrade() -> None:
    op.drop_table("dns_changes")
    op.drop_column("dns_zones", "last_export")
