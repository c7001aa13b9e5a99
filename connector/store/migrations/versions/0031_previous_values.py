"""What CRM records had before a version of the mapping wrote to them, so that it can be undone."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision: str | None = "0030"


def upgrade() -> None:
    op.create_table(
        "previous_values",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("destination", sa.String(length=130), nullable=False),
        sa.Column("object", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("crm_id", sa.String(length=64)),
        sa.Column("customer_id", sa.String(length=64)),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("undone", sa.Text(), nullable=False, server_default="{}"),
        sa.Column("made", sa.String(length=64)),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_previous_values"),
    )
    op.create_index(
        "ix_previous_values_destination_version_object_key",
        "previous_values",
        ["destination", "version", "object", "key"],
    )
    op.create_index("ix_previous_values_customer_id", "previous_values", ["customer_id"])
    op.create_index("ix_previous_values_destination_at", "previous_values", ["destination", "at"])
