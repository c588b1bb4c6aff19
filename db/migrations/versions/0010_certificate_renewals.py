"""certificate renewals: what is next for each certificate, open orders, and a CA's limits"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

WHEN = sa.DateTime(timezone=True)
EMPTY, ZERO, NO = {"server_default": ""}, {"server_default": sa.text("0")}, {"server_default": sa.text("false")}

CHECKS = {
    "failure": "(failures = 0) = (failure_kind is null)",
    "window": "(window_start is null) = (window_end is null)",
    "superseded": "superseded_at is null or renew_after is null",
    "plan": "(renew_after is null) = (next_action = '')",
}


def _columns() -> list[sa.Column]:
    return [
        sa.Column("certificate_id", sa.String(length=200), nullable=False, **EMPTY),
        sa.Column("replaces", sa.String(length=200), nullable=False, **EMPTY),
        sa.Column("renews_id", sa.UUID(), nullable=True),
        sa.Column("window_start", WHEN, nullable=True),
        sa.Column("window_end", WHEN, nullable=True),
        sa.Column("explanation_url", sa.Text(), nullable=False, **EMPTY),
        sa.Column("next_poll", WHEN, nullable=True),
        sa.Column("revoked", sa.Boolean(), nullable=False, **NO),
        sa.Column("failures", sa.Integer(), nullable=False, **ZERO),
        sa.Column("failure_kind", sa.String(length=20), nullable=True),
        sa.Column("failure_message", sa.Text(), nullable=False, **EMPTY),
        sa.Column("failed_at", WHEN, nullable=True),
        sa.Column("limited_until", WHEN, nullable=True),
        sa.Column("rehearsals_failed", sa.Integer(), nullable=False, **ZERO),
        sa.Column("rehearsal_passed", sa.Boolean(), nullable=False, **NO),
        sa.Column("rehearsed_at", WHEN, nullable=True),
        sa.Column("renew_after", WHEN, nullable=True),
        sa.Column("next_action", sa.String(length=20), nullable=False, **EMPTY),
        sa.Column("why", sa.Text(), nullable=False, **EMPTY),
        sa.Column("urgent", sa.Boolean(), nullable=False, **NO),
        sa.Column("superseded_at", WHEN, nullable=True),
    ]


def upgrade() -> None:
    for column in _columns():
        op.add_column("certificates", column)
    # Of what was issued before, the newest of each holder is looked after from now on; the CA is asked first.
    op.execute("""
        with newest as (
            select id, row_number() over (
                partition by coalesce(deployment_id, subscription_id) order by not_after desc, created_at desc) as rank
            from certificates)
        update certificates set
            renew_after = case when rank = 1 then now() end,
            next_action = case when rank = 1 then 'poll' else '' end,
            why = case when rank = 1 then 'the CA is asked for its window' else '' end,
            superseded_at = case when rank > 1 then now() end
        from newest where newest.id = certificates.id""")
    for name, sql in CHECKS.items():
        op.create_check_constraint(op.f(f"ck_certificates_{name}"), "certificates", sql)
    op.create_foreign_key(
        op.f("fk_certificates_renews_id_certificates"), "certificates", "certificates", ["renews_id"], ["id"]
    )
    op.create_index(op.f("ix_certificates_renews_id"), "certificates", ["renews_id"], unique=False)
    op.create_index(
        "ix_certificates_due_polls",
        "certificates",
        ["renew_after"],
        unique=False,
        postgresql_where=sa.text("next_action = 'poll'"),
    )
    op.create_index(
        "ix_certificates_due_renewals",
        "certificates",
        ["renew_after"],
        unique=False,
        postgresql_where=sa.text("next_action in ('renew','rehearse','second_ca','emergency')"),
    )
    op.create_index(
        "ix_certificates_names",
        "certificates",
        ["names"],
        unique=False,
        postgresql_using="gin",
        postgresql_where=sa.text("superseded_at is null"),
    )
    op.create_index(
        "ix_certificates_living_end", "certificates", ["not_after", "id"], unique=False,
        postgresql_where=sa.text("superseded_at is null"),
    )  # fmt: skip
    op.create_table(
        "certificate_orders",
        sa.Column("holder_id", sa.UUID(), nullable=False),
        sa.Column("directory_url", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("csr_pem", sa.Text(), nullable=False),
        sa.Column("created_at", WHEN, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("holder_id", "directory_url", name=op.f("pk_certificate_orders")),
    )
    op.create_table(
        "ca_buckets",
        sa.Column("directory_url", sa.Text(), nullable=False),
        sa.Column("limit", sa.String(length=30), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("full_at", WHEN, nullable=True),
        sa.Column("refused_until", WHEN, nullable=True),
        sa.PrimaryKeyConstraint("directory_url", "limit", "subject", name=op.f("pk_ca_buckets")),
    )


def downgrade() -> None:
    op.drop_table("ca_buckets")
    op.drop_table("certificate_orders")
    for name in ("living_end", "names", "due_polls", "due_renewals"):
        op.drop_index(f"ix_certificates_{name}", table_name="certificates")
    for name in CHECKS:
        op.drop_constraint(op.f(f"ck_certificates_{name}"), "certificates", type_="check")
    for column in reversed(_columns()):
        op.drop_column("certificates", column.name)
