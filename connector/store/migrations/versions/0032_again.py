"""Which run applied an edited mapping to a delivery."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision: str | None = "0031"


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("again", sa.Integer(), nullable=False, server_default="0"))
