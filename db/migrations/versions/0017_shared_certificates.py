"""shared certificates: uploaded together with their keys, served in many places, off by default"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

WHEN = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "shared_certificates",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("names", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("serial", sa.String(length=80), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("not_before", WHEN, nullable=False),
        sa.Column("not_after", WHEN, nullable=False),
        sa.Column("chain_pem", sa.Text(), nullable=False),
        sa.Column("key_sha256", sa.String(length=64), nullable=False),
        sa.Column("key_type", sa.String(length=20), nullable=False),
        sa.Column("key_id", sa.String(length=50), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=True),
        sa.Column("is_default", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("uploaded_by", sa.String(length=200), nullable=False),
        sa.Column("created_at", WHEN, server_default=sa.text("now()"), nullable=False),
        sa.Column("withdrawn_at", WHEN, nullable=True),
        sa.CheckConstraint(
            "(withdrawn_at is null) = (ciphertext is not null)", name=op.f("ck_shared_certificates_withdrawn")
        ),
        sa.CheckConstraint("not is_default or withdrawn_at is null", name=op.f("ck_shared_certificates_default")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shared_certificates")),
        sa.UniqueConstraint("serial", "issuer", name=op.f("uq_shared_certificates_serial_issuer")),
    )
    op.create_index(
        "uq_shared_certificates_default", "shared_certificates", ["is_default"], unique=True,
        postgresql_where=sa.text("is_default"),
    )  # fmt: skip
    op.create_index("ix_shared_certificates_created_at", "shared_certificates", ["created_at"])
    op.create_index("ix_shared_certificates_key_sha256", "shared_certificates", ["key_sha256"])
    for name in ("shared", "awaits"):
        op.add_column("certificates", sa.Column(f"{name}_id", sa.UUID(), nullable=True))
        op.create_foreign_key(
            op.f(f"fk_certificates_{name}_id_shared_certificates"), "certificates", "shared_certificates",
            [f"{name}_id"], ["id"],
        )  # fmt: skip
        op.create_index(
            f"ix_certificates_{name}", "certificates", [f"{name}_id"],
            postgresql_where=sa.text(f"{name}_id is not null"),
        )  # fmt: skip
    # What was uploaded is served in several places, each a row of its own.
    op.drop_constraint("uq_certificates_serial_issuer", "certificates")
    op.create_index(
        "uq_certificates_issued", "certificates", ["serial", "issuer"], unique=True,
        postgresql_where=sa.text("shared_id is null"),
    )  # fmt: skip


def downgrade() -> None:
    op.drop_index("uq_certificates_issued", table_name="certificates")
    op.execute("""
        update certificates set renews_id = null
         where renews_id in (select id from certificates where shared_id is not null)""")
    op.execute("delete from certificates where shared_id is not null")
    op.create_unique_constraint("uq_certificates_serial_issuer", "certificates", ["serial", "issuer"])
    for name in ("awaits", "shared"):
        op.drop_column("certificates", f"{name}_id")
    op.drop_table("shared_certificates")
