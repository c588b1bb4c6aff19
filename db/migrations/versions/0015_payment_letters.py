"""payments: which failures were written about, and what the payment service calls a price"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("payment_events", sa.Column("letter_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("prices", sa.Column("stripe_price_id", sa.String(length=255), nullable=True))


def downgrade() -> None:
    op.drop_column("prices", "stripe_price_id")
    op.drop_column("payment_events", "letter_at")
