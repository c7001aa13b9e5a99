"""When each agency was last checked, and which alarms its people were sent."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"


def upgrade() -> None:
    op.create_table(
        "watches",
        sa.Column("agency", sa.String(length=64), nullable=False),
        sa.Column("looked_at", sa.BigInteger(), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("agency", name="pk_watches"),
    )
