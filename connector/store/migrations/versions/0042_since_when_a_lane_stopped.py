"""Since when each lane has been paused or its CRM has been failing."""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision: str | None = "0041"


def upgrade() -> None:
    op.add_column("lanes", sa.Column("stopped_since", sa.BigInteger(), nullable=False, server_default="0"))
