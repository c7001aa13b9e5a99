"""When the next request to careCycle's API may be made."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision: str | None = "0028"


def upgrade() -> None:
    op.create_table(
        "source_pace",
        sa.Column("agency", sa.String(64), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("agency", name="pk_source_pace"),
    )
