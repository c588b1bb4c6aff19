"""journal: which workflow task wrote what, so that what a given-up task wrote yields"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLES = ("instance_deployments", "deployment_events", "jobs", "job_events")


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("task", sa.BigInteger(), server_default=sa.text("0"), nullable=False))


def downgrade() -> None:
    for table in TABLES:
        op.drop_column(table, "task")
