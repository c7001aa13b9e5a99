"""Fields left out because another record has their value, and when each was last tried."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision: str | None = "0019"


def upgrade() -> None:
    op.add_column("open_items", sa.Column("holder", sa.String(length=64), nullable=True))
    op.add_column("open_items", sa.Column("tried_at", sa.BigInteger(), nullable=False, server_default="0"))
    op.execute("UPDATE open_items SET code = 'ADDRESS_HELD', holder = '', digest = '' WHERE code = 'CONFLICT'")
    op.create_index(
        "ix_open_items_held",
        "open_items",
        ["destination", "digest"],
        sqlite_where=sa.text("holder IS NOT NULL"),
        postgresql_where=sa.text("holder IS NOT NULL"),
    )
