"""zone changes that failed are settled by somebody; those that need somebody are found by an index"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

OPEN = "state = 'waiting' or (state = 'failed' and settled_at is null)"


def upgrade() -> None:
    op.add_column("dns_changes", sa.Column("settled_by", sa.String(length=200), server_default="", nullable=False))
    op.add_column("dns_changes", sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(op.f("ck_dns_changes_settled"), "dns_changes", "settled_at is null or state = 'failed'")
    op.create_check_constraint(
        op.f("ck_dns_changes_settled_by"), "dns_changes", "(settled_at is null) = (settled_by = '')"
    )
    op.create_index("ix_dns_changes_open", "dns_changes", ["created_at"], postgresql_where=sa.text(OPEN))


def downgrade() -> None:
    op.drop_index("ix_dns_changes_open", table_name="dns_changes")
    op.drop_constraint(op.f("ck_dns_changes_settled_by"), "dns_changes")
    op.drop_constraint(op.f("ck_dns_changes_settled"), "dns_changes")
    op.drop_column("dns_changes", "settled_at")
    op.drop_column("dns_changes", "settled_by")
