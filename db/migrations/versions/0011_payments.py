"""payments: how far the messages of a payment service are kept"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

WHEN = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "payment_catch_ups",
        sa.Column("service", sa.String(length=20), nullable=False),
        sa.Column("position", WHEN, nullable=False),
        sa.Column("asked_at", WHEN, server_default=sa.text("now()"), nullable=False),
        sa.Column("fetched", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("service", name=op.f("pk_payment_catch_ups")),
    )


def downgrade() -> None:
    op.drop_table("payment_catch_ups")
