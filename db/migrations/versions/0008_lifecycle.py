"""lifecycle: kinds of changes, what the sweep of lifecycles looks for, and whose a backup is"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

OLD = (
    "FULFIL_ORDER", "PROVISION_DNS", "PROVISION_HOSTING", "PROVISION_MAIL", "SUSPEND", "RESUME", "CHANGE_LIMITS",
    "TERMINATE", "REFUND", "SET_UP_SERVER",
)  # fmt: skip
NEW = ("CANCEL", "KEEP", "DISCARD_BACKUPS", "MAILBOX_PASSWORD", "SFTP_KEYS", "SFTP_PASSWORD")
UNPAID = "status = 'SUSPENDED' and suspended_for = 'non-payment'"
INDEXES = (
    ("ix_subscriptions_cancelled", "subscriptions", "current_period_end",
     "cancel_at_period_end and status in ('ACTIVE','PAST_DUE','SUSPENDED')"),
    ("ix_subscriptions_unpaid", "subscriptions", "suspended_at", UNPAID),
    ("ix_subscriptions_paid_again", "subscriptions", "suspended_at", f"{UNPAID} and past_due_since is null"),
    ("ix_backup_jobs_over", "backup_jobs", "keep_until", "status = 'SUCCESS'"),
)  # fmt: skip


def upgrade() -> None:
    _kinds(*OLD, *NEW)
    op.add_column("backup_jobs", sa.Column("dns_zone_id", sa.UUID(), nullable=True))
    op.add_column("backup_jobs", sa.Column("job_id", sa.UUID(), nullable=True))
    op.add_column("backup_jobs", sa.Column("content", sa.Text(), nullable=True))
    for column, table in (("dns_zone_id", "dns_zones"), ("job_id", "jobs")):
        op.create_foreign_key(op.f(f"fk_backup_jobs_{column}_{table}"), "backup_jobs", table, [column], ["id"])
    op.create_index(op.f("ix_backup_jobs_job_id"), "backup_jobs", ["job_id"])
    for name, table, column, where in INDEXES:
        op.create_index(name, table, [column], postgresql_where=sa.text(where))


def downgrade() -> None:
    for name, table, _, _ in INDEXES:
        op.drop_index(name, table_name=table)
    # A zone's copy has nowhere to be kept any more.
    op.execute("delete from backup_jobs where dns_zone_id is not null")
    for column in ("dns_zone_id", "job_id", "content"):
        op.drop_column("backup_jobs", column)
    listed = ",".join(f"'{kind}'" for kind in NEW)
    op.execute(f"delete from jobs where type in ({listed})")  # noqa: S608 - constants of this file
    _kinds(*OLD)


def _kinds(*kinds: str) -> None:
    listed = ",".join(f"'{kind}'" for kind in kinds)
    op.drop_constraint(op.f("ck_jobs_type"), "jobs")
    op.create_check_constraint(op.f("ck_jobs_type"), "jobs", f"type in ({listed})")
