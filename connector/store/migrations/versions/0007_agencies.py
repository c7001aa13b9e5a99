"""What each agency's file allows, for commands that do not read it."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision: str | None = "0006"


def upgrade() -> None:
    op.create_table(
        "agencies",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("reveal_values", sa.Boolean(), nullable=False),
        sa.Column("dead_letter_days", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_agencies"),
    )
