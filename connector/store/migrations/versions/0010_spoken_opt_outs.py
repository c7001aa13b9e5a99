"""Which opt-outs an event itself raised, as when a customer says "do not call": they outlast newer snapshots."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision: str | None = "0008"


def upgrade() -> None:
    op.add_column("consents", sa.Column("spoken", sa.Boolean(), nullable=False, server_default=sa.false()))
