"""certificate drills: which certificates are replaced and from when on; what kind of key each has"""

import sqlalchemy as sa
from alembic import op
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

WHEN = sa.DateTime(timezone=True)
ZERO = {"server_default": sa.text("0")}
BATCH = 1_000


def _key_type(chain_pem: str) -> str:
    try:
        key = x509.load_pem_x509_certificates(chain_pem.encode())[0].public_key()
    except ValueError:
        return ""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"ec-{key.curve.name}"
    return f"rsa-{key.key_size}" if isinstance(key, rsa.RSAPublicKey) else ""


def _note_key_types() -> None:
    """Of what was issued before, from its chain; a chain that cannot be read leaves it empty."""
    connection, after = op.get_bind(), "00000000-0000-0000-0000-000000000000"
    query = sa.text("select id, chain_pem from certificates where id > cast(:after as uuid) order by id limit :most")
    while rows := connection.execute(query, {"after": str(after), "most": BATCH}).all():
        values = [{"id": row.id, "key_type": _key_type(row.chain_pem)} for row in rows]
        connection.execute(sa.text("update certificates set key_type = :key_type where id = :id"), values)
        after = rows[-1].id


def upgrade() -> None:
    op.create_table(
        "certificate_drills",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("directory_url", sa.Text(), nullable=False),
        sa.Column("key_type", sa.String(length=20), nullable=False),
        sa.Column("fresh_key", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("pace_per_hour", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), server_default="running", nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("next_at", WHEN, nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("requested_by", sa.String(length=200), nullable=False),
        sa.Column("created_at", WHEN, server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", WHEN, nullable=True),
        sa.Column("replaced", sa.Integer(), nullable=False, **ZERO),
        sa.Column("under_way", sa.Integer(), nullable=False, **ZERO),
        sa.Column("gone", sa.Integer(), nullable=False, **ZERO),
        sa.CheckConstraint("state in ('running','paused','stopped','done')", name=op.f("ck_certificate_drills_state")),
        sa.CheckConstraint(
            "(state in ('running','paused')) = (ended_at is null)", name=op.f("ck_certificate_drills_ended")
        ),
        sa.CheckConstraint("directory_url <> '' or key_type <> ''", name=op.f("ck_certificate_drills_subject")),
        sa.CheckConstraint("pace_per_hour > 0", name=op.f("ck_certificate_drills_pace")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certificate_drills")),
    )
    op.create_index(
        "uq_certificate_drills_unfinished", "certificate_drills", [sa.text("(ended_at is null)")], unique=True,
        postgresql_where=sa.text("ended_at is null"),
    )  # fmt: skip
    op.create_index("ix_certificate_drills_created_at", "certificate_drills", ["created_at"], unique=False)
    op.add_column("certificates", sa.Column("key_type", sa.String(length=20), server_default="", nullable=False))
    op.add_column("certificates", sa.Column("drill_id", sa.UUID(), nullable=True))
    op.add_column("certificates", sa.Column("replace_after", WHEN, nullable=True))
    op.add_column(
        "certificates", sa.Column("replace_key", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.create_foreign_key(
        op.f("fk_certificates_drill_id_certificate_drills"), "certificates", "certificate_drills", ["drill_id"], ["id"]
    )
    op.create_index(
        "ix_certificates_drill", "certificates", ["drill_id"], unique=False,
        postgresql_where=sa.text("drill_id is not null"),
    )  # fmt: skip
    op.create_index(
        "ix_certificates_drill_waiting", "certificates", ["drill_id", "not_after", "id"], unique=False,
        postgresql_where=sa.text("drill_id is not null and replace_after is null and renew_after is not null"),
    )  # fmt: skip
    _note_key_types()


def downgrade() -> None:
    for name in ("drill_waiting", "drill"):
        op.drop_index(f"ix_certificates_{name}", table_name="certificates")
    for name in ("replace_key", "replace_after", "drill_id", "key_type"):
        op.drop_column("certificates", name)
    op.drop_table("certificate_drills")
