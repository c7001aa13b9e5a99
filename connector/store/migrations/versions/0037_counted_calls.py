"""The calls that fields of CRM records count."""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision: str | None = "0036"


def upgrade() -> None:
    op.create_table(
        "counted_calls",
        sa.Column("destination", sa.String(130), primary_key=True),
        sa.Column("key", sa.String(32), primary_key=True),
        sa.Column("object", sa.String(64), primary_key=True),
        sa.Column("field", sa.String(255), primary_key=True),
        sa.Column("call", sa.String(32), primary_key=True),
        sa.Column("customer_id", sa.String(64)),
        sa.Column("counts", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("tie", sa.String(16), nullable=False),
    )
    op.create_index(op.f("ix_counted_calls_customer_id"), "counted_calls", ["customer_id"])
