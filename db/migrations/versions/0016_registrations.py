"""registrations: who asked for an account, until the address is proven; mails are counted by recipient"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

WHEN = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "registrations",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("expires_at", WHEN, nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=True),
        sa.Column("confirmed_at", WHEN, nullable=True),
        sa.Column("created_at", WHEN, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(user_id is null) = (confirmed_at is null)", name=op.f("ck_registrations_confirmed")),
        sa.CheckConstraint("(password_hash = '') = (confirmed_at is not null)", name=op.f("ck_registrations_password")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_registrations_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registrations")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_registrations_token_hash")),
    )
    op.create_index(op.f("ix_registrations_user_id"), "registrations", ["user_id"])
    op.create_index(
        "uq_registrations_waiting", "registrations", [sa.text("lower(email)")], unique=True,
        postgresql_where=sa.text("confirmed_at is null"),
    )  # fmt: skip
    op.create_index(
        "ix_registrations_over", "registrations", ["expires_at"], postgresql_where=sa.text("confirmed_at is null")
    )
    op.create_index("ix_outgoing_mails_recipient", "outgoing_mails", [sa.text("lower(recipient)"), "created_at"])


def downgrade() -> None:
    op.drop_index("ix_outgoing_mails_recipient", table_name="outgoing_mails")
    op.drop_table("registrations")
