"""When a receiver of each agency could last store events."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision: str | None = "0023"


def upgrade() -> None:
    op.add_column("watches", sa.Column("received_at", sa.BigInteger(), nullable=False, server_default="0"))
