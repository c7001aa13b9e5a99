"""Fields that a CRM refuses while the rest of their records is written."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision: str | None = "0014"


def upgrade() -> None:
    op.create_table(
        "open_items",
        sa.Column("destination", sa.String(length=130), nullable=False),
        sa.Column("object", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("field", sa.String(length=255), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=True),
        sa.Column("crm_id", sa.String(length=64), nullable=True),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("code", sa.String(length=80), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("tie", sa.String(length=16), nullable=False),
        sa.Column("mapping_version", sa.String(length=32), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("destination", "object", "key", "field", name="pk_open_items"),
    )
    op.create_index("ix_open_items_customer_id", "open_items", ["customer_id"])
    op.create_index("ix_open_items_delivery_id", "open_items", ["delivery_id"])
