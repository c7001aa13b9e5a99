"""Which CRM record is meant, where several may be, and what people decided."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision: str | None = "0016"


def upgrade() -> None:
    op.create_table(
        "questions",
        sa.Column("destination", sa.String(length=130), nullable=False),
        sa.Column("object", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=True),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("by_key", sa.Boolean(), nullable=False),
        sa.Column("candidates", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("chosen", sa.String(length=64), nullable=True),
        sa.Column("former", sa.String(length=64), nullable=True),
        sa.Column("taken_back", sa.String(length=64), nullable=True),
        sa.Column("others", sa.Text(), nullable=False, server_default="[]"),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("decided_by", sa.String(length=128), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("destination", "object", "key", name="pk_questions"),
    )
    op.create_index("ix_questions_customer_id", "questions", ["customer_id"])
