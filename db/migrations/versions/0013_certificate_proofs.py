"""certificates: how each was proven, and since when somebody should look"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("certificates", sa.Column("challenge", sa.String(length=10), server_default="dns-01", nullable=False))
    op.add_column("certificates", sa.Column("troubled_since", sa.DateTime(timezone=True), nullable=True))
    op.execute("""
        update certificates set troubled_since = coalesce(failed_at, now())
         where renew_after is not null and (urgent or failures >= 3)""")
    op.create_index(
        "ix_certificates_troubled",
        "certificates",
        ["troubled_since"],
        unique=False,
        postgresql_where=sa.text("troubled_since is not null"),
    )


def downgrade() -> None:
    op.drop_index("ix_certificates_troubled", table_name="certificates")
    op.drop_column("certificates", "troubled_since")
    op.drop_column("certificates", "challenge")
