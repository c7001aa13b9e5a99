"""API calls of each destination: ours, counted, and what the CRM said of everybody's."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"


def upgrade() -> None:
    op.create_table(
        "usage",
        sa.Column("destination", sa.String(length=130), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=True),
        sa.Column("allowed", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=True),
        sa.Column("ours", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("destination", name="pk_usage"),
    )
    op.create_table(
        "usage_calls",
        sa.Column("destination", sa.String(length=130), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("destination", "at", name="pk_usage_calls"),
    )
